//! The pod infra container: the API does not report it, so what can be known of it is said with how it is known.

use crate::findings::reading::Reading;
use crate::pod::container::State;
use crate::pod::event::Event;
use crate::pod::{Facts, age};
use crate::view::describe::container::title;
use crate::view::moment;
use crate::view::sheet::Sheet;
use crate::view::text::{Line, Tone};

/// The section about the sandbox and the container that holds it.
pub fn lines(reading: &Reading) -> Vec<Line> {
    let facts = &reading.facts;
    if facts.is_manifest() {
        return Vec::new();
    }
    let mut sheet = Sheet::new();
    let inferred = |words: String| Line::from(words).tone(Tone::Faint, "  (inferred)");
    let sandbox = facts
        .condition("PodReadyToStartContainers")
        .or_else(|| facts.condition("PodHasNetwork"));
    match sandbox {
        Some(condition) => {
            let line = match (condition.is_true(), condition.since) {
                (true, Some(since)) => Line::new()
                    .tone(Tone::Good, "ready since ")
                    .join(moment::with_age(since, facts.now)),
                (true, None) => Line::new().tone(Tone::Good, "ready"),
                (false, _) if facts.is_over() => Line::from("removed: the pod is over"),
                (false, _) => Line::new().tone(Tone::Warning, "not there"),
            };
            sheet.pair(
                2,
                "Sandbox",
                line.tone(Tone::Faint, format!("  (condition {})", condition.kind)),
            );
        }
        None if has_run(facts) => sheet.pair(
            2,
            "Sandbox",
            inferred("there: containers have run in it, or run".to_owned()),
        ),
        None => sheet.pair(2, "Sandbox", inferred("not there yet: nothing tells of it".to_owned())),
    }
    let recreated = reading
        .events
        .iter()
        .rev()
        .find(|event| event.reason == "SandboxChanged");
    if let Some(event) = recreated {
        sheet.pair(2, "Made Anew", made_anew(facts, event));
    }
    let spec = facts.spec();
    let uses_node = spec.is_some_and(|spec| spec.host_network == Some(true));
    let address = facts.status().and_then(|status| status.pod_ip.clone());
    sheet.pair(
        2,
        "Network",
        match (uses_node, address.filter(|address| !address.is_empty())) {
            (true, _) => "the node's own (hostNetwork): the infra container holds none".to_owned(),
            (false, Some(address)) if facts.is_over() => format!("was {address}"),
            (false, Some(address)) => format!("{address}, held by it for all containers"),
            (false, None) => "no address reported".to_owned(),
        },
    );
    let holds = match spec.and_then(|spec| spec.share_process_namespace) {
        Some(true) => "network, IPC, host name, and the processes: it is PID 1, and takes in orphans",
        _ => "network, IPC, host name; each container has its own processes",
    };
    sheet.pair(2, "Holds", inferred(holds.to_owned()));
    sheet.pair(
        2,
        "Image",
        Line::from("not reported by the API; the runtime on the node chooses it")
            .tone(Tone::Faint, "  (kubectl pod explain pause)"),
    );
    let mut lines = vec![title("Pod Infra Container:")];
    lines.extend(sheet.lines(14));
    lines
}

fn made_anew(facts: &Facts, event: &Event) -> String {
    let last = event
        .last
        .map(|last| format!(", {} ago", age::between(last.min(facts.now), facts.now)))
        .unwrap_or_default();
    let times = if event.count > 1 {
        format!("{} times", event.count)
    } else {
        "once".to_owned()
    };
    format!("{times}{last}: {}", event.message)
}

fn has_run(facts: &Facts) -> bool {
    facts
        .containers
        .iter()
        .any(|container| matches!(container.state, State::Running { .. } | State::Ended(_)) || container.last.is_some())
}
