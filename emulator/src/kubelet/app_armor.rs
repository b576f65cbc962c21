//! A pod that asks for AppArmor is refused: this node confines nothing by it, and says so as a node does whose kernel has
//! none (`pkg/security/apparmor`).

use serde_json::Value;

use super::{pod::Pod, pod_status::Verdict};
use crate::api::admission::app_armor_annotations;

/// Refuses a pod that asks for a profile.
pub(super) fn admit(pod: &Pod) -> Result<(), Verdict> {
    if is_required(&pod.object) {
        let why = "Cannot enforce AppArmor: AppArmor is not enabled on the host";
        return Err(Verdict::new("AppArmor", why));
    }
    Ok(())
}

/// Whether a profile is asked for, by field or by annotation; to be unconfined is none.
fn is_required(pod: &Value) -> bool {
    let asks = |owner: &Value| {
        let kind = owner["securityContext"]["appArmorProfile"]["type"].as_str();
        kind.is_some_and(|kind| kind != "Unconfined")
    };
    let spec = &pod["spec"];
    let lists = ["initContainers", "containers", "ephemeralContainers"].map(|list| spec[list].as_array());
    asks(spec)
        || lists.into_iter().flatten().flatten().any(asks)
        // A pod from a file has met no server that makes fields of annotations.
        || app_armor_annotations(pod).any(|(.., profile)| profile != "unconfined")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_profile_is_asked_for_by_the_pod_a_container_or_an_annotation() {
        let profile = |kind: &str| json!({"appArmorProfile": {"type": kind}});
        for (kind, annotation, refused) in [
            ("RuntimeDefault", "runtime/default", true),
            ("Localhost", "localhost/p", true),
            ("Unconfined", "unconfined", false),
        ] {
            let key = "container.apparmor.security.beta.kubernetes.io/a";
            for pod in [
                json!({"metadata": {}, "spec": {"containers": [], "securityContext": profile(kind)}}),
                json!({"metadata": {}, "spec": {"containers": [{"name": "a", "securityContext": profile(kind)}]}}),
                json!({"metadata": {"annotations": {key: annotation}}, "spec": {"containers": [{"name": "a"}]}}),
            ] {
                let verdict = admit(&Pod::read(&pod).unwrap()).err();
                assert_eq!(verdict.is_some(), refused, "{pod}");
                assert!(verdict.is_none_or(|verdict| verdict.reason == "AppArmor"));
            }
        }
        let long_gone = json!({"container.seccomp.security.alpha.kubernetes.io/a": "localhost/p"});
        let pod = json!({"metadata": {"annotations": long_gone}, "spec": {"containers": [{"name": "a"}]}});
        assert!(admit(&Pod::read(&pod).unwrap()).is_ok());
    }
}
