//! Whole lives of pods in virtual time, against the rules of a real kubelet and what it was seen to report.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::Instant};

use super::{
    Kubelet, KubeletConfig,
    edges::{Outcome, VolumeFailure},
    start_failure::StartFailure,
};
use crate::{
    clock::Clock,
    events::Recorder,
    runtime::scripted::{Play, Script, ScriptedEdges, ScriptedImages, ScriptedRuntime, Termination},
    scheduler::Scheduler,
    store::{Change, Key, Resource, Store, StoreError},
};

/// Every version of the pod and when it came; none once it is deleted.
type Seen = Arc<std::sync::Mutex<Vec<(Duration, Option<Value>)>>>;

/// A node in virtual time, and everything that was seen of its pod `p`.
struct Life {
    store: Store,
    runtime: ScriptedRuntime,
    recorder: Recorder,
    began: Instant,
    seen: Seen,
    tasks: Vec<JoinHandle<()>>,
}

impl Life {
    fn new(script: Script) -> Self {
        Self::with(script, ScriptedImages::default(), ScriptedEdges::default())
    }

    fn with(script: Script, images: ScriptedImages, edges: ScriptedEdges) -> Self {
        let store = Store::in_memory();
        let clock = Clock::scripted(Timestamp::from_second(1_800_000_000).unwrap());
        let runtime = ScriptedRuntime::new(script, clock.clone());
        let node = json!({"metadata": {"name": "emulator", "uid": "n", "labels": {}}, "spec": {},
            "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}});
        store.create(Key::new(Resource::Nodes, "", "emulator"), node).unwrap();
        let namespace = json!({"metadata": {"name": "default"}});
        store
            .create(Key::new(Resource::Namespaces, "", "default"), namespace)
            .unwrap();
        let mut life = Self {
            seen: Arc::default(),
            began: Instant::now(),
            tasks: Vec::new(),
            recorder: Recorder::new(store.clone(), clock.clone(), "emulator"),
            store,
            runtime,
        };
        life.start_kubelet(clock.clone(), images, edges);
        let recorder = life.recorder.clone();
        let scheduler = Scheduler::new(life.store.clone(), clock, recorder, "emulator");
        life.tasks.push(tokio::spawn(scheduler.run(std::future::pending())));
        life.watch();
        life
    }

    fn start_kubelet(&mut self, clock: Clock, images: ScriptedImages, edges: ScriptedEdges) {
        let kubelet = Kubelet::new(KubeletConfig {
            recorder: self.recorder.clone(),
            store: self.store.clone(),
            runtime: Arc::new(self.runtime.clone()),
            images: Arc::new(images),
            edges: Arc::new(edges),
            node_name: "emulator".into(),
            host_ips: vec![Ipv4Addr::new(192, 0, 2, 1).into()],
            stretch: 1.0,
            static_pods: None,
            clock,
        });
        self.tasks.push(tokio::spawn(kubelet.run(std::future::pending())));
    }

    fn watch(&mut self) {
        let (store, seen, began) = (self.store.clone(), self.seen.clone(), self.began);
        self.tasks.push(tokio::spawn(async move {
            let mut watch = store.watch(Resource::Pods, None, 0);
            while let Ok(event) = watch.next().await {
                let object = (event.change != Change::Deleted).then(|| Value::clone(&event.object));
                seen.lock().unwrap().push((began.elapsed(), object));
            }
        }));
    }

    /// Creates the pod as the API would.
    async fn run(script: Script, spec: Value, seconds: u64) -> Self {
        let life = Self::new(script);
        life.create(spec);
        life.pass(seconds).await;
        life
    }

    fn create(&self, mut spec: Value) {
        for container in spec["containers"].as_array_mut().unwrap() {
            container["image"] = json!(container["image"].as_str().unwrap_or("busybox:1"));
        }
        let object = json!({"apiVersion": "v1", "kind": "Pod", "spec": spec, "status": {"phase": "Pending"},
            "metadata": {"name": "p", "namespace": "default", "uid": "u-1", "generation": 1}});
        self.store.create(Self::key(), object).unwrap();
    }

    fn key() -> Key {
        Key::new(Resource::Pods, "default", "p")
    }

    async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    fn delete(&self, grace: i64) {
        self.store
            .modify(&Self::key(), |pod| {
                pod["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z");
                pod["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
                Ok::<_, StoreError>(())
            })
            .unwrap();
        if grace == 0 {
            self.store.delete(&Self::key(), None).unwrap();
        }
    }

    /// The values of a facet in order, equal neighbours once, with the second each first came.
    fn timed(&self, facet: impl Fn(&Value) -> Option<String>) -> Vec<(u64, String)> {
        let mut values: Vec<(u64, String)> = Vec::new();
        for (at, object) in self.seen.lock().unwrap().iter() {
            let value = object.as_ref().map_or(Some("<deleted>".to_owned()), &facet);
            if let Some(value) = value
                && values.last().is_none_or(|(_, last)| *last != value)
            {
                values.push((at.as_secs(), value));
            }
        }
        values
    }

    fn facet(&self, facet: impl Fn(&Value) -> Option<String>) -> Vec<String> {
        let deleted = |value: &String| value != "<deleted>";
        self.timed(facet)
            .into_iter()
            .map(|(_, value)| value)
            .filter(deleted)
            .collect()
    }

    fn phases(&self) -> Vec<String> {
        self.timed(|pod| {
            let text = |field: &str| pod["status"][field].as_str().map(str::to_owned);
            Some(text("phase")? + &text("reason").map(|reason| format!("/{reason}")).unwrap_or_default())
        })
        .into_iter()
        .map(|(_, phase)| phase)
        .collect()
    }

    fn states(&self, name: &str) -> Vec<String> {
        self.facet(|pod| state(container(pod, name)?))
    }

    fn timed_states(&self, name: &str) -> Vec<(u64, String)> {
        self.timed(|pod| state(container(pod, name)?))
    }

    fn flag(&self, name: &str, flag: &str) -> Vec<String> {
        self.facet(|pod| Some(container(pod, name)?[flag].to_string()))
    }

    fn condition(&self, kind: &str) -> Vec<String> {
        self.facet(|pod| {
            let all = pod["status"]["conditions"].as_array()?;
            let one = all.iter().find(|condition| condition["type"] == kind)?;
            let reason = one["reason"]
                .as_str()
                .map(|reason| format!("/{reason}"))
                .unwrap_or_default();
            Some(format!("{}{reason}", one["status"].as_str()?))
        })
    }

    fn last(&self) -> Value {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .rev()
            .find_map(|(_, object)| object.clone())
            .unwrap()
    }

    fn events(&self) -> Vec<String> {
        let mut events: Vec<Value> = self
            .store
            .list(Resource::Events, None)
            .0
            .iter()
            .map(|event| Value::clone(event))
            .collect();
        events.sort_by_key(|event| event["metadata"]["name"].to_string());
        let text = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
        events
            .iter()
            .map(|event| {
                let path = event["involvedObject"]["fieldPath"].as_str().unwrap_or_default();
                format!("{} {path}: {}", text(event, "reason"), text(event, "message"))
            })
            .collect()
    }

    fn starts(&self, name: &str) -> Vec<u64> {
        let running = |(_, state): &(u64, String)| state == "running";
        self.timed_states(name)
            .into_iter()
            .filter(running)
            .map(|(at, _)| at)
            .collect()
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn container<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    [
        "initContainerStatuses",
        "containerStatuses",
        "ephemeralContainerStatuses",
    ]
    .iter()
    .filter_map(|list| pod["status"][list].as_array())
    .flatten()
    .find(|status| status["name"] == name)
}

fn state(status: &Value) -> Option<String> {
    let (kind, body) = status["state"].as_object()?.iter().next()?;
    let reason = body["reason"].as_str().unwrap_or_default();
    Some(match kind.as_str() {
        "running" => "running".into(),
        "waiting" => format!("waiting:{reason}"),
        _ => format!("terminated:{reason}({})", body["exitCode"]),
    })
}

fn fails(after: u64, code: i32) -> Play {
    Play::ends(after, Termination::exit(code))
}

const CREATING: &str = "waiting:ContainerCreating";
const INITIALIZING: &str = "waiting:PodInitializing";

#[tokio::test(start_paused = true)]
async fn a_pod_is_scheduled_started_and_ready() {
    let life = Life::run(Script::default(), json!({"containers": [{"name": "app"}]}), 5).await;
    assert_eq!(life.phases(), ["Pending", "Running"]);
    assert_eq!(life.states("app"), [CREATING, "running"]);
    assert_eq!(life.flag("app", "ready"), ["false", "true"]);
    assert_eq!(life.flag("app", "started"), ["false", "true"]);
    assert_eq!(life.condition("PodReadyToStartContainers"), ["False", "True"]);
    assert_eq!(life.condition("Ready"), ["False/ContainersNotReady", "True"]);
    assert_eq!(
        life.events(),
        [
            "Scheduled : Successfully assigned default/p to emulator",
            "Pulled spec.containers{app}: Container image \"busybox:1\" already present on machine and can be accessed by the pod",
            "Created spec.containers{app}: Container created",
            "Started spec.containers{app}: Container started",
        ]
    );
    let last = life.last();
    assert_eq!(last["status"]["containerStatuses"][0]["lastState"], json!({}));
    assert_eq!(last["status"]["observedGeneration"], 1);
    let kinds: Vec<&str> = last["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["type"].as_str())
        .collect();
    assert_eq!(
        kinds,
        [
            "PodReadyToStartContainers",
            "Initialized",
            "Ready",
            "ContainersReady",
            "PodScheduled"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ends_well_completes_the_pod() {
    let script = Script::default().with("app", [fails(2, 0)]);
    let life = Life::run(
        script,
        json!({"restartPolicy": "Never", "containers": [{"name": "app"}]}),
        10,
    )
    .await;
    assert_eq!(life.phases(), ["Pending", "Running", "Succeeded"]);
    assert_eq!(life.states("app"), [CREATING, "running", "terminated:Completed(0)"]);
    assert_eq!(
        life.condition("Ready"),
        ["False/ContainersNotReady", "True", "False/PodCompleted"]
    );
    assert_eq!(life.condition("Initialized"), ["True", "True/PodCompleted"]);
    assert_eq!(life.condition("PodReadyToStartContainers"), ["False", "True", "False"]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_restarts_after_0_10_30_70_150_and_310_seconds() {
    let script = Script::default().with("app", [fails(0, 1)]);
    let life = Life::run(script, json!({"containers": [{"name": "app"}]}), 320).await;
    assert_eq!(life.starts("app"), [0, 0, 10, 30, 70, 150, 310]);
    assert_eq!(
        life.states("app")[..9],
        [
            CREATING,
            "running",
            "terminated:Error(1)",
            "running",
            "terminated:Error(1)",
            "waiting:CrashLoopBackOff",
            "running",
            "terminated:Error(1)",
            "waiting:CrashLoopBackOff",
        ]
    );
    assert_eq!(life.phases(), ["Pending", "Running"]);
}

#[tokio::test(start_paused = true)]
async fn between_restarts_the_status_stays_terminated_until_just_before_the_next() {
    let script = Script::default().with("app", [fails(0, 1)]);
    let life = Life::run(script, json!({"containers": [{"name": "app"}]}), 28).await;
    assert_eq!(life.states("app").last().unwrap(), "terminated:Error(1)");
    assert_eq!(life.last()["status"]["containerStatuses"][0]["restartCount"], 2);
    assert_eq!(
        life.flag("app", "ready"),
        ["false", "true", "false", "true", "false", "true", "false"]
    );
}

#[tokio::test(start_paused = true)]
async fn init_containers_run_one_after_the_other() {
    let script = Script::default().with("one", [fails(2, 0)]).with("two", [fails(2, 0)]);
    let spec = json!({"initContainers": [{"name": "one", "image": "i"}, {"name": "two", "image": "i"}], "containers": [{"name": "app"}]});
    let life = Life::run(script, spec, 10).await;
    for name in ["one", "two"] {
        assert_eq!(life.states(name), [INITIALIZING, "running", "terminated:Completed(0)"]);
        assert_eq!(life.flag(name, "started"), ["false", "true", "false"]);
        assert_eq!(life.flag(name, "ready"), ["false", "true"]);
    }
    assert_eq!(life.starts("two"), [2]);
    assert_eq!(life.starts("app"), [4]);
    assert_eq!(
        life.condition("Initialized"),
        ["False/ContainersNotInitialized", "True"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failing_init_container_is_tried_again_with_back_off() {
    let script = Script::default().with("setup", [fails(1, 4)]);
    let spec = json!({"initContainers": [{"name": "setup", "image": "i"}], "containers": [{"name": "app"}]});
    let life = Life::run(script, spec, 20).await;
    assert_eq!(life.starts("setup"), [0, 1, 12]);
    assert_eq!(life.phases(), ["Pending"]);
    assert_eq!(life.states("setup").last().unwrap(), "terminated:Error(4)");
    assert_eq!(life.states("app"), [INITIALIZING]);
}

#[tokio::test(start_paused = true)]
async fn a_failing_init_container_fails_a_pod_that_never_restarts() {
    let script = Script::default().with("setup", [fails(1, 4)]);
    let spec = json!({"restartPolicy": "Never", "initContainers": [{"name": "setup", "image": "i"}, {"name": "next", "image": "i"}],
        "containers": [{"name": "app"}]});
    let life = Life::run(script, spec, 10).await;
    assert_eq!(life.phases(), ["Pending", "Failed"]);
    assert_eq!(life.states("next"), [INITIALIZING]);
    assert_eq!(life.states("app"), [INITIALIZING]);
    assert_eq!(life.condition("Initialized"), ["False/ContainersNotInitialized"]);
    assert_eq!(life.condition("Ready"), ["False/ContainersNotReady", "False/PodFailed"]);
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_ends_after_the_containers() {
    let script = Script::default().with("app", [fails(4, 0)]);
    let spec = json!({"restartPolicy": "Never", "initContainers": [{"name": "proxy", "image": "i", "restartPolicy": "Always"}],
        "containers": [{"name": "app"}]});
    let life = Life::run(script, spec, 20).await;
    assert_eq!(life.phases(), ["Pending", "Running", "Succeeded"]);
    assert_eq!(
        life.condition("Ready"),
        [
            "False/ContainersNotReady",
            "True",
            "False/ContainersNotReady",
            "False/PodCompleted"
        ]
    );
    assert_eq!(
        life.condition("Initialized"),
        ["False/ContainersNotInitialized", "True", "True/PodCompleted"]
    );
    assert_eq!(
        life.states("proxy"),
        [INITIALIZING, "running", "terminated:Completed(0)"]
    );
    assert!(
        life.events()
            .contains(&"Killing spec.initContainers{proxy}: Stopping container proxy".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn sidecars_stop_in_reverse_order_after_the_containers_on_deletion() {
    let slow = |code| Play::Runs {
        lasts: None,
        termination: Termination::default(),
        on_term: Some((Duration::from_secs(2), Termination::exit(code))),
    };
    let script = Script::default()
        .with("a", [slow(0)])
        .with("b", [slow(0)])
        .with("app", [slow(0)]);
    let sidecar = |name| json!({"name": name, "image": "i", "restartPolicy": "Always"});
    let life = Life::run(
        script,
        json!({"initContainers": [sidecar("a"), sidecar("b")], "containers": [{"name": "app"}]}),
        5,
    )
    .await;
    life.delete(30);
    life.pass(20).await;
    let gone = life.phases();
    assert_eq!(gone, ["Pending", "Running", "Succeeded", "<deleted>"]);
    let last = life.last();
    let finished = |name: &str| {
        container(&last, name).unwrap()["state"]["terminated"]["finishedAt"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(finished("app") < finished("b") && finished("b") < finished("a"));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_ends_gracefully_and_its_object_goes() {
    let life = Life::run(Script::default(), json!({"containers": [{"name": "app"}]}), 4).await;
    life.delete(30);
    life.pass(3).await;
    assert_eq!(life.phases(), ["Pending", "Running", "Succeeded", "<deleted>"]);
    assert_eq!(
        life.facet(|pod| Some(pod["metadata"]["deletionGracePeriodSeconds"].to_string())),
        ["null", "30", "0"]
    );
    assert_eq!(
        life.condition("Ready"),
        ["False/ContainersNotReady", "True", "False/PodCompleted"]
    );
    assert_eq!(life.condition("PodReadyToStartContainers"), ["False", "True", "False"]);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ignores_sigterm_is_killed_when_its_grace_is_over_but_not_before_two_seconds() {
    for (grace, expected) in [(3, 3), (1, 2)] {
        let life = Life::run(
            Script::default().with("app", [Play::stubborn()]),
            json!({"containers": [{"name": "app"}]}),
            4,
        )
        .await;
        life.delete(grace);
        life.pass(10).await;
        let ended = life
            .timed_states("app")
            .into_iter()
            .find(|(_, state)| state == "terminated:Error(137)")
            .unwrap();
        assert_eq!(ended.0, 4 + expected);
        assert_eq!(life.phases(), ["Pending", "Running", "Failed", "<deleted>"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_forced_deletion_still_kills_the_containers() {
    let life = Life::run(
        Script::default().with("app", [Play::stubborn()]),
        json!({"containers": [{"name": "app"}]}),
        4,
    )
    .await;
    life.delete(0);
    life.pass(5).await;
    assert_eq!(life.phases(), ["Pending", "Running", "<deleted>"]);
    assert!(
        life.events()
            .contains(&"Killing spec.containers{app}: Stopping container app".to_owned())
    );
    assert!(life.runtime.instances("app").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_shorter_grace_period_shortens_the_end() {
    let life = Life::run(
        Script::default().with("app", [Play::stubborn()]),
        json!({"containers": [{"name": "app"}]}),
        4,
    )
    .await;
    life.delete(600);
    life.pass(2).await;
    life.delete(1);
    life.pass(5).await;
    assert_eq!(life.phases().last().unwrap(), "<deleted>");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_deleted_while_it_is_backed_off_ends_at_once() {
    let script = Script::default().with("app", [fails(0, 1)]);
    let life = Life::run(script, json!({"containers": [{"name": "app"}]}), 60).await;
    life.delete(30);
    life.pass(2).await;
    assert_eq!(life.phases(), ["Pending", "Running", "Failed", "<deleted>"]);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_fails_the_pod() {
    let life = Life::run(
        Script::default(),
        json!({"activeDeadlineSeconds": 4, "containers": [{"name": "app"}]}),
        10,
    )
    .await;
    assert_eq!(life.phases(), ["Pending", "Running", "Failed/DeadlineExceeded"]);
    assert_eq!(life.states("app"), [CREATING, "running", "terminated:Completed(0)"]);
    assert_eq!(
        life.condition("Ready"),
        ["False/ContainersNotReady", "True", "False/PodFailed"]
    );
    let message = "Pod was active on the node longer than the specified deadline";
    assert_eq!(life.last()["status"]["message"], message);
    assert!(life.events().contains(&format!("DeadlineExceeded : {message}")));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_cannot_be_started_is_tried_again() {
    let script = Script::default().with("app", [Play::FailsToStart("no such file".into())]);
    let life = Life::run(script, json!({"containers": [{"name": "app"}]}), 25).await;
    assert_eq!(
        life.states("app"),
        [
            CREATING,
            "waiting:RunContainerError",
            "waiting:CrashLoopBackOff",
            "waiting:RunContainerError"
        ]
    );
    assert_eq!(life.flag("app", "restartCount"), ["0", "1", "2"]);
    assert_eq!(life.phases(), ["Pending", "Running"]);
    let status = &life.last()["status"]["containerStatuses"][0];
    assert_eq!(status["lastState"]["terminated"]["reason"], "StartError");
    assert_eq!(status["state"]["waiting"]["message"], "no such file");
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_cannot_be_made_waits() {
    let edges = ScriptedEdges::default().bad_config(
        "app",
        StartFailure::new("CreateContainerConfigError", "configmap \"settings\" not found"),
    );
    let life = Life::with(Script::default(), ScriptedImages::default(), edges);
    life.create(json!({"containers": [{"name": "app"}]}));
    life.pass(14).await;
    assert_eq!(life.states("app"), [CREATING, "waiting:CreateContainerConfigError"]);
    assert_eq!(life.phases(), ["Pending"]);
    assert_eq!(life.condition("PodReadyToStartContainers"), ["False", "True"]);
    assert!(
        life.events()
            .contains(&"Failed spec.containers{app}: Error: configmap \"settings\" not found".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_pulled_is_backed_off() {
    let life = Life::with(
        Script::default(),
        ScriptedImages::without(&["nowhere:1"]),
        ScriptedEdges::default(),
    );
    life.create(json!({"containers": [{"name": "app", "image": "nowhere:1"}]}));
    life.pass(31).await;
    assert_eq!(
        life.timed_states("app"),
        [
            (0, CREATING.to_owned()),
            (0, "waiting:ErrImagePull".into()),
            (10, "waiting:ImagePullBackOff".into()),
            (20, "waiting:ErrImagePull".into()),
            (30, "waiting:ImagePullBackOff".into()),
        ]
    );
    let message = &life.last()["status"]["containerStatuses"][0]["state"]["waiting"]["message"];
    assert_eq!(
        message,
        "Back-off pulling image \"nowhere:1\": ErrImagePull: nowhere:1: not found"
    );
    let events = life.events();
    for expected in [
        "Pulling spec.containers{app}: Pulling image \"nowhere:1\"",
        "Failed spec.containers{app}: Failed to pull image \"nowhere:1\": nowhere:1: not found",
        "Failed spec.containers{app}: Error: ErrImagePull",
        "BackOff spec.containers{app}: Back-off pulling image \"nowhere:1\"",
        "Failed spec.containers{app}: Error: ImagePullBackOff",
    ] {
        assert!(events.contains(&expected.to_owned()), "{expected} in {events:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_must_not_be_pulled_is_missing() {
    let life = Life::with(
        Script::default(),
        ScriptedImages::without(&["nowhere:1"]),
        ScriptedEdges::default(),
    );
    life.create(json!({"containers": [{"name": "app", "image": "nowhere:1", "imagePullPolicy": "Never"}]}));
    life.pass(12).await;
    assert_eq!(life.states("app"), [CREATING, "waiting:ErrImageNeverPull"]);
    let events = life.events();
    assert_eq!(
        events[1],
        "ErrImageNeverPull spec.containers{app}: Container image \"nowhere:1\" is not present with pull policy of Never"
    );
    assert_eq!(events[2], "Failed spec.containers{app}: Error: ErrImageNeverPull");
}

#[tokio::test(start_paused = true)]
async fn a_failed_post_start_hook_kills_the_container() {
    let script = Script::default().with("app", [Play::stubborn()]);
    let edges = ScriptedEdges::default().hook("greet", 0, Err("it said no".into()));
    let life = Life::with(script, ScriptedImages::default(), edges);
    life.create(
        json!({"terminationGracePeriodSeconds": 1, "containers": [{"name": "app",
        "lifecycle": {"postStart": {"exec": {"command": ["greet"]}}}}]}),
    );
    life.pass(28).await;
    assert_eq!(
        life.states("app"),
        [
            CREATING,
            "waiting:PostStartHookError",
            "waiting:CrashLoopBackOff",
            "waiting:PostStartHookError",
            "waiting:CrashLoopBackOff",
        ]
    );
    assert_eq!(life.flag("app", "restartCount"), ["0", "1", "2"]);
    assert_eq!(life.flag("app", "started"), ["false"]);
    let events = life.events();
    assert!(events.contains(&"FailedPostStartHook spec.containers{app}: PostStartHook failed".to_owned()));
    assert!(events.contains(&"Killing spec.containers{app}: FailedPostStartHook".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_pre_stop_hook_spends_the_grace_period() {
    let script = Script::default().with("app", [Play::stubborn()]);
    let edges = ScriptedEdges::default().hook("bye", 3, Ok(()));
    let life = Life::with(script, ScriptedImages::default(), edges);
    life.create(json!({"containers": [{"name": "app", "lifecycle": {"preStop": {"exec": {"command": ["bye"]}}}}]}));
    life.pass(4).await;
    life.delete(10);
    life.pass(15).await;
    let ended = life
        .timed_states("app")
        .into_iter()
        .find(|(_, state)| state == "terminated:Error(137)")
        .unwrap();
    assert_eq!(ended.0, 14);
}

#[tokio::test(start_paused = true)]
async fn readiness_follows_its_probe() {
    let fails = || Outcome::Failure("no".into());
    let edges = ScriptedEdges::default().probe("ready", [(0, fails()), (6, Outcome::Success), (12, fails())]);
    let life = Life::with(Script::default(), ScriptedImages::default(), edges);
    life.create(json!({"containers": [{"name": "app", "readinessProbe":
        {"exec": {"command": ["ready"]}, "periodSeconds": 1, "failureThreshold": 1}}]}));
    life.pass(20).await;
    assert_eq!(life.flag("app", "ready"), ["false", "true", "false"]);
    assert_eq!(life.flag("app", "started"), ["false", "true"]);
    assert!(
        life.events()
            .contains(&"Unhealthy spec.containers{app}: Readiness probe failed: no".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_liveness_probe_restarts_the_container_within_one_sync() {
    let edges = ScriptedEdges::default().probe(
        "alive",
        [
            (0, Outcome::Success),
            (6, Outcome::Failure("gone".into())),
            (9, Outcome::Success),
        ],
    );
    let life = Life::with(Script::default(), ScriptedImages::default(), edges);
    life.create(json!({"containers": [{"name": "app", "livenessProbe":
        {"exec": {"command": ["alive"]}, "periodSeconds": 2, "failureThreshold": 2}}]}));
    life.pass(15).await;
    assert_eq!(life.states("app"), [CREATING, "running"]);
    assert_eq!(life.flag("app", "restartCount"), ["0", "1"]);
    assert_eq!(life.flag("app", "ready"), ["false", "true"]);
    let message = "Killing spec.containers{app}: Container app failed liveness probe, will be restarted";
    assert!(life.events().contains(&message.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_startup_probe_holds_back_the_others() {
    let edges = ScriptedEdges::default()
        .probe("up", [(0, Outcome::Failure("not yet".into())), (5, Outcome::Success)])
        .probe(
            "alive",
            [(0, Outcome::Failure("never asked".into())), (5, Outcome::Success)],
        );
    let life = Life::with(Script::default(), ScriptedImages::default(), edges);
    let probe =
        |name, threshold| json!({"exec": {"command": [name]}, "periodSeconds": 1, "failureThreshold": threshold});
    life.create(
        json!({"containers": [{"name": "app", "startupProbe": probe("up", 20), "livenessProbe": probe("alive", 1),
        "readinessProbe": probe("true", 1)}]}),
    );
    life.pass(10).await;
    assert_eq!(life.states("app"), [CREATING, "running"]);
    assert_eq!(life.flag("app", "started"), ["false", "true"]);
    assert_eq!(life.flag("app", "ready"), ["false", "true"]);
    assert_eq!(life.flag("app", "restartCount"), ["0"]);
}

#[tokio::test(start_paused = true)]
async fn containers_that_end_at_once_are_seen_ended_and_the_last_is_seen_running() {
    let script = Script::default()
        .with("file", [fails(0, 1)])
        .with("logs", [fails(0, 2)])
        .with("clean", [fails(0, 0)]);
    let spec = json!({"restartPolicy": "Never", "containers": [{"name": "file"}, {"name": "logs"}, {"name": "clean"}]});
    let life = Life::run(script, spec, 5).await;
    assert_eq!(life.states("file"), [CREATING, "terminated:Error(1)"]);
    assert_eq!(life.states("logs"), [CREATING, "terminated:Error(2)"]);
    assert_eq!(life.states("clean"), [CREATING, "running", "terminated:Completed(0)"]);
    assert_eq!(life.phases(), ["Pending", "Running", "Failed"]);
    let last = life.last();
    let names: Vec<&str> = last["status"]["containerStatuses"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|status| status["name"].as_str())
        .collect();
    assert_eq!(names, ["clean", "file", "logs"]);
}

#[tokio::test(start_paused = true)]
async fn a_readiness_gate_waits_for_its_condition() {
    let life = Life::run(
        Script::default(),
        json!({"readinessGates": [{"conditionType": "example.com/balanced"}], "containers": [{"name": "app"}]}),
        5,
    )
    .await;
    assert_eq!(
        life.condition("Ready"),
        ["False/ContainersNotReady", "False/ReadinessGatesNotReady"]
    );
    life.store
        .modify(&Life::key(), |pod| {
            let conditions = pod["status"]["conditions"].as_array_mut().unwrap();
            conditions.push(json!({"type": "example.com/balanced", "status": "True"}));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    life.pass(1).await;
    assert_eq!(life.condition("Ready").last().unwrap(), "True");
    assert_eq!(life.condition("example.com/balanced"), ["True"]);
}

#[tokio::test(start_paused = true)]
async fn a_gated_pod_runs_once_its_gate_is_gone() {
    let life = Life::new(Script::default());
    life.create(json!({"schedulingGates": [{"name": "g"}], "containers": [{"name": "app"}]}));
    life.pass(4).await;
    assert_eq!(life.condition("PodScheduled"), ["False/SchedulingGated"]);
    life.store
        .modify(&Life::key(), |pod| {
            pod["spec"].as_object_mut().unwrap().remove("schedulingGates");
            Ok::<_, StoreError>(())
        })
        .unwrap();
    life.pass(1).await;
    assert_eq!(life.condition("PodScheduled"), ["False/SchedulingGated", "True"]);
    assert_eq!(life.phases(), ["Pending", "Running"]);
}

#[tokio::test(start_paused = true)]
async fn another_image_restarts_the_container() {
    let life = Life::run(Script::default(), json!({"containers": [{"name": "app"}]}), 3).await;
    life.store
        .modify(&Life::key(), |pod| {
            pod["spec"]["containers"][0]["image"] = json!("busybox:2");
            pod["metadata"]["generation"] = json!(2);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    life.pass(3).await;
    assert_eq!(life.flag("app", "restartCount"), ["0", "1"]);
    assert_eq!(life.last()["status"]["containerStatuses"][0]["image"], "busybox:2");
    assert_eq!(life.last()["status"]["observedGeneration"], 2);
    let message = "Killing spec.containers{app}: Container app definition changed, will be restarted";
    assert!(life.events().contains(&message.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn rules_restart_for_the_exit_codes_that_they_name() {
    let script = Script::default().with("app", [fails(1, 42), fails(1, 1)]);
    let life = Life::run(
        script,
        json!({"restartPolicy": "Never", "containers": [{"name": "app", "restartPolicy": "Never",
            "restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]}]}),
        20,
    )
    .await;
    assert_eq!(life.flag("app", "restartCount"), ["0", "1"]);
    assert_eq!(life.phases(), ["Pending", "Running", "Failed"]);
}

#[tokio::test(start_paused = true)]
async fn an_ephemeral_container_is_started_and_never_again() {
    let script = Script::default().with("debug", [fails(1, 3)]);
    let life = Life::run(script, json!({"containers": [{"name": "app"}]}), 3).await;
    life.store
        .modify(&Life::key(), |pod| {
            pod["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": "busybox:1"}]);
            pod["metadata"]["generation"] = json!(2);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    life.pass(10).await;
    assert_eq!(life.states("debug"), [CREATING, "running", "terminated:Error(3)"]);
    assert_eq!(life.phases(), ["Pending", "Running"]);
}

#[tokio::test(start_paused = true)]
async fn volumes_that_cannot_be_set_up_hold_the_pod_back() {
    let failure = || VolumeFailure {
        volume: "cfg".into(),
        message: "configmap \"x\" not found".into(),
    };
    let edges = ScriptedEdges::default().volume_failures([failure(), failure()]);
    let life = Life::with(Script::default(), ScriptedImages::default(), edges);
    life.create(json!({"containers": [{"name": "app"}]}));
    life.pass(10).await;
    assert_eq!(life.phases(), ["Pending", "Running"]);
    let message = "FailedMount : MountVolume.SetUp failed for volume \"cfg\" : configmap \"x\" not found";
    assert!(life.events().contains(&message.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_restarted_kubelet_goes_on_where_it_was() {
    let script = Script::default().with("app", [fails(0, 1)]);
    let mut life = Life::run(script, json!({"containers": [{"name": "app"}, {"name": "other"}]}), 15).await;
    let others = life.runtime.instances("other").len();
    life.tasks.remove(0).abort();
    let now = Timestamp::from_second(1_800_000_000 + 15).unwrap();
    life.start_kubelet(
        Clock::scripted(now),
        ScriptedImages::default(),
        ScriptedEdges::default(),
    );
    life.pass(60).await;
    assert_eq!(life.runtime.instances("other").len(), others);
    let counts = life.flag("app", "restartCount");
    assert_eq!(counts, ["0", "1", "2", "3", "4"]);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_the_runtime_has_lost_is_started_again() {
    let mut life = Life::run(Script::default(), json!({"containers": [{"name": "app"}]}), 3).await;
    let id = life.runtime.instances("app")[0].id.clone();
    life.runtime.lose(&id);
    life.pass(3).await;
    assert_eq!(life.states("app").last().unwrap(), "running");
    assert_eq!(life.flag("app", "restartCount"), ["0", "1"]);
    life.tasks.clear();
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_asks_for_more_than_the_node_has_is_refused_where_it_skips_the_scheduler() {
    let life = Life::new(Script::default());
    life.create(
        json!({"nodeName": "emulator", "containers": [{"name": "app", "resources": {"requests": {"cpu": "5"}}}]}),
    );
    life.pass(1).await;
    assert_eq!(life.phases(), ["Pending", "Failed/OutOfcpu"]);
    assert_eq!(
        life.last()["status"]["message"],
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 5000, used: 0, capacity: 4000"
    );
}

#[tokio::test(start_paused = true)]
async fn an_idle_pod_is_left_alone() {
    let life = Life::run(Script::default(), json!({"containers": [{"name": "app"}]}), 5).await;
    let version = life.store.version();
    life.pass(3600).await;
    assert_eq!(life.store.version(), version);
}

#[tokio::test(start_paused = true)]
async fn limits_change_in_place_unless_their_policy_is_a_restart() {
    for (policy, restarts, events) in [("NotRequired", vec!["0"], 0), ("RestartContainer", vec!["0", "1"], 1)] {
        let spec = json!({"containers": [{"name": "app", "resources": {"requests": {"cpu": "1"}},
            "resizePolicy": [{"resourceName": "cpu", "restartPolicy": policy}]}]});
        let life = Life::run(Script::default(), spec, 3).await;
        life.store
            .modify(&Life::key(), |pod| {
                pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("2");
                pod["metadata"]["generation"] = json!(2);
                Ok::<_, StoreError>(())
            })
            .unwrap();
        life.pass(3).await;
        assert_eq!(life.flag("app", "restartCount"), restarts);
        let message = "Killing spec.containers{app}: Container app resize requires restart, will be restarted";
        assert_eq!(life.events().iter().filter(|event| *event == message).count(), events);
        assert_eq!(
            life.last()["status"]["containerStatuses"][0]["allocatedResources"]["cpu"],
            "2"
        );
    }
}
