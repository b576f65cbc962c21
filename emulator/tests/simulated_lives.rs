//! Whatever a container does, the life that is simulated is the one that the kubelet's decision functions ask for:
//! phases, restarts, the pauses between them, and the order of the start.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::{collections::BTreeMap, time::Duration};

use emulator::{
    kubelet::{backoff::Backoff, container_status::Statuses, phase::phase, pod::Pod, restart::restarts},
    simulation::{Behaviour, Deed, Run, Scenario, Termination, simulate},
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ContainerStatus;
use proptest::prelude::*;
use serde_json::{Value, json};

const HORIZON: u64 = 1800;

/// One run of a container that has ended.
#[derive(Clone, Debug, PartialEq)]
struct Ended {
    started: Timestamp,
    finished: Timestamp,
    code: i32,
}

/// What was seen of a life.
struct Life {
    /// All versions of the pod.
    versions: Vec<Value>,
    end: Timestamp,
}

impl Life {
    fn of(scenario: Scenario) -> Self {
        let mut versions = Vec::new();
        let ended = simulate(scenario, |moment| {
            if !moment.is_event && !moment.is_gone {
                versions.push(Value::clone(&moment.object));
            }
            false
        })
        .unwrap();
        Self {
            versions,
            end: ended.at,
        }
    }

    fn last(&self) -> Pod {
        Pod::read(self.versions.last().unwrap()).unwrap()
    }

    /// The runs of a container that have ended, in order, by their restart counts.
    fn ended(&self, name: &str) -> Vec<Ended> {
        let mut ended = BTreeMap::new();
        for version in &self.versions {
            let status = of_container(version, name);
            let count = status["restartCount"].as_i64().unwrap_or_default();
            if let Some(run) = run(&status["state"]["terminated"]) {
                ended.insert(count, run);
            }
        }
        ended.into_values().collect()
    }

    /// When each run of a container started, by its restart count.
    fn starts(&self, name: &str) -> BTreeMap<i64, Timestamp> {
        let mut starts = BTreeMap::new();
        for version in &self.versions {
            let status = of_container(version, name);
            let count = status["restartCount"].as_i64().unwrap_or_default();
            let state = &status["state"];
            for started in [&state["running"]["startedAt"], &state["terminated"]["startedAt"]] {
                if let Some(at) = started.as_str() {
                    starts.insert(count, at.parse().unwrap());
                }
            }
        }
        starts
    }
}

fn of_container<'a>(pod: &'a Value, name: &str) -> &'a Value {
    const NOTHING: Value = Value::Null;
    let lists = ["initContainerStatuses", "containerStatuses"];
    let statuses = lists
        .iter()
        .filter_map(|list| pod["status"][*list].as_array())
        .flatten();
    statuses
        .into_iter()
        .find(|status| status["name"] == name)
        .unwrap_or(&NOTHING)
}

fn run(terminated: &Value) -> Option<Ended> {
    Some(Ended {
        started: terminated["startedAt"].as_str()?.parse().ok()?,
        finished: terminated["finishedAt"].as_str()?.parse().ok()?,
        code: i32::try_from(terminated["exitCode"].as_i64()?).ok()?,
    })
}

fn behaviour(lasts_at_most: u64) -> impl Strategy<Value = Behaviour> {
    let one = (
        prop::option::weighted(0.85, 0..lasts_at_most),
        prop::sample::select(vec![0, 0, 1, 3, 137]),
    );
    prop::collection::vec(one, 1..4).prop_map(|runs| Behaviour {
        runs: runs
            .into_iter()
            .map(|(lasts, code)| Run {
                lasts: lasts.map(Duration::from_secs),
                ends: Termination::exit(code),
                ..Run::default()
            })
            .collect(),
        ..Behaviour::default()
    })
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let policy = prop::sample::select(vec!["Always", "OnFailure", "Never"]);
    let init = prop::collection::vec(behaviour(20), 0..3);
    let apps = prop::collection::vec(behaviour(200), 1..3);
    (policy, init, apps).prop_map(|(policy, init, apps)| {
        let named = |prefix: &str, count: usize| -> Vec<Value> {
            (0..count)
                .map(|number| json!({"name": format!("{prefix}{number}"), "image": "i:1"}))
                .collect()
        };
        let spec = json!({"restartPolicy": policy, "initContainers": named("init", init.len()),
            "containers": named("app", apps.len())});
        let names = |prefix: &'static str| (0..).map(move |number| format!("{prefix}{number}"));
        Scenario {
            pod: json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}),
            companions: Vec::new(),
            containers: names("init").zip(init).chain(names("app").zip(apps)).collect(),
            deeds: Vec::new(),
            room: BTreeMap::new(),
            start: Timestamp::from_second(1_800_000_000).unwrap(),
            horizon: Duration::from_secs(HORIZON),
        }
    })
}

/// The phase in every version is the one that follows from the statuses beside it; that it is over is told only once
/// nothing of the pod is left on its node.
fn check_phases(life: &Life) -> Result<(), TestCaseError> {
    let last = life.versions.len() - 1;
    for (number, version) in life.versions.iter().enumerate() {
        if !version["status"]["startTime"].is_string() {
            continue;
        }
        let pod = Pod::read(version).unwrap();
        let list = |statuses: &Option<Vec<ContainerStatus>>| statuses.clone().unwrap_or_default();
        let statuses = Statuses {
            init: list(&pod.status.init_container_statuses),
            regular: list(&pod.status.container_statuses),
            ephemeral: Vec::new(),
        };
        // Only sidecars ask whether the pod has begun, and there are none.
        let expected = [false, true].map(|ended| phase(&pod, &statuses, false, ended).as_str());
        let published = pod.status.phase.as_deref().unwrap_or_default();
        let is_ending = number < last && matches!(expected[1], "Succeeded" | "Failed");
        let goes_on = matches!(published, "Pending" | "Running");
        prop_assert!(
            expected.contains(&published) || (is_ending && goes_on),
            "{published} instead of {expected:?}: {version}"
        );
    }
    Ok(())
}

/// A run that ends is followed by another if the decision says so, and after the pause that the back-off asks for.
fn check_restarts(life: &Life, name: &str) -> Result<(), TestCaseError> {
    let pod = life.last();
    let declared = pod.container(name).unwrap().clone();
    let ended = life.ended(name);
    let starts = life.starts(name);
    let over =
        life.versions.last().unwrap()["status"]["phase"] != "Running" && pod.status.phase.as_deref() != Some("Pending");
    let mut backoff = Backoff::default();
    for (number, run) in ended.iter().enumerate() {
        let next = starts.get(&i64::try_from(number + 1).unwrap()).copied();
        if !restarts(&pod, &declared, run.code) {
            prop_assert_eq!(next, None, "{} runs again after exit code {}", name, run.code);
            continue;
        }
        let pause = backoff.remaining(name, run.finished, run.finished).unwrap_or_default();
        let Some(next) = next else {
            let left = life.end.duration_since(run.finished).as_secs();
            let pause = i64::try_from(pause.as_secs()).unwrap();
            prop_assert!(
                over || left <= pause + 2,
                "{name} is not started again {left}s after run {number}, pause {pause}s"
            );
            break;
        };
        let waited = next.duration_since(run.finished).as_secs();
        let pause = i64::try_from(pause.as_secs()).unwrap();
        prop_assert!(
            (waited - pause).abs() <= 1,
            "{name} waits {waited}s instead of {pause}s after run {number}"
        );
        backoff.bump(name, run.finished, next);
    }
    Ok(())
}

/// Init containers run one after the other, and the apps after the last.
fn check_order(life: &Life, init: usize, apps: usize) -> Result<(), TestCaseError> {
    let mut before: Option<Timestamp> = life.versions[0]["metadata"]["creationTimestamp"]
        .as_str()
        .and_then(|at| at.parse().ok());
    for number in 0..init {
        let name = format!("init{number}");
        let first = life.starts(&name).get(&0).copied();
        prop_assert!(
            first.is_none_or(|first| before.is_some_and(|before| first >= before)),
            "{name} is early"
        );
        let good = life.ended(&name).into_iter().find(|run| run.code == 0);
        before = good.map(|run| run.finished);
    }
    for number in 0..apps {
        let first = life.starts(&format!("app{number}")).get(&0).copied();
        prop_assert!(
            first.is_none_or(|first| before.is_some_and(|before| first >= before)),
            "app{number} is early"
        );
    }
    Ok(())
}

/// A pod that is deleted after a minute, with what its container does then, all in seconds.
fn deleted(grace: u64, hook: u64, stops_after: Option<u64>) -> Scenario {
    let lifecycle = match hook {
        0 => Value::Null,
        seconds => json!({"preStop": {"sleep": {"seconds": seconds}}}),
    };
    let mut container = json!({"name": "app", "image": "i:1"});
    if !lifecycle.is_null() {
        container["lifecycle"] = lifecycle;
    }
    // The API allows no hook that sleeps longer than the pod's own grace; a deletion may give less.
    let spec = json!({"terminationGracePeriodSeconds": 100, "containers": [container]});
    let run = Run {
        stops_after: stops_after.map(Duration::from_secs),
        stops: Termination::exit(0),
        ..Run::default()
    };
    let behaviour = Behaviour {
        runs: vec![run],
        ..Behaviour::default()
    };
    Scenario {
        pod: json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}),
        companions: Vec::new(),
        containers: BTreeMap::from([("app".to_owned(), behaviour)]),
        deeds: vec![(
            Duration::from_secs(60),
            Deed::Delete {
                grace: i64::try_from(grace).ok(),
            },
        )],
        room: BTreeMap::new(),
        start: Timestamp::from_second(1_800_000_000).unwrap(),
        horizon: Duration::from_secs(HORIZON),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Hook and stop signal share the grace; whatever is left of it, a container has two seconds for its stop signal.
    #[test]
    fn a_deletion_takes_hook_and_stop_and_no_more_than_the_grace(
        grace in 1..40_u64,
        hook in 0..50_u64,
        stops_after in prop::option::weighted(0.8, 0..50_u64),
    ) {
        let scenario = deleted(grace, hook, stops_after);
        let asked = scenario.start.as_second() + 60;
        let life = Life::of(scenario);
        let hooked = hook.min(grace);
        let left = (grace - hooked).max(2);
        let obeys = stops_after.filter(|after| *after < left);
        let expected = i64::try_from(hooked + obeys.unwrap_or(left)).unwrap();
        let ended = life.ended("app");
        prop_assert_eq!(ended.len(), 1);
        let took = ended[0].finished.as_second() - asked;
        prop_assert!((took - expected).abs() <= 1, "{took}s instead of {expected}s");
        prop_assert_eq!(ended[0].code, if obeys.is_some() { 0 } else { 137 });
    }

    #[test]
    fn a_simulated_life_is_the_one_that_the_decisions_ask_for(scenario in scenario()) {
        let names: Vec<String> = scenario.containers.keys().cloned().collect();
        let count = |prefix: &str| names.iter().filter(|name| name.starts_with(prefix)).count();
        let life = Life::of(scenario);
        check_phases(&life)?;
        for name in &names {
            check_restarts(&life, name)?;
        }
        check_order(&life, count("init"), count("app"))?;
    }
}
