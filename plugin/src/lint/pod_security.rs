//! Which level of the Pod Security Standards a pod meets, and what keeps it from the next one.

use emulator::api::admission::pod_security::{Level, LevelVersion, Violation, violations};
use k8s_openapi::api::core::v1::Pod;

use crate::findings::message::{Message, say};

/// What a pod meets and misses, by the newest release of the standards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// The strictest level that the pod meets.
    pub level: Level,
    /// The next level, where there is one, and what it asks for besides.
    pub next: Option<(Level, Vec<Requirement>)>,
}

/// What one check of a level asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The check, as Kubernetes names it: `runAsNonRoot`.
    pub check: &'static str,
    /// The first field that has to change: `spec.hostNetwork`. It may be missing.
    pub field: String,
    /// How many other fields have to change in the same way.
    pub others: usize,
    /// What the field has to be.
    pub what: Message,
}

/// Assesses a pod.
pub fn assess(pod: &Pod) -> Assessment {
    let pod = serde_json::to_value(pod).unwrap_or_default();
    let mut level = Level::Privileged;
    for next in [Level::Baseline, Level::Restricted] {
        let missed = violations(LevelVersion::latest(next), &pod);
        if !missed.is_empty() {
            let requirements = missed.into_iter().map(requirement).collect();
            return Assessment {
                level,
                next: Some((next, requirements)),
            };
        }
        level = next;
    }
    Assessment { level, next: None }
}

fn requirement(violation: Violation) -> Requirement {
    Requirement {
        check: violation.check,
        what: words(violation.check, violation.reason),
        others: violation.fields.len().saturating_sub(1),
        field: violation.fields.into_iter().next().unwrap_or_default(),
    }
}

/// What a check asks of its fields.
fn words(check: &str, reason: &str) -> Message {
    match check {
        "allowPrivilegeEscalation" => say("security.allow-privilege-escalation"),
        "appArmorProfile" => say("security.app-armor"),
        "capabilities_baseline" => say("security.capabilities-baseline"),
        "capabilities_restricted" => say("security.capabilities-restricted"),
        "hostNamespaces" => say("security.host-namespaces"),
        "hostPathVolumes" => say("security.host-path"),
        "hostPorts" => say("security.host-ports"),
        "hostProbesAndHostLifecycle" => say("security.host-probes"),
        "privileged" => say("security.privileged"),
        "procMount" | "procMount_restricted" => say("security.proc-mount"),
        "restrictedVolumes" => say("security.volumes"),
        "runAsNonRoot" => say("security.run-as-non-root"),
        "runAsUser" => say("security.run-as-user"),
        "seLinuxOptions" => say("security.se-linux"),
        "seccompProfile_baseline" => say("security.seccomp-baseline"),
        "seccompProfile_restricted" => say("security.seccomp-restricted"),
        "sysctls" => say("security.sysctls"),
        "windowsHostProcess" => say("security.windows-host-process"),
        _ => Message::Plain(reason.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assessed(spec: serde_json::Value) -> (Level, Vec<(&'static str, String, usize)>) {
        let pod: Pod = serde_json::from_value(serde_json::json!({"spec": spec})).unwrap();
        let assessment = assess(&pod);
        let requirements = assessment
            .next
            .map(|(_, requirements)| requirements)
            .unwrap_or_default();
        let requirements = requirements.into_iter().map(|one| (one.check, one.field, one.others));
        (assessment.level, requirements.collect())
    }

    #[test]
    fn plain_pod_meets_baseline_and_misses_restricted() {
        let (level, requirements) = assessed(serde_json::json!({"containers": [{"name": "a"}, {"name": "b"}]}));
        let at = |field: &str| format!("spec.containers[0].securityContext.{field}");
        assert_eq!(level, Level::Baseline);
        assert_eq!(
            requirements,
            [
                ("allowPrivilegeEscalation", at("allowPrivilegeEscalation"), 1),
                ("capabilities_restricted", at("capabilities.drop"), 1),
                ("runAsNonRoot", at("runAsNonRoot"), 1),
                ("seccompProfile_restricted", at("seccompProfile.type"), 1),
            ]
        );
    }

    #[test]
    fn pod_with_host_network_meets_privileged_alone() {
        let (level, requirements) = assessed(serde_json::json!({"hostNetwork": true, "containers": [{"name": "a"}]}));
        assert_eq!(level, Level::Privileged);
        assert_eq!(requirements, [("hostNamespaces", "spec.hostNetwork".to_owned(), 0)]);
    }

    #[test]
    fn hardened_pod_meets_restricted() {
        let spec = serde_json::json!({
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "a", "securityContext": {
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]});
        assert_eq!(assessed(spec), (Level::Restricted, Vec::new()));
    }

    #[test]
    fn every_check_has_words_of_its_own() {
        let spec = serde_json::json!({
            "hostNetwork": true, "volumes": [{"name": "v", "hostPath": {"path": "/"}}],
            "securityContext": {"seLinuxOptions": {"user": "u"}, "sysctls": [{"name": "x", "value": "1"}],
                "windowsOptions": {"hostProcess": true}, "appArmorProfile": {"type": "Unconfined"},
                "seccompProfile": {"type": "Unconfined"}, "runAsUser": 0},
            "containers": [{"name": "a", "ports": [{"containerPort": 1, "hostPort": 1}],
                "livenessProbe": {"tcpSocket": {"host": "h", "port": 1}},
                "securityContext": {"privileged": true, "procMount": "Unmasked", "capabilities": {"add": ["ALL"]}}}]});
        let pod = serde_json::json!({"spec": spec});
        let mut checks = Vec::new();
        for level in [Level::Baseline, Level::Restricted] {
            for one in violations(LevelVersion::latest(level), &pod) {
                assert_ne!(
                    words(one.check, one.reason),
                    Message::Plain(one.reason.to_owned()),
                    "{}",
                    one.check
                );
                checks.push(one.check);
            }
        }
        checks.sort_unstable();
        checks.dedup();
        assert_eq!(checks.len(), 19);
    }
}
