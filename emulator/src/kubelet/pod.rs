//! A pod as the kubelet reads it: typed once, with the questions that decisions ask of it.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, PodSpec, PodStatus};
use serde_json::Value;

use crate::runtime::PodRef;

/// Which list of the spec a container is in, and whether it is a sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `initContainers`, runs to its end before the next.
    Init,
    /// `initContainers` with `restartPolicy: Always`.
    Sidecar,
    /// `containers`.
    Regular,
    /// `ephemeralContainers`.
    Ephemeral,
}

/// A port of the node that leads to one of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// `hostIP`; empty where any address of the node will do.
    pub ip: String,
    /// `hostPort`.
    pub host: u16,
    /// `containerPort`.
    pub container: u16,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
}

/// One container of a pod's spec.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Its part of the spec; an ephemeral container's common fields.
    pub container: Container,
    /// Which list it is in.
    pub kind: Kind,
    /// `targetContainerName` of an ephemeral container.
    pub target: Option<String>,
}

impl Declared {
    /// `spec.containers[].name`.
    pub fn name(&self) -> &str {
        &self.container.name
    }

    /// `spec.containers[].image`.
    pub fn image(&self) -> &str {
        self.container.image.as_deref().unwrap_or_default()
    }

    /// What an event about it names: `spec.containers{NAME}`.
    pub fn field_path(&self) -> String {
        let list = match self.kind {
            Kind::Init | Kind::Sidecar => "initContainers",
            Kind::Regular => "containers",
            Kind::Ephemeral => "ephemeralContainers",
        };
        format!("spec.{list}{{{}}}", self.name())
    }
}

/// The object is not a pod that can be run.
#[derive(Debug, thiserror::Error)]
#[error("the pod can't be read: {0}")]
pub struct Unreadable(#[from] serde_json::Error);

/// A pod as the kubelet reads it.
#[derive(Clone, Debug)]
pub struct Pod {
    /// The object itself.
    pub object: Value,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`; of a mirror pod its static pod's.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: Option<i64>,
    /// `metadata.deletionTimestamp` is set.
    pub deleting: bool,
    /// `metadata.deletionGracePeriodSeconds`.
    pub deletion_grace: Option<i64>,
    /// It comes from a file on the node.
    pub is_static: bool,
    /// `spec`.
    pub spec: PodSpec,
    /// `status` as it was when the object was read.
    pub status: PodStatus,
    /// Init containers, then containers, then ephemeral ones, each in the order of the spec.
    pub containers: Vec<Declared>,
}

impl Pod {
    /// Reads the object.
    ///
    /// # Errors
    /// When a field has another type than in Kubernetes' schema.
    pub fn read(object: &Value) -> Result<Self, Unreadable> {
        let meta = &object["metadata"];
        let PodRef { namespace, name, uid } = PodRef::of(object);
        let spec: PodSpec = serde_json::from_value(object["spec"].clone())?;
        let status = match &object["status"] {
            Value::Null => PodStatus::default(),
            status => serde_json::from_value(status.clone())?,
        };
        let containers = declared(&spec, &object["spec"]["ephemeralContainers"])?;
        Ok(Self {
            namespace,
            name,
            uid,
            generation: meta["generation"].as_i64(),
            deleting: meta["deletionTimestamp"].is_string(),
            deletion_grace: meta["deletionGracePeriodSeconds"].as_i64(),
            is_static: meta["annotations"]["kubernetes.io/config.source"]
                .as_str()
                .is_some_and(|source| source != "api"),
            spec,
            status,
            containers,
            object: object.clone(),
        })
    }

    /// Its name to the runtime.
    pub fn reference(&self) -> PodRef {
        PodRef {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            uid: self.uid.clone(),
        }
    }

    /// How messages name it: `NAME_NAMESPACE(UID)`.
    pub fn full_name(&self) -> String {
        format!("{}_{}({})", self.name, self.namespace, self.uid)
    }

    /// The containers of one of the kinds.
    pub fn of(&self, kinds: &'static [Kind]) -> impl DoubleEndedIterator<Item = &Declared> {
        self.containers
            .iter()
            .filter(move |declared| kinds.contains(&declared.kind))
    }

    /// Init containers and sidecars, in order.
    pub fn init(&self) -> impl DoubleEndedIterator<Item = &Declared> {
        self.of(&[Kind::Init, Kind::Sidecar])
    }

    /// `containers`, in order.
    pub fn regular(&self) -> impl DoubleEndedIterator<Item = &Declared> {
        self.of(&[Kind::Regular])
    }

    /// The container of that name.
    pub fn container(&self, name: &str) -> Option<&Declared> {
        self.containers.iter().find(|declared| declared.name() == name)
    }

    /// Whether it has init containers.
    pub fn has_init(&self) -> bool {
        self.init().next().is_some()
    }

    /// `spec.hostNetwork`.
    pub fn host_network(&self) -> bool {
        self.spec.host_network == Some(true)
    }

    /// The ports of the node that lead to it; with the node's own network there are none to lead.
    pub fn host_ports(&self) -> Vec<HostPort> {
        if self.host_network() {
            return Vec::new();
        }
        let all = self.of(&[Kind::Sidecar, Kind::Regular]);
        let ports = all.flat_map(|declared| declared.container.ports.iter().flatten());
        ports
            .filter_map(|port| {
                let number = |number: i32| u16::try_from(number).ok().filter(|number| *number > 0);
                Some(HostPort {
                    ip: port.host_ip.clone().unwrap_or_default(),
                    host: number(port.host_port?)?,
                    container: number(port.container_port)?,
                    protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
                })
            })
            .collect()
    }

    /// `spec.terminationGracePeriodSeconds`, 30 where it is absent.
    pub fn termination_grace(&self) -> i64 {
        self.spec.termination_grace_period_seconds.unwrap_or(30)
    }

    /// The moment its `activeDeadlineSeconds` ends.
    pub fn deadline(&self, started: Option<Timestamp>) -> Option<Timestamp> {
        let seconds = self.spec.active_deadline_seconds?;
        started?.checked_add(jiff::SignedDuration::from_secs(seconds)).ok()
    }
}

fn declared(spec: &PodSpec, ephemeral: &Value) -> Result<Vec<Declared>, Unreadable> {
    let mut all = Vec::new();
    for container in spec.init_containers.iter().flatten() {
        let sidecar = container.restart_policy.as_deref() == Some("Always");
        all.push(Declared {
            container: container.clone(),
            kind: if sidecar { Kind::Sidecar } else { Kind::Init },
            target: None,
        });
    }
    for container in &spec.containers {
        all.push(Declared {
            container: container.clone(),
            kind: Kind::Regular,
            target: None,
        });
    }
    for container in ephemeral.as_array().into_iter().flatten() {
        all.push(Declared {
            // Its fields are those of a container and one more, which reading leaves aside.
            container: serde_json::from_value(container.clone())?,
            kind: Kind::Ephemeral,
            target: container["targetContainerName"].as_str().map(str::to_owned),
        });
    }
    Ok(all)
}
