//! Hooks against the grace period.

use k8s_openapi::api::core::v1::{LifecycleHandler, PodSpec};

use super::{Lints, places};
use crate::findings::message::say;

pub(super) fn rules(spec: &PodSpec, lints: &mut Lints) {
    let grace = spec.termination_grace_period_seconds.unwrap_or(30);
    if grace == 0 {
        lints.warn(
            "spec.terminationGracePeriodSeconds",
            say("lint.no-grace"),
            say("lint.no-grace.help"),
        );
    }
    for place in places(spec) {
        let Some(hooks) = &place.container.lifecycle else {
            continue;
        };
        if place.is_init && !place.is_sidecar() && (hooks.post_start.is_some() || hooks.pre_stop.is_some()) {
            lints.refused(place.at("lifecycle"), say("lint.init-hook"), say("lint.init-hook.help"));
        }
        let seconds = hooks.pre_stop.as_ref().and_then(sleeps);
        if let Some(seconds) = seconds.filter(|seconds| *seconds >= grace && grace > 0) {
            lints.warn(
                place.at("lifecycle.preStop"),
                say("lint.pre-stop")
                    .with("seconds", seconds.to_string())
                    .with("grace", grace.to_string()),
                say("lint.pre-stop.help"),
            );
        }
    }
}

/// How long a hook sleeps, where that can be read from it.
fn sleeps(hook: &LifecycleHandler) -> Option<i64> {
    if let Some(sleep) = &hook.sleep {
        return Some(sleep.seconds);
    }
    let words: Vec<&str> = hook
        .exec
        .as_ref()?
        .command
        .iter()
        .flatten()
        .flat_map(|word| word.split([' ', ';', '&']))
        .filter(|word| !word.is_empty())
        .collect();
    let is_sleep = |word: &str| word == "sleep" || word.ends_with("/sleep");
    words
        .windows(2)
        .filter(|pair| is_sleep(pair[0]))
        .filter_map(|pair| pair[1].trim_end_matches('s').parse::<i64>().ok())
        .reduce(|sum, seconds| sum.saturating_add(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hooks_sleep_is_read_from_its_command() {
        let hook = |command: &[&str]| -> LifecycleHandler {
            serde_json::from_value(serde_json::json!({"exec": {"command": command}})).unwrap()
        };
        assert_eq!(sleeps(&hook(&["sleep", "15"])), Some(15));
        assert_eq!(
            sleeps(&hook(&["sh", "-c", "sleep 10; nginx -s quit; sleep 5"])),
            Some(15)
        );
        assert_eq!(sleeps(&hook(&["/stop"])), None);
    }
}
