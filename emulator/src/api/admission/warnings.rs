//! What is allowed and still most likely a mistake: the texts of `Warning:` headers.

use std::collections::HashMap;

use serde_json::Value;

use super::{app_armor, capability_names, quantity::Quantity};
use crate::store::Resource;

/// The most environment variables or ports that are looked at: the answer's head must not grow without end.
const MOST: usize = 20;

/// What to say about an object that was taken.
pub fn warnings(resource: Resource, object: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    if resource != Resource::Pods {
        return warnings;
    }
    let spec = &object["spec"];
    without_effect(object, &mut warnings);
    warnings.extend(capability_names::warnings(spec));
    for list in ["initContainers", "containers"] {
        for (index, container) in spec[list].as_array().into_iter().flatten().enumerate() {
            let path = format!("spec.{list}[{index}]");
            hidden_variables(container, &path, &mut warnings);
            double_ports(container, &path, &mut warnings);
            fractions(container, &path, &mut warnings);
        }
    }
    if spec["terminationGracePeriodSeconds"]
        .as_i64()
        .is_some_and(|seconds| seconds < 0)
    {
        warnings.push(
            "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
                .into(),
        );
    }
    warnings.truncate(MOST);
    warnings
}

/// What is taken, as every server takes it, and changes nothing on this node.
fn without_effect(pod: &Value, warnings: &mut Vec<String>) {
    const OF_CONTEXT: [(&str, &str); 3] = [
        ("seLinuxOptions", "the node has no SELinux"),
        ("seLinuxChangePolicy", "the node has no SELinux"),
        ("windowsOptions", "the node runs Linux"),
    ];
    let mut say = |path: &str, why: &str| warnings.push(format!("{path}: has no effect here: {why}"));
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
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for (index, container) in pod["spec"][list].as_array().into_iter().flatten().enumerate() {
            of_context(&container["securityContext"], &format!("spec.{list}[{index}]"));
        }
    }
    // Other containers' profiles are refused by the node; these come when it has taken the pod.
    let ephemeral = pod["spec"]["ephemeralContainers"].as_array().into_iter().flatten();
    for (index, container) in ephemeral.enumerate() {
        if container["securityContext"]["appArmorProfile"]["type"] == "RuntimeDefault" {
            let path = format!("spec.ephemeralContainers[{index}].securityContext.appArmorProfile");
            say(
                &path,
                "the node has no AppArmor, and the container is not confined by it",
            );
        }
    }
    for (key, ..) in app_armor::annotations(pod) {
        warnings.push(format!(
            "metadata.annotations[{key}]: deprecated since v1.30; use the \"appArmorProfile\" field instead"
        ));
    }
    for list in ["initContainers", "containers"] {
        for (index, container) in pod["spec"][list].as_array().into_iter().flatten().enumerate() {
            for hook in ["postStart", "preStop"] {
                if container["lifecycle"][hook]["tcpSocket"].is_object() {
                    let path = format!("spec.{list}[{index}].lifecycle.{hook}.tcpSocket");
                    warnings.push(format!("{path}: fails on every node: none carries it out"));
                }
            }
        }
    }
}

fn hidden_variables(container: &Value, path: &str, warnings: &mut Vec<String>) {
    let mut seen: HashMap<&str, &Value> = HashMap::new();
    for (index, variable) in container["env"].as_array().into_iter().flatten().enumerate() {
        let name = variable["name"].as_str().unwrap_or_default();
        // One that builds on the former value of its name means to.
        let builds_on = variable["value"]
            .as_str()
            .is_some_and(|value| value.contains(&format!("$({name})")));
        if seen.insert(name, variable).is_some() && !builds_on {
            warnings.push(format!(
                "{path}.env[{index}]: hides previous definition of {name:?}, which may be dropped when using apply"
            ));
        }
    }
}

fn double_ports(container: &Value, path: &str, warnings: &mut Vec<String>) {
    let ports: Vec<&Value> = container["ports"].as_array().into_iter().flatten().collect();
    for (index, port) in ports.iter().enumerate() {
        let same = |other: &&&Value| {
            ["containerPort", "protocol", "hostIP", "hostPort"]
                .iter()
                .all(|field| other[*field] == port[*field])
        };
        if let Some(first) = ports
            .iter()
            .position(|other| same(&other))
            .filter(|first| *first < index)
        {
            warnings.push(format!(
                "{path}.ports[{index}]: duplicate port definition with {path}.ports[{first}]"
            ));
        }
    }
}

fn fractions(container: &Value, path: &str, warnings: &mut Vec<String>) {
    for list in ["limits", "requests"] {
        for (name, amount) in container["resources"][list].as_object().into_iter().flatten() {
            let bytes = matches!(name.as_str(), "memory" | "ephemeral-storage");
            let text = amount.as_str().unwrap_or_default();
            let fraction = text.parse::<Quantity>().is_ok_and(|amount| amount.millis() % 1000 != 0);
            if bytes && fraction {
                warnings.push(format!(
                    "{path}.resources.{list}[{name}]: fractional byte value {text:?} is invalid, must be an integer"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn likely_mistakes_are_told() {
        let pod = json!({"spec": {"containers": [{
            "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}, {"name": "A", "value": "$(A):3"}],
            "ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 80, "protocol": "TCP"}],
            "resources": {"limits": {"memory": "100m"}},
        }]}});
        assert_eq!(
            warnings(Resource::Pods, &pod),
            [
                "spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped when using apply",
                "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]",
                "spec.containers[0].resources.limits[memory]: fractional byte value \"100m\" is invalid, must be an integer",
            ]
        );
    }

    #[test]
    fn a_profile_by_annotation_is_told_to_be_of_the_past() {
        let key = format!("{}a", app_armor::ANNOTATION);
        let pod = json!({"metadata": {"annotations": {&key: "runtime/default"}}, "spec": {}});
        let told =
            format!("metadata.annotations[{key}]: deprecated since v1.30; use the \"appArmorProfile\" field instead");
        assert_eq!(warnings(Resource::Pods, &pod), [told]);
    }

    #[test]
    fn what_has_no_effect_is_told() {
        let pod = json!({"metadata": {"ownerReferences": []}, "spec": {
            "securityContext": {"seLinuxOptions": {"level": "s0"}},
            "containers": [{"securityContext": {"windowsOptions": {}}}],
            "ephemeralContainers": [{"securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}}}]}});
        assert_eq!(
            warnings(Resource::Pods, &pod),
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
