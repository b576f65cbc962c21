//! Warnings about containers: seccomp annotations, fractions of bytes, environment variables that hide others.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    Warnings, items,
    spec::{SECCOMP_MESSAGE, fractions},
    text, visit_containers,
};

/// What stands before a container's name in the annotation that named its seccomp profile.
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";

pub(super) fn check(pod: &Value, warnings: &mut Warnings) {
    let annotations = &pod["metadata"]["annotations"];
    for (path, container) in visit_containers(&pod["spec"]) {
        let key = format!("{SECCOMP_CONTAINER}{}", text(container, "name"));
        if container["securityContext"]["seccompProfile"].is_null() && !annotations[&key].is_null() {
            warnings.add(format!("metadata.annotations[{key}]"), SECCOMP_MESSAGE);
        }
        for resource in ["memory", "ephemeral-storage"] {
            for list in ["limits", "requests"] {
                let path = format!("{path}.resources.{list}");
                fractions(&container["resources"][list], &path, &[resource], warnings);
            }
        }
        hidden_variables(container, &path, warnings);
    }
}

fn hidden_variables(container: &Value, path: &str, warnings: &mut Warnings) {
    let mut seen = HashSet::new();
    for (path, variable) in items(&container["env"], &format!("{path}.env")) {
        let name = text(variable, "name");
        if seen.insert(name) {
            continue;
        }
        // A value that adds to the former one of its name means to.
        let (reference, value) = (format!("$({name})"), text(variable, "value"));
        if !variable["valueFrom"].is_null() || value == reference || !value.contains(&reference) {
            let message = format_args!("hides previous definition of {name:?}, which may be dropped when using apply");
            warnings.add(path, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::admission::warnings::texts;

    #[test]
    fn hidden_variables_are_warned_of() {
        let env = |name: &str| {
            let reference = format!("$({name})");
            json!([
                {"name": name, "value": "a"}, {"name": name, "value": "a"}, {"name": name, "value": "other"},
                {"name": name}, {"name": name, "value": reference}, {"name": name, "valueFrom": {}},
                {"name": name, "value": format!("{reference} {reference}")},
            ])
        };
        let pod = json!({"spec": {"initContainers": [{"env": env("a")}], "containers": [{"env": env("b")}]}});
        let mut expected = Vec::new();
        for (list, name) in [("initContainers", "a"), ("containers", "b")] {
            for index in 1..6 {
                expected.push(format!(
                    "spec.{list}[0].env[{index}]: hides previous definition of \"{name}\", which may be dropped when using apply"
                ));
            }
        }
        assert_eq!(texts(&pod), expected);
    }

    #[test]
    fn fractions_of_bytes_are_warned_of() {
        let amounts = json!({"cpu": "100m", "memory": "4m", "ephemeral-storage": "4m"});
        let container = json!({"resources": {"requests": amounts, "limits": amounts}});
        let pod = json!({"spec": {"initContainers": [container], "containers": [container], "overhead": amounts}});
        let mut expected = vec![
            "spec.overhead[memory]".to_owned(),
            "spec.overhead[ephemeral-storage]".to_owned(),
        ];
        for list in ["initContainers", "containers"] {
            for resource in ["memory", "ephemeral-storage"] {
                for kind in ["limits", "requests"] {
                    expected.push(format!("spec.{list}[0].resources.{kind}[{resource}]"));
                }
            }
        }
        let expected: Vec<String> = expected
            .into_iter()
            .map(|path| format!("{path}: fractional byte value \"4m\" is invalid, must be an integer"))
            .collect();
        assert_eq!(texts(&pod), expected);
    }
}
