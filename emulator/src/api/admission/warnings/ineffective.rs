//! What every server takes, and what changes nothing on this node.

use serde_json::Value;

use super::{Warnings, visit_containers};

const OF_CONTEXT: [(&str, &str); 3] = [
    ("seLinuxOptions", "the node has no SELinux"),
    ("seLinuxChangePolicy", "the node has no SELinux"),
    ("windowsOptions", "the node runs Linux"),
];

pub(super) fn check(pod: &Value, warnings: &mut Warnings) {
    let mut say = |path: &str, why: &str| warnings.add(path, format_args!("has no effect here: {why}"));
    if pod["metadata"]["ownerReferences"].is_array() {
        say("metadata.ownerReferences", "there is no garbage collector");
    }
    let mut of_context = |context: &Value, path: &str| {
        for (field, why) in OF_CONTEXT {
            if !context[field].is_null() {
                say(&format!("{path}.securityContext.{field}"), why);
            }
        }
    };
    of_context(&pod["spec"]["securityContext"], "spec");
    for (path, container) in visit_containers(&pod["spec"]) {
        of_context(&container["securityContext"], &path);
    }
    for (path, container) in visit_containers(&pod["spec"]) {
        // Other containers' profiles are refused by the node; these come when it has taken the pod.
        let profile = &container["securityContext"]["appArmorProfile"]["type"];
        if path.starts_with("spec.ephemeralContainers") && profile == "RuntimeDefault" {
            say(
                &format!("{path}.securityContext.appArmorProfile"),
                "the node has no AppArmor, and the container is not confined by it",
            );
        }
    }
    for (path, container) in visit_containers(&pod["spec"]) {
        for hook in ["postStart", "preStop"] {
            if container["lifecycle"][hook]["tcpSocket"].is_object() {
                let path = format!("{path}.lifecycle.{hook}.tcpSocket");
                warnings.add(path, "fails on every node: none carries it out");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::admission::warnings::texts;

    #[test]
    fn what_has_no_effect_is_told() {
        let pod = json!({"metadata": {"ownerReferences": []}, "spec": {
            "securityContext": {"seLinuxOptions": {"level": "s0"}},
            "containers": [{"securityContext": {"windowsOptions": {}}}],
            "ephemeralContainers": [{"securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}}}]}});
        assert_eq!(
            texts(&pod),
            [
                "metadata.ownerReferences: has no effect here: there is no garbage collector",
                "spec.securityContext.seLinuxOptions: has no effect here: the node has no SELinux",
                "spec.containers[0].securityContext.windowsOptions: has no effect here: the node runs Linux",
                "spec.ephemeralContainers[0].securityContext.appArmorProfile: has no effect here: the node has no AppArmor, and \
                 the container is not confined by it",
            ]
        );
    }
}
