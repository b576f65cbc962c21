//! What clients do while the emulator is killed, and what they check afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::{ConfigMap, Pod as Object};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    random::Random,
    truth::{Kind, Known, Pod, Pods},
    world::World,
};

/// Names of config maps; each is one client's own.
const CLIENTS: usize = 2;
const MAPS: usize = 4;
/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// More pods than this are not there at once.
const MOST_PODS: usize = 10;

pub(crate) struct Load {
    random: Arc<Mutex<Random>>,
    maps: Vec<Arc<Mutex<BTreeMap<String, Known>>>>,
    pods: Arc<Mutex<Pods>>,
    counts: Arc<Mutex<BTreeMap<&'static str, u64>>>,
    clients: JoinSet<()>,
    /// Whether the clients are to begin nothing more.
    resting: Arc<AtomicBool>,
    shared: PathBuf,
}

/// An answer: done, refused by the server, or none.
enum Answer<T> {
    Done(T),
    Refused,
    Lost,
}

fn answer<T>(result: kube::Result<T>) -> Answer<T> {
    match result {
        Ok(done) => Answer::Done(done),
        Err(kube::Error::Api(status)) => {
            assert!(status.code >= 500, "{status:?}");
            Answer::Refused
        }
        Err(_) => Answer::Lost,
    }
}

async fn client(world: &World) -> Client {
    let kubeconfig = Kubeconfig::read_from(world.kubeconfig()).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .unwrap();
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

fn value_of(map: &ConfigMap) -> u64 {
    map.data.as_ref().unwrap()["value"].parse().unwrap()
}

impl Load {
    pub(crate) async fn begin(world: &World, seed: u64) -> Self {
        let maps = (0..CLIENTS).map(|client| {
            let names = (0..MAPS).map(|map| (format!("map-{client}-{map}"), Known::absent()));
            Arc::new(Mutex::new(names.collect()))
        });
        Self {
            random: Arc::new(Mutex::new(Random::new(seed))),
            maps: maps.collect(),
            pods: Arc::default(),
            counts: Arc::default(),
            clients: JoinSet::new(),
            resting: Arc::default(),
            shared: world.shared(),
        }
    }

    /// Checks what is there against what was told, and lets the clients go on.
    pub(crate) async fn resume(&mut self, world: &World) {
        let client = client(world).await;
        self.check(&client).await;
        for maps in &self.maps {
            let (maps, random, counts) = (maps.clone(), self.random.clone(), self.counts.clone());
            let (api, resting) = (Api::default_namespaced(client.clone()), self.resting.clone());
            self.clients.spawn(async move {
                while !resting.load(Ordering::Relaxed) && change_map(&api, &maps, &random).await {
                    count(&counts, "changes of config maps");
                }
            });
        }
        let (pods, random, counts) = (self.pods.clone(), self.random.clone(), self.counts.clone());
        let (api, shared) = (Api::default_namespaced(client), self.shared.clone());
        let resting = self.resting.clone();
        self.clients.spawn(async move {
            while !resting.load(Ordering::Relaxed) && change_pods(&api, &pods, &random, &counts, &shared).await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
    }

    /// The emulator is gone; what was asked last has no answer.
    pub(crate) async fn pause(&mut self) {
        self.clients.abort_all();
        self.ended().await;
    }

    /// Lets the clients come to the end of what they have begun: an emulator that lives may yet do what nobody waits for.
    async fn rest(&mut self) {
        self.resting.store(true, Ordering::Relaxed);
        self.ended().await;
        self.resting.store(false, Ordering::Relaxed);
    }

    async fn ended(&mut self) {
        while let Some(ended) = self.clients.join_next().await {
            if let Err(error) = ended
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }

    async fn check(&self, client: &Client) {
        let list: kube::Api<ConfigMap> = Api::default_namespaced(client.clone());
        let found = list.list(&ListParams::default()).await.unwrap().items;
        let mut found: BTreeMap<String, u64> = found
            .iter()
            .filter(|map| map.metadata.name.as_ref().unwrap().starts_with("map-"))
            .map(|map| (map.metadata.name.clone().unwrap(), value_of(map)))
            .collect();
        for maps in &self.maps {
            for (name, known) in maps.lock().unwrap().iter_mut() {
                known.see(name, found.remove(name));
            }
        }
        assert!(found.is_empty(), "config maps that nobody made: {found:?}");
        self.check_pods(&pods(client).await);
    }

    /// Every pod that a client was told of is there, and its containers have done nothing that they could not.
    fn check_pods(&self, found: &BTreeMap<String, Value>) {
        let twice = fs::read_to_string(self.shared.join("twice")).unwrap_or_default();
        assert!(twice.is_empty(), "ran twice at once: {twice}");
        let mut known = self.pods.lock().unwrap();
        known.retain(|name, pod| {
            let Some(object) = found.get(name) else {
                let lost = pod.uid.is_some() && !pod.deleting;
                assert!(!lost, "pod {name} is lost: {pod:?}");
                return false;
            };
            let uid = object["metadata"]["uid"].as_str().unwrap();
            assert!(pod.uid.as_deref().is_none_or(|told| told == uid), "another pod {name}");
            pod.uid = Some(uid.to_owned());
            pod.deleting |= object["metadata"]["deletionTimestamp"].is_string();
            if !pod.deleting {
                check_container(name, pod, object);
            }
            true
        });
    }

    /// Waits until nothing is on its way: pods that were deleted are gone, those that run have one sandbox, and no
    /// sandbox is without its pod.
    pub(crate) async fn settle(&mut self, world: &World) {
        self.rest().await;
        let client = client(world).await;
        let began = Instant::now();
        loop {
            let found = pods(&client).await;
            self.check_pods(&found);
            let open = self.open(world, &found);
            if open.is_empty() {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "it does not settle: {open:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.resume(world).await;
    }

    /// What is still on its way.
    fn open(&self, world: &World, found: &BTreeMap<String, Value>) -> Vec<String> {
        let known = self.pods.lock().unwrap();
        let mut open = Vec::new();
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        for (name, object) in found {
            let kind = known.get(name).map(|pod| pod.kind);
            let ready = object["status"]["containerStatuses"][0]["ready"] == true;
            match kind {
                _ if object["metadata"]["deletionTimestamp"].is_string() => open.push(format!("{name} goes")),
                Some(Kind::Runs | Kind::Stubborn) if !ready => {
                    open.push(format!("{name} is not ready: {}", object["status"]))
                }
                Some(Kind::Exits(_)) if !is_over(object) => {
                    open.push(format!("{name} is not over: {}", object["status"]))
                }
                _ => {}
            }
            if !is_over(object) {
                wanted.insert(object["metadata"]["uid"].as_str().unwrap().to_owned());
            }
        }
        let mut held: Vec<String> = world.shims().iter().map(|sandbox| world.pod_of(sandbox)).collect();
        held.sort();
        if held != wanted.iter().cloned().collect::<Vec<_>>() {
            open.push(format!("sandboxes of {held:?}, pods {wanted:?}"));
        }
        open
    }

    /// Deletes all pods, and waits until nothing of them is left.
    pub(crate) async fn finish(&mut self, world: &World) {
        self.rest().await;
        let client = client(world).await;
        let api: Api<Object> = Api::default_namespaced(client.clone());
        for pod in self.pods.lock().unwrap().values_mut() {
            pod.deleting = true;
        }
        for name in pods(&client).await.into_keys() {
            api.delete(&name, &DeleteParams::default()).await.unwrap();
        }
        let began = Instant::now();
        loop {
            let (objects, contained) = (pods(&client).await.into_keys().collect::<Vec<_>>(), world.contained());
            if objects.is_empty() && contained.is_empty() && world.shims().is_empty() {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "pods {objects:?}, processes {contained:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) fn summary(&self) -> String {
        let counts = self.counts.lock().unwrap();
        let parts: Vec<String> = counts.iter().map(|(what, number)| format!("{number} {what}")).collect();
        parts.join(", ")
    }
}

fn count(counts: &Mutex<BTreeMap<&'static str, u64>>, what: &'static str) {
    *counts.lock().unwrap().entry(what).or_default() += 1;
}

async fn pods(client: &Client) -> BTreeMap<String, Value> {
    let api: Api<Object> = Api::default_namespaced(client.clone());
    let list = api.list(&ListParams::default()).await.unwrap();
    let pods = list.items.into_iter();
    pods.map(|pod| (pod.metadata.name.clone().unwrap(), serde_json::to_value(pod).unwrap()))
        .collect()
}

fn is_over(object: &Value) -> bool {
    matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// What the container of a pod has come to, against what it can come to.
fn check_container(name: &str, pod: &mut Pod, object: &Value) {
    let status = &object["status"]["containerStatuses"][0];
    for ended in [&status["state"]["terminated"], &status["lastState"]["terminated"]] {
        let Some(code) = ended["exitCode"].as_i64() else {
            continue;
        };
        let expected = match pod.kind {
            Kind::Exits(code) => Some(i64::from(code)),
            Kind::Crashes => Some(7),
            Kind::Runs | Kind::Stubborn => None,
        };
        // A full disk may keep a container from being made.
        let not_started = ended["reason"] == "StartError";
        assert!(
            not_started || Some(code) == expected,
            "{name} ended with {ended}, {pod:?}"
        );
    }
    let id = status["containerID"].as_str().map(str::to_owned);
    if matches!(pod.kind, Kind::Runs | Kind::Stubborn) && status["state"]["running"].is_object() {
        assert!(
            pod.container.is_none() || pod.container == id,
            "{name} was {:?} and is {id:?}",
            pod.container
        );
        pod.container = id;
    }
}

/// One change of one of this client's config maps; false where the server is gone.
async fn change_map(api: &Api<ConfigMap>, maps: &Mutex<BTreeMap<String, Known>>, random: &Mutex<Random>) -> bool {
    let (which, what, value) = {
        let mut random = random.lock().unwrap();
        (random.below(MAPS as u64), random.below(4), random.below(1 << 40))
    };
    let (name, before) = {
        let maps = maps.lock().unwrap();
        let (name, known) = maps.iter().nth(usize::try_from(which).unwrap()).unwrap();
        (name.clone(), known.certain())
    };
    let after = (what > 0).then_some(value);
    if before.is_none() && after.is_none() {
        return true;
    }
    maps.lock().unwrap().get_mut(&name).unwrap().asked(after);
    // Some are large, so that a disk fills up in the middle of one.
    let filler = if value % 8 == 0 {
        "x".repeat(200_000)
    } else {
        String::new()
    };
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
        "data": {"value": value.to_string(), "filler": filler}});
    let done = match (before, after) {
        (_, None) => answer(api.delete(&name, &DeleteParams::default()).await.map(drop)),
        (None, _) => {
            let object = serde_json::from_value(object).unwrap();
            answer(api.create(&PostParams::default(), &object).await.map(drop))
        }
        _ => answer(
            api.patch(&name, &PatchParams::default(), &Patch::Merge(object))
                .await
                .map(drop),
        ),
    };
    let mut maps = maps.lock().unwrap();
    let known = maps.get_mut(&name).unwrap();
    match done {
        Answer::Done(()) => known.told(after),
        Answer::Refused => known.told(before),
        Answer::Lost => return false,
    }
    true
}

/// Makes a pod or deletes one; false where the server is gone.
async fn change_pods(
    api: &Api<Object>,
    pods: &Mutex<Pods>,
    random: &Mutex<Random>,
    counts: &Mutex<BTreeMap<&'static str, u64>>,
    shared: &std::path::Path,
) -> bool {
    let (choice, kind, code, serial) = {
        let mut random = random.lock().unwrap();
        (random.next(), random.below(4), random.below(50), random.next())
    };
    let there = pods.lock().unwrap().values().filter(|pod| !pod.deleting).count();
    if there < MOST_PODS {
        let kind = match kind {
            0 => Kind::Exits(i32::try_from(code).unwrap()),
            1 => Kind::Crashes,
            2 => Kind::Runs,
            _ => Kind::Stubborn,
        };
        let name = format!("p-{serial:x}");
        let pod = Pod {
            kind,
            uid: None,
            deleting: false,
            container: None,
        };
        pods.lock().unwrap().insert(name.clone(), pod);
        let object = serde_json::from_value(manifest(&name, kind, shared)).unwrap();
        match answer(api.create(&PostParams::default(), &object).await) {
            Answer::Done(made) => {
                count(counts, "pods");
                pods.lock().unwrap().get_mut(&name).unwrap().uid = made.metadata.uid;
            }
            Answer::Refused => drop(pods.lock().unwrap().remove(&name)),
            Answer::Lost => return false,
        }
        return true;
    }
    let name = {
        let pods = pods.lock().unwrap();
        let there: Vec<&String> = pods
            .iter()
            .filter(|(_, pod)| !pod.deleting)
            .map(|(name, _)| name)
            .collect();
        there[usize::try_from(choice).unwrap_or(usize::MAX) % there.len()].clone()
    };
    // One that ends by itself is left to do so.
    let exits = matches!(pods.lock().unwrap()[&name].kind, Kind::Exits(_));
    if exits {
        let object = match answer(api.get(&name).await) {
            Answer::Done(object) => serde_json::to_value(object).unwrap(),
            Answer::Refused => return true,
            Answer::Lost => return false,
        };
        if !is_over(&object) {
            return true;
        }
        check_container(&name, pods.lock().unwrap().get_mut(&name).unwrap(), &object);
        let starts = fs::read_to_string(shared.join(&name))
            .unwrap_or_default()
            .lines()
            .count();
        let started = object["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] != "StartError";
        assert_eq!(starts, usize::from(started), "starts of {name}: {}", object["status"]);
        count(counts, "pods that ended by themselves");
    }
    pods.lock().unwrap().get_mut(&name).unwrap().deleting = true;
    match answer(api.delete(&name, &DeleteParams::default()).await) {
        Answer::Done(_) => count(counts, "deletions"),
        Answer::Refused => pods.lock().unwrap().get_mut(&name).unwrap().deleting = false,
        Answer::Lost => {
            // It may stand or go: which of both is seen afterwards.
            return false;
        }
    }
    true
}

fn manifest(name: &str, kind: Kind, shared: &std::path::Path) -> Value {
    // Whoever finds the folder of an earlier one is the second at once.
    let enter = format!(
        "[ -x /image/bin/sh ] || exit 99; mkdir /shared/{name}.here || echo {name} >> /shared/twice; echo start >> /shared/{name}; "
    );
    let leave = format!("rmdir /shared/{name}.here; ");
    let (policy, command) = match kind {
        Kind::Exits(code) => ("Never", format!("{enter}sleep 0.{}; {leave}exit {code}", code % 5)),
        Kind::Crashes => ("Always", format!("{enter}sleep 0.1; {leave}exit 7")),
        Kind::Runs => (
            "Always",
            format!("trap 'exit 0' TERM; {enter}while :; do sleep 0.2; done"),
        ),
        Kind::Stubborn => ("Always", format!("trap '' TERM; {enter}while :; do sleep 1; done")),
    };
    // Where that can be, some have users of their own.
    let own_users = tests::user::is_root() && matches!(kind, Kind::Exits(0..3) | Kind::Crashes | Kind::Stubborn);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "restartPolicy": policy,
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": false,
        "hostUsers": !own_users,
        "containers": [{
            "name": "main", "image": "busybox:1", "imagePullPolicy": "Never",
            "command": ["sh", "-c", command],
            "volumeMounts": [{"name": "shared", "mountPath": "/shared"}, {"name": "image", "mountPath": "/image"}],
        }],
        "volumes": [
            {"name": "shared", "hostPath": {"path": shared}},
            {"name": "image", "image": {"reference": "busybox:1", "pullPolicy": "Never"}},
            {"name": "memory", "emptyDir": {"medium": "Memory"}},
        ],
    }})
}
