//! The node object: what the machine offers to pods, and that it is there.

use std::{collections::BTreeMap, fs, net::IpAddr, path::Path, time::Duration};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::{
    clock::Clock,
    kubelet::pressure::Pressure,
    store::{Key, Resource, Store, StoreError},
};

/// How often an unchanged status is reported (`nodeStatusReportFrequency` of the kubelet).
const REPORT: Duration = Duration::from_secs(300);

/// How long after a change the status is computed again (`nodeStatusUpdateFrequency` of the kubelet).
const UPDATE: Duration = Duration::from_secs(10);

/// The most pods at once (`maxPods` of the kubelet is 110; the emulator is made for more).
const MAX_PODS: u32 = 1000;

/// The namespace of the leases that nodes hold for themselves.
pub const LEASES: &str = "kube-node-lease";

/// How long a lease lasts, in seconds (`nodeLeaseDurationSeconds` of the kubelet).
const LEASE_DURATION: i32 = 40;

/// What the node is.
#[derive(Clone, Debug)]
pub struct Facts {
    /// `metadata.name`.
    pub name: String,
    /// Its addresses as pods see them.
    pub addresses: Vec<IpAddr>,
    /// `NAME://VERSION` of the container runtime.
    pub container_runtime: String,
    /// Pods can have users of their own (`hostUsers: false`).
    pub user_namespaces: bool,
    /// The Kubernetes version that the kubelet follows.
    pub kubelet_version: String,
    /// Where the images and containers are: its filesystem is the node's ephemeral storage.
    pub data_dir: std::path::PathBuf,
}

/// Keeps the object up to date; never ends. A kubelet computes the status every ten seconds; here only after a change, so
/// that an idle emulator sleeps.
pub(super) async fn run(store: &Store, clock: &Clock, facts: &Facts) {
    let began = Instant::now();
    loop {
        let mut nodes = store.watch(Resource::Nodes, None, store.version());
        register(store, facts, clock.now());
        let report = Instant::now() + REPORT;
        loop {
            let is_changed = tokio::select! {
                () = tokio::time::sleep_until(report) => break,
                event = nodes.next() => event.map(|event| event.key.name == facts.name),
            };
            match is_changed {
                Ok(false) => continue,
                Ok(true) => {}
                // Events were missed: the object is looked at anyway.
                Err(_) => nodes = store.watch(Resource::Nodes, None, store.version()),
            }
            if !is_up_to_date(store, facts, clock.now()) {
                let since_update = began.elapsed().as_secs_f64() % UPDATE.as_secs_f64();
                tokio::time::sleep(UPDATE.saturating_sub(Duration::from_secs_f64(since_update))).await;
                break;
            }
        }
    }
}

/// Whether the status says what the kubelet would say now, apart from the time of the last report.
fn is_up_to_date(store: &Store, facts: &Facts, now: Timestamp) -> bool {
    let Some(node) = store.get(&Key::new(Resource::Nodes, "", &facts.name)) else {
        return false;
    };
    let without_report = |status: &Value| {
        let mut status = status.clone();
        for condition in status["conditions"].as_array_mut().into_iter().flatten() {
            condition["lastHeartbeatTime"] = Value::Null;
        }
        status
    };
    without_report(&node["status"]) == without_report(&status(facts, &node["status"], now))
}

/// Writes the node object; labels, annotations, taints and `spec.unschedulable` that somebody has set stay.
pub fn register(store: &Store, facts: &Facts, now: Timestamp) {
    let key = Key::new(Resource::Nodes, "", &facts.name);
    if store.get(&key).is_none() {
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": facts.name,
                "uid": crate::uid::new(),
                "creationTimestamp": seconds(now),
            },
            "spec": {},
        });
        let created = store.create(key.clone(), node);
        drop(created); // A full disk: tried again with the next report.
    }
    let written = store.modify(&key, |node| {
        for (label, value) in labels(&facts.name) {
            node["metadata"]["labels"][label] = json!(value);
        }
        node["status"] = status(facts, &node["status"], now);
        Ok::<_, StoreError>(())
    });
    if let Ok(node) = written {
        hold_lease(store, &node, now);
    }
}

/// Takes the node's lease where nobody has it for the node: from then on whoever reads it sees it renewed.
fn hold_lease(store: &Store, node: &Value, now: Timestamp) {
    let (name, uid) = (&node["metadata"]["name"], &node["metadata"]["uid"]);
    let key = Key::new(Resource::Leases, LEASES, name.as_str().unwrap_or_default());
    let spec = json!({
        "holderIdentity": name,
        "leaseDurationSeconds": LEASE_DURATION,
        "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
    });
    let owners = json!([{"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}]);
    // What a full disk does not take is tried again with the next report.
    match store.get(&key) {
        Some(lease) if lease["spec"]["holderIdentity"] == *name && lease["metadata"]["ownerReferences"] == owners => {}
        Some(_) => drop(store.modify(&key, |lease| {
            lease["spec"] = spec.clone();
            lease["metadata"]["ownerReferences"] = owners.clone();
            Ok::<_, StoreError>(())
        })),
        None => {
            let lease = json!({
                "apiVersion": Resource::Leases.api_version(),
                "kind": Resource::Leases.kind(),
                "metadata": {
                    "name": name,
                    "namespace": LEASES,
                    "uid": crate::uid::new(),
                    "creationTimestamp": seconds(now),
                    "ownerReferences": owners,
                },
                "spec": spec,
            });
            drop(store.create(key, lease));
        }
    }
}

fn labels(name: &str) -> [(&'static str, String); 5] {
    let (os, arch) = ("linux".to_owned(), architecture().to_owned());
    [
        ("beta.kubernetes.io/arch", arch.clone()),
        ("beta.kubernetes.io/os", os.clone()),
        ("kubernetes.io/arch", arch),
        ("kubernetes.io/hostname", name.to_owned()),
        ("kubernetes.io/os", os),
    ]
}

/// The machine's architecture by Go's name.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn status(facts: &Facts, before: &Value, now: Timestamp) -> Value {
    let (capacity, allocatable) = resources(before, capacity(&facts.data_dir));
    let mut addresses: Vec<Value> = facts
        .addresses
        .iter()
        .map(|address| json!({"type": "InternalIP", "address": address.to_string()}))
        .collect();
    addresses.push(json!({"type": "Hostname", "address": facts.name}));
    let line = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    json!({
        "addresses": addresses,
        "allocatable": allocatable,
        "capacity": capacity,
        "conditions": conditions(&before["conditions"], now),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "features": {"supplementalGroupsPolicy": true},
        "nodeInfo": {
            "architecture": architecture(),
            "bootID": line("/proc/sys/kernel/random/boot_id"),
            "containerRuntimeVersion": facts.container_runtime,
            "kernelVersion": line("/proc/sys/kernel/osrelease"),
            "kubeProxyVersion": "",
            "kubeletVersion": facts.kubelet_version,
            "machineID": line("/etc/machine-id"),
            "operatingSystem": "linux",
            "osImage": os_image(&line("/etc/os-release")),
            "systemUUID": line("/etc/machine-id"),
        },
        "runtimeHandlers": [{
            "name": "",
            "features": {"recursiveReadOnlyMounts": true, "userNamespaces": facts.user_namespaces},
        }],
    })
}

/// Tells whether the node is short of something, with the condition and the taint for it.
pub fn set_pressure(store: &Store, node: &str, pressure: Pressure, holds: bool, now: Timestamp) {
    let key = Key::new(Resource::Nodes, "", node);
    let (kind, status) = (pressure.as_str(), if holds { "True" } else { "False" });
    let taint = match pressure {
        Pressure::MemoryPressure => "node.kubernetes.io/memory-pressure",
        Pressure::DiskPressure => "node.kubernetes.io/disk-pressure",
    };
    let stands = |node: &Value| {
        let mut conditions = node["status"]["conditions"].as_array().into_iter().flatten();
        conditions.any(|condition| condition["type"] == kind && condition["status"] == "True")
    };
    if store.get(&key).is_none_or(|node| stands(&node) == holds) {
        return;
    }
    let written = store.modify(&key, |node| {
        let mut conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let (reason, message) = words(kind, holds);
        let told = json!({"type": kind, "status": status, "lastHeartbeatTime": seconds(now),
            "lastTransitionTime": seconds(now), "reason": reason, "message": message});
        match conditions.iter_mut().find(|condition| condition["type"] == kind) {
            Some(condition) => *condition = told,
            None => conditions.push(told),
        }
        node["status"]["conditions"] = Value::Array(conditions);
        let mut taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
        taints.retain(|other| other["key"] != taint);
        if holds {
            taints.push(json!({"key": taint, "effect": "NoSchedule", "timeAdded": seconds(now)}));
        }
        if let Some(spec) = node["spec"].as_object_mut() {
            spec.shift_remove("taints");
            if !taints.is_empty() {
                spec.insert("taints".into(), Value::Array(taints));
            }
        }
        Ok::<_, StoreError>(())
    });
    drop(written); // A full disk: pods are told to go all the same.
}

/// Reason and message of a condition, in the words of `kubelet/nodestatus/setters.go`.
fn words(kind: &str, holds: bool) -> (&'static str, &'static str) {
    match (kind, holds) {
        ("MemoryPressure", true) => (
            "KubeletHasInsufficientMemory",
            "kubelet has insufficient memory available",
        ),
        ("MemoryPressure", false) => ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", true) => ("KubeletHasDiskPressure", "kubelet has disk pressure"),
        ("DiskPressure", false) => ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", _) => ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        _ => ("KubeletReady", "kubelet is posting ready status"),
    }
}

/// `status.conditions`: the node is ready, and short of what was told.
fn conditions(before: &Value, now: Timestamp) -> Vec<Value> {
    let told = |kind: &str| {
        let mut all = before.as_array().into_iter().flatten();
        all.find(|condition| condition["type"] == kind)
    };
    ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"]
        .map(|kind| {
            let holds = kind == "Ready" || told(kind).is_some_and(|condition| condition["status"] == "True");
            let status = if holds { "True" } else { "False" };
            let since = told(kind)
                .filter(|condition| condition["status"] == status)
                .map_or_else(
                    || json!(seconds(now)),
                    |condition| condition["lastTransitionTime"].clone(),
                );
            let (reason, message) = words(kind, holds);
            json!({
                "type": kind,
                "status": status,
                "lastHeartbeatTime": seconds(now),
                "lastTransitionTime": since,
                "reason": reason,
                "message": message,
            })
        })
        .to_vec()
}

/// Returns `status.capacity` and `status.allocatable`: resources that somebody else has added to the capacity stay, and
/// everything in it is allocatable (`pkg/kubelet/nodestatus/setters.go`, `MachineInfo`).
fn resources(before: &Value, machine: BTreeMap<&'static str, String>) -> (Map<String, Value>, Map<String, Value>) {
    let known = |field: &str| before[field].as_object().cloned().unwrap_or_default();
    let mut capacity = known("capacity");
    for (name, amount) in machine {
        capacity.insert(name.to_owned(), json!(amount));
    }
    let mut allocatable = known("allocatable");
    allocatable.retain(|name, _| capacity.contains_key(name) || !is_extended(name));
    allocatable.extend(capacity.clone());
    (capacity, allocatable)
}

/// Whether a resource is one that Kubernetes itself knows nothing of (`pkg/apis/core/v1/helper`, `IsExtendedResourceName`).
pub(crate) fn is_extended(name: &str) -> bool {
    let is_native = !name.contains('/') || name.contains("kubernetes.io/");
    !is_native && !name.starts_with("requests.")
}

/// What the machine has, as quantities.
fn capacity(data_dir: &Path) -> BTreeMap<&'static str, String> {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let mut capacity = BTreeMap::from([("cpu", cpus.to_string()), ("pods", MAX_PODS.to_string())]);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    if let Some(kibibytes) = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next())
    {
        capacity.insert("memory", format!("{kibibytes}Ki"));
    }
    if let Some(bytes) = filesystem_size(data_dir) {
        capacity.insert("ephemeral-storage", format!("{}Ki", bytes / 1024));
    }
    capacity.insert("hugepages-1Gi", "0".to_owned());
    capacity.insert("hugepages-2Mi", "0".to_owned());
    capacity
}

#[cfg(target_os = "linux")]
fn filesystem_size(path: &Path) -> Option<u64> {
    let found = nix::sys::statvfs::statvfs(path).ok()?;
    Some(found.blocks() * found.fragment_size())
}

#[cfg(not(target_os = "linux"))]
fn filesystem_size(_: &Path) -> Option<u64> {
    None
}

/// `PRETTY_NAME` of os-release(5).
fn os_image(os_release: &str) -> String {
    let name = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("Linux").trim_matches('"').to_owned()
}

fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            name: "emulator".to_owned(),
            addresses: vec!["10.89.0.1".parse().unwrap()],
            container_runtime: "pod://0.1.0".to_owned(),
            user_namespaces: true,
            kubelet_version: "v1.36.0".to_owned(),
            data_dir: std::env::temp_dir(),
        }
    }

    #[test]
    fn what_a_user_has_set_on_the_node_stays() {
        let store = Store::in_memory();
        let key = Key::new(Resource::Nodes, "", "emulator");
        register(&store, &facts(), "2026-01-01T00:00:00Z".parse().unwrap());
        store
            .modify(&key, |node| {
                node["spec"]["unschedulable"] = json!(true);
                node["metadata"]["labels"]["disk"] = json!("ssd");
                Ok::<_, StoreError>(())
            })
            .unwrap();
        register(&store, &facts(), "2026-01-01T00:05:00Z".parse().unwrap());
        let node = store.get(&key).unwrap();
        assert_eq!(node["spec"]["unschedulable"], true);
        assert_eq!(node["metadata"]["labels"]["disk"], "ssd");
        let ready = &node["status"]["conditions"][3];
        assert_eq!(ready["lastTransitionTime"], "2026-01-01T00:00:00Z");
        assert_eq!(ready["lastHeartbeatTime"], "2026-01-01T00:05:00Z");
        let lease = store.get(&Key::new(Resource::Leases, LEASES, "emulator")).unwrap();
        assert_eq!(lease["metadata"]["ownerReferences"][0]["uid"], node["metadata"]["uid"]);
        assert_eq!(lease["spec"]["holderIdentity"], "emulator");
    }

    #[test]
    fn what_the_node_is_short_of_stays_told_until_it_is_taken_back() {
        let store = Store::in_memory();
        let (key, now) = (
            Key::new(Resource::Nodes, "", "emulator"),
            "2026-01-01T00:00:00Z".parse().unwrap(),
        );
        register(&store, &facts(), now);
        set_pressure(&store, "emulator", Pressure::DiskPressure, true, now);
        register(&store, &facts(), now);
        let node = store.get(&key).unwrap();
        assert_eq!(node["status"]["conditions"][1]["reason"], "KubeletHasDiskPressure");
        assert_eq!(node["spec"]["taints"][0]["key"], "node.kubernetes.io/disk-pressure");
        set_pressure(&store, "emulator", Pressure::DiskPressure, false, now);
        let node = store.get(&key).unwrap();
        assert_eq!(node["status"]["conditions"][1]["status"], "False");
        assert!(node["spec"]["taints"].is_null());
    }

    #[test]
    fn capacity_that_somebody_adds_becomes_allocatable() {
        let machine = || BTreeMap::from([("cpu", "2".to_owned())]);
        let before = json!({
            "capacity": {"example.com/dongle": "4", "cpu": "64"},
            "allocatable": {"cpu": "2", "example.com/gone": "1", "kubernetes.io/kept": "1"},
        });
        let (capacity, allocatable) = resources(&before, machine());
        assert_eq!(json!(capacity), json!({"example.com/dongle": "4", "cpu": "2"}));
        let expected = json!({"cpu": "2", "example.com/dongle": "4", "kubernetes.io/kept": "1"});
        assert_eq!(json!(allocatable), expected);
        assert_eq!(resources(&Value::Null, machine()).1["cpu"], "2");
    }

    #[tokio::test(start_paused = true)]
    async fn patched_capacity_is_allocatable_after_ten_seconds() {
        let (store, clock) = (
            Store::in_memory(),
            Clock::scripted("2026-01-01T00:00:00Z".parse().unwrap()),
        );
        let (key, facts) = (Key::new(Resource::Nodes, "", "emulator"), facts());
        let node = || store.get(&key).unwrap();
        let patch = |change: fn(&mut Value)| {
            let patched = store.modify(&key, |node| {
                change(node);
                Ok::<_, StoreError>(())
            });
            patched.unwrap();
        };
        let story = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let version = store.version();
            patch(|node| node["metadata"]["labels"]["disk"] = json!("ssd"));
            tokio::time::sleep(Duration::from_secs(20)).await;
            assert_eq!(store.version(), version + 1, "a label is no reason to write the status");
            patch(|node| node["status"]["capacity"]["example.com/dongle"] = json!("4"));
            tokio::time::sleep(Duration::from_secs(11)).await;
            assert_eq!(node()["status"]["allocatable"]["example.com/dongle"], "4");
            patch(|node| {
                if let Some(capacity) = node["status"]["capacity"].as_object_mut() {
                    capacity.shift_remove("example.com/dongle");
                }
                node["status"]["conditions"][3]["status"] = json!("False");
            });
            tokio::time::sleep(Duration::from_secs(11)).await;
            assert!(node()["status"]["allocatable"]["example.com/dongle"].is_null());
            assert_eq!(node()["status"]["conditions"][3]["status"], "True");
            store.delete(&key, None).unwrap();
            tokio::time::sleep(Duration::from_secs(11)).await;
            assert_eq!(node()["metadata"]["name"], "emulator");
        };
        tokio::select! {
            () = run(&store, &clock, &facts) => {}
            () = story => {}
        }
    }

    #[test]
    fn the_machine_has_memory_and_processors() {
        let capacity = capacity(&std::env::temp_dir());
        assert_ne!(capacity["cpu"], "0");
        assert!(capacity["memory"].ends_with("Ki"));
    }
}
