//! What a container is doing, and how its previous instance ended.

use k8s_openapi::jiff::Timestamp;

use crate::pod::container::{Container, Ended, Role, State};
use crate::pod::{Facts, age};
use crate::view::moment;
use crate::view::sheet::Sheet;
use crate::view::text::{Line, Tone};

/// The rows about a container's state.
pub fn rows(facts: &Facts, container: &Container, sheet: &mut Sheet) {
    match &container.state {
        State::Unreported => {
            if !facts.is_manifest() {
                sheet.pair(4, "State", Line::new().tone(Tone::Faint, "not reported yet"));
            }
            return;
        }
        State::Waiting { reason, message } => {
            sheet.pair(4, "State", Line::new().tone(waiting_tone(reason), "Waiting"));
            if !reason.is_empty() {
                sheet.pair(6, "Reason", reason.as_str());
            }
            if !message.is_empty() {
                sheet.text(6, "Message", message);
            }
        }
        State::Running { since } => {
            sheet.pair(4, "State", Line::new().tone(Tone::Good, "Running"));
            sheet.maybe(6, "Started", since.map(|since| moment::with_age(since, facts.now)));
        }
        State::Ended(ended) => {
            sheet.pair(4, "State", Line::new().tone(ended_tone(container, ended), "Terminated"));
            ended_rows(facts, ended, sheet);
        }
    }
    if let Some(next) = &container.next_restart {
        let line = match next.at {
            Some(at) if at > facts.now => Line::from(format!(
                "in {}, after a back-off of {}",
                age::between(facts.now, at),
                age::human(next.delay)
            )),
            Some(_) => Line::from(format!("due: the back-off of {} is over", age::human(next.delay))),
            None => Line::from(format!("after a back-off of {}", age::human(next.delay))),
        };
        sheet.pair(6, "Next Start", line);
    }
    if let Some(last) = &container.last {
        sheet.pair(4, "Last State", "Terminated");
        ended_rows(facts, last, sheet);
    }
    let ready = container.is_ready();
    let startup = match container.is_started() {
        false if matches!(container.state, State::Running { .. }) && container.spec.startup_probe.is_some() => {
            "  (its startup probe has not succeeded yet)"
        }
        _ => "",
    };
    let tone = match (ready, container.role) {
        (true, _) => Tone::Good,
        (false, Role::Regular | Role::Sidecar) if !facts.is_over() => Tone::Warning,
        _ => Tone::Plain,
    };
    if container.role != Role::Ephemeral {
        let word = if ready { "True" } else { "False" };
        sheet.pair(4, "Ready", Line::new().tone(tone, word).plain(startup));
    }
    sheet.pair(4, "Restart Count", container.restarts().to_string());
}

fn ended_rows(facts: &Facts, ended: &Ended, sheet: &mut Sheet) {
    if !ended.reason.is_empty() {
        sheet.pair(6, "Reason", ended.reason.as_str());
    }
    if !ended.message.is_empty() {
        sheet.text(6, "Message", &ended.message);
    }
    let mut code = Line::from(ended.exit_code.to_string());
    if let Some(signal) = signal_of(ended) {
        code = code.tone(Tone::Faint, format!("  (128+{}: {signal})", ended.exit_code - 128));
    }
    sheet.pair(6, "Exit Code", code);
    sheet.maybe(6, "Signal", ended.signal.map(|signal| signal.to_string()));
    if ended.never_started {
        let reported = format!("  (reported as {})", moment::date(Timestamp::UNIX_EPOCH));
        sheet.pair(6, "Started", Line::from("never").tone(Tone::Faint, reported));
    }
    sheet.maybe(
        6,
        "Started",
        ended.started.map(|time| moment::with_age(time, facts.now)),
    );
    if let Some(finished) = ended.finished {
        let mut line = moment::with_age(finished, facts.now);
        if let Some(started) = ended.started {
            line = line.tone(Tone::Faint, format!(", after {}", age::between(started, finished)));
        }
        sheet.pair(6, "Finished", line);
    }
}

/// The name of the signal that an exit code stands for; none where the kubelet made the code up.
fn signal_of(ended: &Ended) -> Option<&'static str> {
    if ended.reason == "ContainerStatusUnknown" {
        return None;
    }
    Some(match ended.exit_code - 128 {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return None,
    })
}

fn waiting_tone(reason: &str) -> Tone {
    match reason {
        "" | "ContainerCreating" | "PodInitializing" => Tone::Warning,
        _ => Tone::Bad,
    }
}

fn ended_tone(container: &Container, ended: &Ended) -> Tone {
    match (ended.exit_code, container.role) {
        (0, _) => Tone::Good,
        _ => Tone::Bad,
    }
}
