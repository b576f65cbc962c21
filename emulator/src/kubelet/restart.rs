//! Whether a container that has ended is started again.

use super::pod::{Declared, Kind, Pod};
use crate::runtime::{ContainerState, ContainerStatus};

/// The action of a rule that starts all containers of the pod anew (KEP-5532).
pub(super) const RESTART_ALL: &str = "RestartAllContainers";

/// What the first of the container's rules that is about this exit code asks for.
pub(super) fn action(declared: &Declared, exit_code: i32) -> Option<&str> {
    let mut rules = declared.container.restart_policy_rules.iter().flatten();
    let first = rules.find(|rule| {
        rule.exit_codes.as_ref().is_some_and(|codes| {
            let listed = codes.values.iter().flatten().any(|code| *code == exit_code);
            match codes.operator.as_str() {
                "In" => listed,
                "NotIn" => !listed,
                _ => false,
            }
        })
    });
    first.map(|rule| rule.action.as_str())
}

/// R(container, exit code): the container's rules first, then its own policy, then the pod's.
pub fn restarts(pod: &Pod, declared: &Declared, exit_code: i32) -> bool {
    if declared.kind == Kind::Ephemeral {
        return false;
    }
    if let Some(action) = action(declared, exit_code) {
        return matches!(action, "Restart" | RESTART_ALL);
    }
    match policy(pod, declared) {
        "Never" => false,
        "OnFailure" => exit_code != 0,
        _ => true,
    }
}

/// Whether a container that the kubelet itself kills (a failed probe) comes back; its exit code is not known yet.
pub fn restarts_after_kill(pod: &Pod, declared: &Declared) -> bool {
    policy(pod, declared) != "Never"
}

/// Whether the next sync starts the container, given its newest instance.
pub fn is_to_start(pod: &Pod, declared: &Declared, newest: Option<&ContainerStatus>) -> bool {
    if pod.deleting {
        return false;
    }
    let Some(newest) = newest else { return true };
    match newest.state {
        ContainerState::Running => false,
        ContainerState::Created | ContainerState::Unknown => declared.kind != Kind::Ephemeral,
        ContainerState::Exited => restarts(pod, declared, newest.exit_code.unwrap_or(0)),
    }
}

fn policy<'a>(pod: &'a Pod, declared: &'a Declared) -> &'a str {
    // An init container without a policy of its own is tried again only after a failure.
    match (&declared.container.restart_policy, pod.spec.restart_policy.as_deref()) {
        (Some(own), _) => own,
        (None, Some("Never")) => "Never",
        (None, _) if declared.kind == Kind::Init => "OnFailure",
        (None, Some(of_pod)) => of_pod,
        (None, None) => "Always",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(policy: &str, container: serde_json::Value) -> Pod {
        Pod::read(&json!({"metadata": {"name": "p"}, "spec": {"restartPolicy": policy, "containers": [container]}}))
            .unwrap()
    }

    #[test]
    fn the_pods_policy_decides_where_the_container_says_nothing() {
        for (policy, after_success, after_failure) in [
            ("Always", true, true),
            ("OnFailure", false, true),
            ("Never", false, false),
        ] {
            let pod = pod(policy, json!({"name": "app"}));
            let app = pod.container("app").unwrap();
            assert_eq!(
                (restarts(&pod, app, 0), restarts(&pod, app, 1)),
                (after_success, after_failure),
                "{policy}"
            );
        }
    }

    #[test]
    fn rules_come_before_the_containers_policy() {
        let pod = pod(
            "Always",
            json!({"name": "app", "restartPolicy": "Never", "restartPolicyRules": [
                {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]}),
        );
        let app = pod.container("app").unwrap();
        assert!(restarts(&pod, app, 42));
        assert!(!restarts(&pod, app, 1));
    }
}
