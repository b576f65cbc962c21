//! From a manifest and what is assumed to a scenario, with every assumption in words.

use std::collections::BTreeMap;
use std::time::Duration;

use emulator::simulation::{Behaviour, Deed, Run, Scenario, Termination};
use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::assume::{Assumption, Clause};
use super::command::{self, Said};
use super::{heedless, targets};
use crate::cli::usage::UsageError;
use crate::pod::age;

/// The moment at which every simulated pod is created.
pub const START: Timestamp = Timestamp::constant(946_684_800, 0);

/// How long an init container runs of which nothing is known.
const INIT: Duration = Duration::from_secs(1);

/// A scenario, and what it takes for granted.
pub struct Plan {
    /// What is simulated.
    pub scenario: Scenario,
    /// Every assumption, a sentence each.
    pub assumed: Vec<String>,
    /// What is assumed and nothing in the manifest heeds, a sentence each.
    pub heedless: Vec<String>,
}

/// Makes the plan.
///
/// # Errors
/// An assumption about a container that the pod does not have.
pub fn plan(
    pod: &Pod,
    companions: Vec<Value>,
    assumptions: &[Assumption],
    horizon: Duration,
) -> Result<Plan, UsageError> {
    let is_deleted = assumptions
        .iter()
        .flat_map(|assumption| &assumption.clauses)
        .any(|clause| matches!(clause, Clause::Delete { .. }));
    let mut assumed = Vec::new();
    let mut containers = BTreeMap::new();
    for (container, is_init) in all(pod) {
        let (behaviour, words) = of_manifest(pod, container, is_init, is_deleted);
        let own: Vec<&Assumption> = assumptions
            .iter()
            .filter(|assumption| assumption.target == container.name || assumption.target == "*")
            .collect();
        assumed.push(match own.as_slice() {
            [] => format!("{}: {words}", container.name),
            own => {
                let texts: Vec<&str> = own.iter().map(|assumption| after_colon(&assumption.text)).collect();
                format!("{}: {words}; but --assume says: {}", container.name, texts.join(", "))
            }
        });
        let behaviour = own
            .iter()
            .fold(behaviour, |behaviour, assumption| with(behaviour, &assumption.clauses));
        containers.insert(container.name.clone(), behaviour);
    }
    let (mut deeds, mut room) = (Vec::new(), BTreeMap::new());
    for assumption in assumptions {
        match assumption.target.as_str() {
            "*" => {}
            "node" | "pod" => {
                let is_room = |clause: &Clause| matches!(clause, Clause::Room { .. });
                let about = if assumption.clauses.iter().all(is_room) {
                    "node"
                } else {
                    "pod"
                };
                assumed.push(format!("the {about}: {}", after_colon(&assumption.text)));
                for clause in &assumption.clauses {
                    targets::awaited(pod, clause, &assumption.text)?;
                    deeds.extend(deed(clause));
                    if let Clause::Room { resource, quantity } = clause {
                        room.insert(resource.clone(), quantity.clone());
                    }
                }
            }
            name if containers.contains_key(name) => {}
            name => return Err(targets::unknown(name, &assumption.text, containers.keys())),
        }
    }
    let otherwise = if room.is_empty() { "" } else { " otherwise" };
    assumed.push(format!(
        "a node fits it and has room{otherwise}, ConfigMaps and Secrets are those of the file, all else that the pod names is \
         there; volumes and sandbox take no time, and images are on the node unless a pull is assumed"
    ));
    let scenario = Scenario {
        pod: as_object(pod),
        companions,
        containers,
        deeds,
        room,
        start: START,
        horizon,
    };
    let heedless = all(pod).flat_map(|(container, _)| {
        let own = assumptions
            .iter()
            .filter(|one| one.target == container.name || one.target == "*");
        heedless::of(container, own.flat_map(|one| &one.clauses))
    });
    let heedless = heedless.collect();
    Ok(Plan {
        scenario,
        assumed,
        heedless,
    })
}

fn after_colon(text: &str) -> &str {
    text.split_once(':').map_or(text, |(_, rest)| rest.trim())
}

fn all(pod: &Pod) -> impl Iterator<Item = (&Container, bool)> {
    let spec = pod.spec.as_ref();
    let init = spec.into_iter().flat_map(|spec| spec.init_containers.iter().flatten());
    let regular = spec.into_iter().flat_map(|spec| &spec.containers);
    init.map(|container| (container, container.restart_policy.as_deref() != Some("Always")))
        .chain(regular.map(|container| (container, false)))
}

fn as_object(pod: &Pod) -> Value {
    let mut object = serde_json::to_value(pod).unwrap_or_default();
    // A saved pod is lived anew, on whatever node.
    if let Some(members) = object.as_object_mut() {
        members.remove("status");
    }
    if pod.metadata.uid.is_some()
        && let Some(spec) = object["spec"].as_object_mut()
    {
        spec.remove("nodeName");
    }
    object
}

/// What the manifest itself says of a container.
fn of_manifest(pod: &Pod, container: &Container, is_init: bool, is_deleted: bool) -> (Behaviour, String) {
    let mut run = Run::default();
    let mut words;
    match command::of_container(container) {
        Some(said) => words = as_said(pod, container, said, &mut run, is_deleted),
        None if is_init => {
            run.lasts = Some(INIT);
            words = "ends well after 1s (nothing is known of its program)".to_owned();
        }
        None => words = "runs until it is stopped, and stops at once (nothing is known of its program)".to_owned(),
    }
    let hooks = container.lifecycle.as_ref();
    let pre_stop = hooks.and_then(|hooks| hooks.pre_stop.as_ref());
    let mut behaviour = Behaviour {
        pre_stop: pre_stop.and_then(command::of_hook).unwrap_or_default(),
        ..Behaviour::default()
    };
    if pre_stop.is_some_and(|hook| hook.sleep.is_none()) {
        words = format!("{words}; its preStop hook takes {}", human(behaviour.pre_stop));
    }
    behaviour.runs = vec![run];
    (behaviour, words)
}

/// A shell or a sleep that is process 1 of its namespace ignores the stop signal: it has no handler for it.
fn as_said(pod: &Pod, container: &Container, said: Said, run: &mut Run, is_deleted: bool) -> String {
    run.lasts = said.lasts;
    run.ends = Termination::exit(said.code);
    let spec = pod.spec.as_ref();
    let is_shared = spec.is_some_and(|spec| spec.share_process_namespace == Some(true) || spec.host_pid == Some(true));
    let has_signal = container
        .lifecycle
        .as_ref()
        .is_some_and(|hooks| hooks.stop_signal.is_some());
    let lives = match said.lasts {
        None => "runs for ever".to_owned(),
        Some(lasts) => format!("runs {}, and exits with {}", human(lasts), said.code),
    };
    if is_shared {
        run.stops = Termination::signal(15);
        format!("{lives} (its command says so)")
    } else if has_signal {
        format!("{lives} (its command says so), and obeys its stop signal")
    } else {
        run.stops_after = None;
        // Of interest only where it is asked to stop.
        let ignores = match is_deleted {
            true => "; as process 1 without a handler it ignores SIGTERM",
            false => "",
        };
        format!("{lives} (its command says so){ignores}")
    }
}

fn human(duration: Duration) -> String {
    age::elapsed(SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX))
}

/// What is assumed goes before what the manifest says.
fn with(mut behaviour: Behaviour, clauses: &[Clause]) -> Behaviour {
    let mut runs = behaviour.runs.clone();
    let mut run = runs.pop().unwrap_or_default();
    let mut has_length = false;
    let close = |mut run: Run, ends: bool, has_length: bool| {
        // Who says how it ends, and not when, means: as soon as it is up.
        if ends && !has_length && run.lasts.is_none() {
            run.lasts = Some(run.starts_after);
        }
        run
    };
    let mut ends = false;
    for clause in clauses {
        match clause {
            Clause::Start(length) => run.starts_after = *length,
            Clause::Ready(length) => run.ready_after = *length,
            Clause::Run(lasts) => (run.lasts, has_length) = (*lasts, true),
            Clause::Exit(code) => (run.ends, ends) = (Termination::exit(*code), true),
            Clause::OutOfMemory => (run.ends, ends) = (Termination::oom(), true),
            Clause::Hang(length) => run.hangs_after = Some(*length),
            Clause::Stop(after) => run.stops_after = *after,
            Clause::PreStop(length) => behaviour.pre_stop = *length,
            Clause::PostStart(length) => behaviour.post_start = *length,
            Clause::PostStartFails => behaviour.post_start_fails = true,
            Clause::Pull(length) => behaviour.pull = Some(*length),
            Clause::PullFails => behaviour.pull_fails = true,
            Clause::FailsToStart => run.fails_to_start = Some("assumed: it fails to start".to_owned()),
            Clause::Then => {
                runs.push(close(std::mem::take(&mut run), ends, has_length));
                (ends, has_length) = (false, false);
            }
            Clause::Delete { .. } | Clause::Condition { .. } | Clause::Gate { .. } | Clause::Room { .. } => {}
        }
    }
    runs.push(close(run, ends, has_length));
    behaviour.runs = runs;
    behaviour
}

fn deed(clause: &Clause) -> Option<(Duration, Deed)> {
    Some(match clause {
        Clause::Delete { at, grace } => {
            let grace = grace.map(|grace| i64::try_from(grace.as_secs()).unwrap_or(i64::MAX));
            (*at, Deed::Delete { grace })
        }
        Clause::Condition { kind, at } => {
            let kind = kind.clone();
            (*at, Deed::Condition { kind, status: true })
        }
        Clause::Gate { name, at } => (*at, Deed::OpenGate { name: name.clone() }),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn planned(assumptions: &[&str]) -> Result<Plan, UsageError> {
        let pod: Pod = serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": {
            "initContainers": [{"name": "setup", "image": "i", "command": ["sh", "-c", "sleep 2; echo done"]}],
            "containers": [{"name": "app", "image": "i"}],
        }}))
        .unwrap();
        let assumptions: Vec<Assumption> = assumptions
            .iter()
            .map(|text| Assumption::parse(text).unwrap())
            .collect();
        plan(&pod, Vec::new(), &assumptions, Duration::from_secs(60))
    }

    #[test]
    fn a_plain_command_needs_no_assumption() {
        let plan = planned(&[]).unwrap();
        assert_eq!(
            plan.scenario.containers["setup"].runs[0].lasts,
            Some(Duration::from_secs(2))
        );
        assert!(
            plan.assumed[0].contains("runs 2s, and exits with 0 (its command says so)"),
            "{:?}",
            plan.assumed
        );
        assert!(
            plan.assumed[1].contains("nothing is known of its program"),
            "{:?}",
            plan.assumed
        );
    }

    #[test]
    fn runs_follow_one_another() {
        let plan = planned(&["app: start 5s, exit 1, then, run forever"]).unwrap();
        let runs = &plan.scenario.containers["app"].runs;
        assert_eq!(runs.len(), 2);
        assert_eq!((runs[0].lasts, runs[0].ends.code), (Some(Duration::from_secs(5)), 1));
        assert_eq!(runs[1], Run::default());
    }

    #[test]
    fn a_container_that_is_not_there_is_named() {
        let said = planned(&["ap: start 5s"]).err().unwrap().to_string();
        assert!(
            said.contains("the pod has no container \"ap\", did you mean \"app\"?"),
            "{said}"
        );
        let said = planned(&["database: start 5s"]).err().unwrap().to_string();
        assert!(said.contains("there are: app, setup"), "{said}");
    }

    #[test]
    fn a_gate_that_nobody_waits_for_is_named() {
        let said = planned(&["pod: gate example.com/quota opens at 3s"])
            .err()
            .unwrap()
            .to_string();
        assert!(
            said.ends_with("the pod has no scheduling gate \"example.com/quota\": it has none"),
            "{said}"
        );
        let said = planned(&["pod: condition Warm at 3s"]).err().unwrap().to_string();
        assert!(said.contains("the pod has no readiness gate \"Warm\""), "{said}");
    }

    #[test]
    fn a_node_has_what_is_said() {
        let plan = planned(&["node: cpu 2, memory 4Gi"]).unwrap();
        let room: Vec<_> = plan
            .scenario
            .room
            .iter()
            .map(|(name, amount)| format!("{name} {amount}"))
            .collect();
        assert_eq!(room, ["cpu 2", "memory 4Gi"]);
    }

    #[test]
    fn a_deletion_is_a_deed() {
        let plan = planned(&["node: delete at 10m grace 5s"]).unwrap();
        let expected = (Duration::from_secs(600), Deed::Delete { grace: Some(5) });
        assert_eq!(plan.scenario.deeds, [expected]);
    }
}
