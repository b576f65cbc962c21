//! What-if: the life that a manifest would have, in virtual time.
//!
//! The API's defaults and validation, the scheduler and the kubelet are the emulator's own; only what runs is assumed.
//! Nothing is started, so it works on any operating system, and hours pass in milliseconds.

mod edges;
mod scenario;

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use futures::FutureExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};

use self::edges::SimulatedEdges;
pub use self::scenario::{Behaviour, Deed, Run, Scenario};
pub use crate::runtime::scripted::Termination;
use crate::{
    api::admission::{AdmissionContext, Rejection, admit_create},
    api::deletion::{self, Outcome},
    clock::Clock,
    container_config::Node,
    controllers,
    events::Recorder,
    features::Features,
    kubelet::{Kubelet, KubeletConfig},
    runtime::scripted::{Script, ScriptedImages, ScriptedRuntime},
    scheduler::Scheduler,
    store::{Change, Key, Resource, Store, StoreError, WatchEvent},
};

/// The node of a simulation, unless the pod names one.
const NODE: &str = "node";

/// How long after its end a life is still looked at: the last events are written then.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// One thing that is seen of a simulated life.
#[derive(Clone, Debug)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// The pod or the event as it is now; as it was last, where it has gone.
    pub object: Arc<Value>,
    /// Whether it is an event.
    pub is_event: bool,
    /// Whether it has gone.
    pub is_gone: bool,
}

/// Why a simulation could not be run.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The API would not take the manifest; its words.
    #[error("{0}")]
    Refused(String),
    /// The system has no resources to wait with.
    #[error("cannot simulate: {0}")]
    Runtime(#[from] std::io::Error),
}

/// Lives the life, from the creation to the horizon, or until nothing more can happen, or `is_enough` says so.
/// Returns the moment at which it stopped looking.
///
/// # Errors
/// The API would refuse the manifest or what stands beside it.
pub fn simulate(scenario: Scenario, is_enough: impl FnMut(&Moment) -> bool) -> Result<Timestamp, SimulationError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    runtime.block_on(live(Arc::new(scenario), is_enough))
}

async fn live(
    scenario: Arc<Scenario>,
    mut is_enough: impl FnMut(&Moment) -> bool,
) -> Result<Timestamp, SimulationError> {
    let clock = Clock::scripted(scenario.start);
    let store = Store::in_memory();
    let node = node_name(&scenario.pod).to_owned();
    create_node(&store, &scenario.pod, &node);
    let namespace = text(&scenario.pod["metadata"]["namespace"], "default").to_owned();
    provide_namespace(&store, &namespace, scenario.start);
    provide_named(&store, &scenario.pod, &namespace, scenario.start);
    for companion in &scenario.companions {
        admit(&store, companion, &namespace, scenario.start)?;
    }
    let mut pods = store.watch(Resource::Pods, None, store.version());
    let mut events = store.watch(Resource::Events, None, store.version());
    let mut tasks = JoinSet::new();
    start_node(&scenario, &store, &clock, &node, &mut tasks);
    let key = admit(&store, &scenario.pod, &namespace, scenario.start)?;

    let began = Instant::now();
    let mut end = began + scenario.horizon;
    let mut deeds: Vec<(Duration, Deed)> = scenario.deeds.clone();
    deeds.sort_by_key(|(at, _)| *at);
    deeds.reverse();
    'life: loop {
        let next_deed = deeds.last().map(|(at, _)| began + *at);
        let first = tokio::select! {
            // Changes are seen in the moment of their making, and before time goes on.
            biased;
            event = pods.next() => event,
            event = events.next() => event,
            () = tokio::time::sleep_until(next_deed.unwrap_or(end)), if next_deed.is_some_and(|at| at < end) => {
                if let Some((_, deed)) = deeds.pop() {
                    carry_out(&store, &key, &deed, clock.now());
                }
                continue;
            }
            () = tokio::time::sleep_until(end) => break,
        };
        // What happened at once is told in the order of its making. A reader that is this close never lags.
        let mut together: Vec<WatchEvent> = first.into_iter().collect();
        while let Some(Ok(event)) = pods.next().now_or_never() {
            together.push(event);
        }
        while let Some(Ok(event)) = events.next().now_or_never() {
            together.push(event);
        }
        together.sort_by_key(|event| event.version);
        for event in together {
            let moment = moment(&event, clock.now());
            if is_enough(&moment) {
                break 'life;
            }
            let is_over = matches!(event.object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
            if !moment.is_event && (moment.is_gone || (is_over && deeds.is_empty())) {
                end = end.min(Instant::now() + AFTERWARDS);
            }
        }
    }
    tasks.shutdown().await;
    Ok(clock.now())
}

fn moment(event: &WatchEvent, at: Timestamp) -> Moment {
    Moment {
        at,
        object: event.object.clone(),
        is_event: event.key.resource == Resource::Events,
        is_gone: event.change == Change::Deleted,
    }
}

/// Kubelet and scheduler, as the emulator has them.
fn start_node(scenario: &Arc<Scenario>, store: &Store, clock: &Clock, node: &str, tasks: &mut JoinSet<()>) {
    let mut script = Script::default();
    for (name, behaviour) in &scenario.containers {
        script = script.with(name, behaviour.plays());
    }
    let runtime = ScriptedRuntime::new(script, clock.clone());
    let host_ips = vec![Ipv4Addr::new(192, 0, 2, 1).into()];
    let edges = SimulatedEdges {
        scenario: scenario.clone(),
        node: Node {
            name: node.to_owned(),
            ips: host_ips.clone(),
            store: store.clone(),
            logs: PathBuf::new(),
            volumes: PathBuf::new(),
        },
        clock: clock.clone(),
        runtime: runtime.clone(),
    };
    let recorder = Recorder::new(store.clone(), clock.clone(), node).unlimited();
    let kubelet = Kubelet::new(KubeletConfig {
        store: store.clone(),
        clock: clock.clone(),
        runtime: Arc::new(runtime),
        images: Arc::new(images(scenario)),
        edges: Arc::new(edges),
        recorder: recorder.clone(),
        node_name: node.to_owned(),
        host_ips,
        // A real kubelet waits up to half as long again; this is the earliest.
        stretch: 1.0,
        static_pods: None,
        features: Features::default(),
    });
    tasks.spawn(kubelet.run(std::future::pending()));
    let scheduler = Scheduler::new(store.clone(), clock.clone(), recorder, node);
    tasks.spawn(scheduler.run(std::future::pending()));
}

fn images(scenario: &Scenario) -> ScriptedImages {
    let lists = ["initContainers", "containers"];
    let containers = lists
        .iter()
        .filter_map(|list| scenario.pod["spec"][*list].as_array())
        .flatten();
    let mut images = ScriptedImages::default();
    for container in containers {
        let Some(behaviour) = scenario.containers.get(text(&container["name"], "")) else {
            continue;
        };
        let image = text(&container["image"], "");
        if behaviour.pull_fails {
            images = images.missing(image);
        } else if let Some(takes) = behaviour.pull {
            images = images.pulled_in(image, takes);
        }
    }
    images
}

fn text<'a>(value: &'a Value, default: &'a str) -> &'a str {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or(default)
}

fn node_name(pod: &Value) -> &str {
    text(&pod["spec"]["nodeName"], NODE)
}

/// A node that the pod fits on: whether a real one is there is no question of the manifest.
fn create_node(store: &Store, pod: &Value, name: &str) {
    let mut labels =
        json!({"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"});
    for (label, value) in pod["spec"]["nodeSelector"].as_object().into_iter().flatten() {
        labels[label] = value.clone();
    }
    let room = json!({"cpu": "1000", "memory": "10Ti", "ephemeral-storage": "100Ti", "pods": "110"});
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": "node", "labels": labels},
        "spec": {}, "status": {"allocatable": room, "capacity": room}});
    // The store is empty: nothing is in the way.
    drop(store.create(Key::new(Resource::Nodes, "", name), node));
}

fn provide_namespace(store: &Store, namespace: &str, now: Timestamp) {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace},
        "status": {"phase": "Active"}});
    drop(store.create(Key::new(Resource::Namespaces, "", namespace), object));
    controllers::namespaces::provide(store, namespace, "", now);
}

/// The service account and the priority class that the pod names are there: they say nothing of its life.
fn provide_named(store: &Store, pod: &Value, namespace: &str, now: Timestamp) {
    controllers::priority_classes::ensure_built_in(store, now);
    let account = text(&pod["spec"]["serviceAccountName"], "default");
    let object = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": account, "namespace": namespace}});
    // One that is there already stays.
    drop(store.create(Key::new(Resource::ServiceAccounts, namespace, account), object));
    let class = text(&pod["spec"]["priorityClassName"], "");
    if !class.is_empty() {
        let object = json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
            "metadata": {"name": class}, "value": 0});
        drop(store.create(Key::new(Resource::PriorityClasses, "", class), object));
    }
}

/// Does what the API does to a new object, and stores it.
fn admit(store: &Store, object: &Value, namespace: &str, now: Timestamp) -> Result<Key, SimulationError> {
    let kind = text(&object["kind"], "");
    let refused = |why: String| SimulationError::Refused(why);
    let resource = Resource::ALL
        .into_iter()
        .find(|resource| resource.kind() == kind)
        .ok_or_else(|| refused(format!("a {kind} can't stand beside a simulated pod")))?;
    let namespace = text(&object["metadata"]["namespace"], namespace).to_owned();
    let mut object = object.clone();
    let lookup = |key: &Key| store.get(key);
    let context = AdmissionContext {
        namespace: &namespace,
        now,
        lookup: &lookup,
        priority_classes: &store.list(Resource::PriorityClasses, None).0,
    };
    admit_create(resource, &mut object, &context).map_err(|rejection| refused(words(&rejection)))?;
    let name = text(&object["metadata"]["name"], "").to_owned();
    object["metadata"]["uid"] = crate::uid::new().into();
    object["metadata"]["creationTimestamp"] = json!(crate::api::time::seconds(now));
    let key = Key::new(resource, namespace, name);
    match store.create(key.clone(), object.clone()) {
        Ok(_) => Ok(key),
        // What every namespace has may be given too.
        Err(StoreError::AlreadyExists) => store
            .modify(&key, |there| {
                *there = object;
                Ok::<_, StoreError>(())
            })
            .map(|_| key.clone())
            .map_err(|error| refused(error.to_string())),
        Err(error) => Err(refused(error.to_string())),
    }
}

fn words(rejection: &Rejection) -> String {
    match rejection {
        Rejection::BadRequest(why) | Rejection::NotFound(why) | Rejection::Internal(why) => why.clone(),
        Rejection::Forbidden { name, why, .. } => format!("pods {name:?} is forbidden: {why}"),
        Rejection::Invalid { kind, name, errors } => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            match errors.as_slice() {
                [error] => format!("{kind} {name:?} is invalid: {error}"),
                several => format!("{kind} {name:?} is invalid: [{}]", several.join(", ")),
            }
        }
    }
}

fn carry_out(store: &Store, key: &Key, deed: &Deed, now: Timestamp) {
    let Some(pod) = store.get(key) else { return };
    let changed = match deed {
        Deed::Delete { grace } => match deletion::delete(Resource::Pods, &pod, *grace, now) {
            Outcome::Unchanged => return,
            Outcome::Marked(marked) => marked,
            Outcome::Removed(_) => {
                drop(store.delete(key, None));
                return;
            }
        },
        Deed::Condition { kind, status } => with_condition(&pod, kind, *status, now),
        Deed::OpenGate { name } => without_gate(&pod, name),
    };
    // The pod is there, and nobody else writes in this moment.
    drop(store.modify(key, |pod| {
        *pod = changed;
        Ok::<_, StoreError>(())
    }));
}

fn with_condition(pod: &Value, kind: &str, status: bool, now: Timestamp) -> Value {
    let mut pod = pod.clone();
    let condition = json!({"type": kind, "status": if status { "True" } else { "False" },
        "lastTransitionTime": crate::api::time::seconds(now)});
    if let Some(conditions) = pod["status"]["conditions"].as_array_mut() {
        conditions.retain(|one| one["type"] != kind);
        conditions.push(condition);
    } else {
        pod["status"]["conditions"] = json!([condition]);
    }
    pod
}

fn without_gate(pod: &Value, name: &str) -> Value {
    let mut pod = pod.clone();
    if let Some(gates) = pod["spec"]["schedulingGates"].as_array_mut() {
        gates.retain(|gate| gate["name"] != name);
    }
    if let Some(generation) = pod["metadata"]["generation"].as_i64() {
        pod["metadata"]["generation"] = json!(generation + 1);
    }
    pod
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(spec: Value) -> Scenario {
        Scenario {
            pod: json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}),
            companions: Vec::new(),
            containers: Default::default(),
            deeds: Vec::new(),
            start: Timestamp::from_second(1_800_000_000).unwrap(),
            horizon: Duration::from_secs(3600),
        }
    }

    fn lived(scenario: Scenario) -> Vec<(i64, Arc<Value>, bool)> {
        let start = scenario.start.as_second();
        let mut seen = Vec::new();
        simulate(scenario, |moment| {
            if !moment.is_event {
                seen.push((moment.at.as_second() - start, moment.object.clone(), moment.is_gone));
            }
            false
        })
        .unwrap();
        seen
    }

    #[test]
    fn a_day_of_a_pod_that_runs_takes_no_time() {
        let mut scenario = scenario(json!({"containers": [{"name": "a", "image": "i:1"}]}));
        scenario.horizon = Duration::from_secs(24 * 3600);
        let began = std::time::Instant::now();
        let seen = lived(scenario);
        assert_eq!(seen.last().unwrap().1["status"]["phase"], "Running");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }

    #[test]
    fn a_deletion_takes_as_long_as_the_container_does() {
        let mut scenario = scenario(json!({"containers": [{"name": "a", "image": "i:1"}]}));
        let run = Run {
            stops_after: Some(Duration::from_secs(12)),
            ..Run::default()
        };
        scenario.containers.insert(
            "a".into(),
            Behaviour {
                runs: vec![run],
                ..Behaviour::default()
            },
        );
        scenario.deeds = vec![(Duration::from_secs(60), Deed::Delete { grace: None })];
        let seen = lived(scenario);
        let (at, _, is_gone) = seen.last().unwrap();
        assert!(*is_gone);
        assert_eq!(*at, 72);
    }

    #[test]
    fn what_the_api_would_refuse_is_refused_in_its_words() {
        let error = simulate(scenario(json!({"containers": [{"name": "a"}]})), |_| false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Pod \"p\" is invalid: spec.containers[0].image: Required value"
        );
    }

    #[test]
    fn a_missing_config_map_keeps_the_container_from_starting() {
        let spec = json!({"containers": [{"name": "a", "image": "i:1", "envFrom": [{"configMapRef": {"name": "c"}}]}]});
        let seen = lived(scenario(spec.clone()));
        let waiting = &seen.last().unwrap().1["status"]["containerStatuses"][0]["state"]["waiting"];
        assert_eq!(waiting["reason"], "CreateContainerConfigError");
        assert_eq!(waiting["message"], "configmap \"c\" not found");
        let mut with = scenario(spec);
        with.companions = vec![json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}})];
        assert_eq!(lived(with).last().unwrap().1["status"]["phase"], "Running");
    }

    #[test]
    fn gates_open_when_they_are_opened() {
        let mut scenario = scenario(json!({"schedulingGates": [{"name": "x.com/g"}], "readinessGates":
            [{"conditionType": "x.com/r"}], "containers": [{"name": "a", "image": "i:1"}]}));
        scenario.deeds = vec![
            (Duration::from_secs(10), Deed::OpenGate { name: "x.com/g".into() }),
            (
                Duration::from_secs(30),
                Deed::Condition {
                    kind: "x.com/r".into(),
                    status: true,
                },
            ),
        ];
        let seen = lived(scenario);
        let first = |wanted: &dyn Fn(&Value) -> bool| seen.iter().find(|(_, pod, _)| wanted(pod)).map(|(at, ..)| *at);
        assert_eq!(first(&|pod| pod["status"]["phase"] == "Running"), Some(10));
        let ready = |pod: &Value| {
            let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions
                .iter()
                .any(|one| one["type"] == "Ready" && one["status"] == "True")
        };
        assert_eq!(first(&ready), Some(30));
    }
}
