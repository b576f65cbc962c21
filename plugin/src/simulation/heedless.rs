//! Assumptions that change nothing, since nothing in the manifest looks at them, and what would.

use std::time::Duration;

use k8s_openapi::api::core::v1::Container;
use k8s_openapi::jiff::SignedDuration;

use super::assume::Clause;
use crate::pod::age;

/// What is assumed of a container in vain, a sentence each.
pub fn of<'a>(container: &Container, clauses: impl Iterator<Item = &'a Clause>) -> Vec<String> {
    let hooks = container.lifecycle.as_ref();
    let pre_stop = hooks.and_then(|hooks| hooks.pre_stop.as_ref());
    let has_post_start = hooks.is_some_and(|hooks| hooks.post_start.is_some());
    let is_ready_at_once = container.readiness_probe.is_none() && container.startup_probe.is_none();
    let has_probe = container.liveness_probe.is_some() || !is_ready_at_once;
    let name = &container.name;
    let mut told = Vec::new();
    for clause in clauses {
        told.push(match clause {
            Clause::Ready(length) if container.readiness_probe.is_none() => format!(
                "{name} has no readinessProbe: it counts as Ready as soon as it has started, {} before it is; add a \
                 readinessProbe",
                words(*length)
            ),
            Clause::Start(length) if is_ready_at_once && !length.is_zero() => format!(
                "{name} has no readinessProbe and no startupProbe: it counts as Ready as soon as it runs, {} before it is; \
                 add a readinessProbe",
                words(*length)
            ),
            Clause::Hang(_) if !has_probe => {
                format!("{name} has no probe: nobody notices that it hangs; add a livenessProbe")
            }
            Clause::PreStop(_) if pre_stop.is_none() => {
                format!("{name} has no preStop hook: its length changes nothing; add lifecycle.preStop")
            }
            Clause::PreStop(length) => match pre_stop.and_then(|hook| hook.sleep.as_ref()) {
                Some(sleep) if !is_of(*length, sleep.seconds) => format!(
                    "{name}: its preStop hook sleeps {}s, as the manifest says, whatever is assumed",
                    sleep.seconds
                ),
                _ => continue,
            },
            Clause::PostStart(_) | Clause::PostStartFails if !has_post_start => {
                format!("{name} has no postStart hook: what it does changes nothing; add lifecycle.postStart")
            }
            _ => continue,
        });
    }
    told
}

fn words(length: Duration) -> String {
    age::elapsed(SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX))
}

fn is_of(length: Duration, seconds: i64) -> bool {
    i64::try_from(length.as_secs()) == Ok(seconds)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::assume::Assumption;
    use super::*;

    fn told(container: Value, assumption: &str) -> String {
        let container: Container = serde_json::from_value(container).unwrap();
        let assumption = Assumption::parse(assumption).unwrap();
        of(&container, assumption.clauses.iter()).join("\n")
    }

    #[test]
    fn what_no_probe_looks_at_is_said_with_what_would() {
        let plain = json!({"name": "app"});
        let ready = told(plain.clone(), "app: ready after 90s");
        assert!(
            ready.contains("no readinessProbe") && ready.contains("1m30s before it is; add a readinessProbe"),
            "{ready}"
        );
        assert!(told(plain.clone(), "app: start 40s").contains("no readinessProbe and no startupProbe"));
        assert!(told(plain, "app: hang after 3m").contains("nobody notices"));
        let probed = json!({"name": "app", "readinessProbe": {"tcpSocket": {"port": 80}}});
        assert_eq!(told(probed, "app: start 5s, ready after 90s, hang after 3m"), "");
    }

    #[test]
    fn what_no_hook_does_is_said() {
        let plain = json!({"name": "app"});
        assert!(told(plain.clone(), "app: prestop 5s").contains("no preStop hook"));
        assert!(told(plain, "app: poststart fails").contains("no postStart hook"));
        let sleeps = json!({"name": "app", "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}});
        assert_eq!(told(sleeps.clone(), "app: prestop 5s"), "");
        assert!(told(sleeps, "app: prestop 9s").contains("sleeps 5s, as the manifest says"));
    }
}
