//! How long each stage of a pod's start took: schedule, volumes, sandbox, pulls, init containers, start, ready.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::age;
use super::condition::Condition;
use super::container::Role;
use super::event::Event;
use super::history::History;
use super::runs;
use super::timeline::Source;

/// A stretch of time with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// `schedule`, `volumes`, `sandbox`, `pull NAME`, `init NAME`, `start`, `ready`.
    pub name: String,
    /// Its begin.
    pub from: Timestamp,
    /// Its end; it still goes on where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// How its length is known.
    pub source: Source,
    /// Its length, where it was measured apart from its begin and end.
    #[serde(skip)]
    measured: Option<SignedDuration>,
}

impl Stage {
    /// How long it took; nothing while it goes on.
    pub fn length(&self) -> Option<SignedDuration> {
        let to = self.to?;
        let lasted = if is_fine(self.from) && is_fine(to) {
            to.duration_since(self.from)
        } else {
            SignedDuration::from_secs(to.as_second() - self.from.as_second())
        };
        // A whole second may lie before the finer time that caused it.
        Some(self.measured.unwrap_or(lasted.max(SignedDuration::ZERO)))
    }

    /// How long it took, or takes by now. Times in whole seconds allow no finer answer than that.
    pub fn words(&self, now: Timestamp) -> String {
        if let Some(measured) = self.measured {
            return age::precise(measured);
        }
        let to = self.to.unwrap_or(now);
        let lasted = to.duration_since(self.from);
        if is_fine(self.from) && is_fine(to) {
            age::precise(lasted)
        } else if lasted < SignedDuration::from_secs(1) {
            "<1s".to_owned()
        } else {
            age::between(self.from, to)
        }
    }
}

/// Whether a time is known better than to the second.
fn is_fine(time: Timestamp) -> bool {
    time.subsec_nanosecond() != 0
}

/// The stages that have begun, in order.
pub fn of(history: &History) -> Vec<Stage> {
    let mut stages = Vec::new();
    let since = |kind: &str| true_since(history, kind);
    let scheduled = history
        .events
        .iter()
        .find(|event| event.reason == "Scheduled")
        .and_then(|event| event.first)
        .or_else(|| since("PodScheduled"));
    push(&mut stages, "schedule", history.facts.created(), scheduled);
    let mounted = volumes(history, scheduled, &mut stages);
    let first_start = history.runs.iter().filter_map(|run| run.started).min();
    let sandbox = seen_at(history, "sandbox")
        .or_else(|| since("PodReadyToStartContainers"))
        .or_else(|| since("PodHasNetwork"));
    // A pod that is over has lost its sandbox; its first container is the trace that it leaves.
    let sandbox_or_trace = sandbox.or(first_start);
    if mounted.is_some() && (!history.facts.is_over() || sandbox_or_trace.is_some()) {
        push(&mut stages, "sandbox", mounted, sandbox_or_trace);
        if sandbox.is_none()
            && let Some(stage) = stages.last_mut()
        {
            stage.source = Source::Inferred;
        }
    }
    stages.extend(pulls(&history.events));
    let init_end = inits(history, &mut stages);
    let started = runs::all_started(&history.facts, &history.runs);
    let before = init_end.or(sandbox_or_trace.filter(|_| history.facts.with_role(Role::Init).next().is_none()));
    if started.is_some() || (init_end.is_some() && !history.facts.is_over()) || before.is_some() {
        push(&mut stages, "start", before, started);
    }
    ready(history, started, &mut stages);
    close(history, &mut stages);
    if history.is_simulated {
        stages.iter_mut().for_each(|stage| stage.source = Source::Simulated);
    }
    stages
}

fn push(stages: &mut Vec<Stage>, name: &str, from: Option<Timestamp>, to: Option<Timestamp>) {
    if let Some(from) = from {
        stages.push(Stage {
            name: name.to_owned(),
            from,
            to,
            source: Source::Recorded,
            measured: None,
        });
    }
}

fn true_since(history: &History, kind: &str) -> Option<Timestamp> {
    let condition = history.facts.condition(kind).filter(|condition| condition.is_true());
    condition.and_then(|condition: &Condition| condition.since)
}

/// When an entry of the timeline was seen, in a life that was watched.
fn seen_at(history: &History, key: &str) -> Option<Timestamp> {
    let entry = history.entries.iter().find(|entry| entry.key == key)?;
    entry.seen.and(entry.moment())
}

/// Nothing records when volumes are mounted; what goes wrong with them, or attaches them, does. Returns when the sandbox's
/// turn comes.
fn volumes(history: &History, scheduled: Option<Timestamp>, stages: &mut Vec<Stage>) -> Option<Timestamp> {
    let told = |event: &&Event| {
        matches!(
            event.reason.as_str(),
            "FailedMount" | "FailedAttachVolume" | "FailedMapVolume" | "SuccessfulAttachVolume"
        )
    };
    let last = history.events.iter().filter(told).filter_map(|event| event.last).max();
    let (Some(scheduled), Some(last)) = (scheduled, last) else {
        return scheduled;
    };
    let has_started = history.runs.iter().any(|run| run.started.is_some())
        || true_since(history, "PodReadyToStartContainers").is_some();
    push(
        stages,
        "volumes",
        Some(scheduled),
        has_started.then_some(last.max(scheduled)),
    );
    if let Some(stage) = stages.last_mut() {
        stage.source = Source::Inferred;
    }
    has_started.then_some(last.max(scheduled))
}

fn pulls(events: &[Event]) -> Vec<Stage> {
    let mut stages = Vec::new();
    for event in events.iter().filter(|event| event.reason == "Pulling") {
        let pulled = events
            .iter()
            .find(|other| other.reason == "Pulled" && other.field_path == event.field_path);
        let name = format!("pull {}", event.container().unwrap_or_default());
        push(&mut stages, &name, event.first, pulled.and_then(|event| event.first));
        if let (Some(stage), Some(pulled)) = (stages.last_mut(), pulled) {
            stage.measured = pull_time(&pulled.message);
        }
    }
    stages
}

/// `Successfully pulled image "…" in 1.2s (3.4s including waiting)`: the whole time, the wait for other pulls included.
fn pull_time(message: &str) -> Option<SignedDuration> {
    let (before, _) = message.split_once(" including waiting)")?;
    let (_, words) = before.rsplit_once('(')?;
    SignedDuration::try_from(crate::cli::duration::parse(words).ok()?).ok()
}

/// One stage for each init container, from its first start to its good end; returns when all were through.
fn inits(history: &History, stages: &mut Vec<Stage>) -> Option<Timestamp> {
    let mut ends = Vec::new();
    for container in history.facts.with_role(Role::Init) {
        let mut of_container = history.runs.iter().filter(|run| run.container == container.name);
        let Some(first) = of_container.clone().next() else {
            ends.push(None);
            continue;
        };
        let good = of_container.rfind(|run| run.exit_code == Some(0));
        let end = good.and_then(|run| run.finished);
        ends.push(end);
        push(stages, &format!("init {}", container.name), first.started, end);
        if first.number > 0
            && let Some(stage) = stages.last_mut()
        {
            stage.source = Source::Inferred;
        }
    }
    ends.into_iter().collect::<Option<Vec<_>>>()?.into_iter().max()
}

fn ready(history: &History, started: Option<Timestamp>, stages: &mut Vec<Stage>) {
    let waits = history
        .facts
        .with_role(Role::Regular)
        .any(|container| container.spec.readiness_probe.is_some() || container.spec.startup_probe.is_some())
        || history.facts.spec().is_some_and(|spec| spec.readiness_gates.is_some());
    match history.first_ready() {
        Some((at, source)) => {
            push(stages, "ready", started, Some(at));
            if let (Some(stage), true) = (stages.last_mut(), started.is_some()) {
                stage.source = source;
            }
        }
        None if waits && !history.facts.is_over() && history.ready.is_empty() => {
            push(stages, "ready", started, None);
        }
        None => {}
    }
}

/// A stage whose end nobody recorded is over all the same once a later one is, or the pod is Ready, or over.
fn close(history: &History, stages: &mut Vec<Stage>) {
    let last_end = stages.iter().rposition(|stage| stage.to.is_some());
    let is_past = !history.ready.is_empty() || history.facts.is_over() || history.gone.is_some();
    let mut number = 0;
    stages.retain(|stage| {
        number += 1;
        stage.to.is_some() || (!is_past && last_end.is_none_or(|last| number > last + 1))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::saved;

    fn stages(name: &str) -> Vec<(String, Option<i64>)> {
        of(&saved::history(name))
            .into_iter()
            .map(|stage| (stage.name.clone(), stage.length().map(|length| length.as_secs())))
            .collect()
    }

    #[test]
    fn each_init_container_is_a_stage() {
        let stages = stages("seed-init");
        let names: Vec<&str> = stages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "schedule",
                "sandbox",
                "init init-myservice",
                "init init-mydb",
                "start",
                "ready"
            ]
        );
        assert_eq!(stages[3].1, Some(2));
    }

    #[test]
    fn a_startup_probe_holds_the_pod_back_from_ready() {
        assert_eq!(stages("startup-gates").last(), Some(&("ready".to_owned(), Some(6))));
    }

    #[test]
    fn a_gated_pod_is_still_being_scheduled() {
        assert_eq!(stages("gated"), [("schedule".to_owned(), None)]);
    }

    #[test]
    fn a_pull_took_what_its_message_says() {
        let message = "Successfully pulled image \"busybox:1\" in 1.25s (2.5s including waiting). Image size: 1 bytes.";
        assert_eq!(pull_time(message), Some(SignedDuration::from_millis(2_500)));
        assert_eq!(pull_time("Successfully pulled image"), None);
    }
}
