//! What pods have of features that are off: dropped where it is a field, refused where it is a value (`pkg/api/pod/util.go`).

use serde_json::Value;

use super::{Feature, Features};

impl Features {
    /// Takes out of a new pod what belongs to features that are off (`pkg/api/pod`, `DropDisabledPodFields`); says what.
    pub fn drop_disabled(&self, pod: &mut Value) -> Vec<String> {
        let mut dropped = Dropped::default();
        let spec = &mut pod["spec"];
        // Pod groups are off as shipped, and can't be switched on here.
        dropped.remove(spec, "spec", "schedulingGroup", "GenericWorkload");
        if !self.has(Feature::HostnameOverride) {
            dropped.remove(spec, "spec", "hostnameOverride", "HostnameOverride");
        }
        if !self.has(Feature::PodLevelResources) {
            dropped.remove(spec, "spec", "resources", "PodLevelResources");
        }
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            for (index, container) in spec[list].as_array_mut().into_iter().flatten().enumerate() {
                self.drop_of_container(container, list, &format!("spec.{list}[{index}]"), &mut dropped);
            }
        }
        remove_null(spec);
        dropped.0
    }

    fn drop_of_container(&self, container: &mut Value, list: &str, path: &str, dropped: &mut Dropped) {
        if !self.has(Feature::ContainerStopSignals)
            && let Some(lifecycle) = container.get_mut("lifecycle")
        {
            let path = format!("{path}.lifecycle");
            dropped.remove(lifecycle, &path, "stopSignal", "ContainerStopSignals");
        }
        if !self.has(Feature::ContainerRestartRules) {
            dropped.remove(container, path, "restartPolicyRules", "ContainerRestartRules");
            if list != "initContainers" || container["restartPolicy"] != "Always" {
                dropped.remove(container, path, "restartPolicy", "ContainerRestartRules");
            }
        }
        if !self.has(Feature::EnvFiles) {
            for (index, variable) in container["env"].as_array_mut().into_iter().flatten().enumerate() {
                let path = format!("{path}.env[{index}].valueFrom");
                dropped.remove(&mut variable["valueFrom"], &path, "fileKeyRef", "EnvFiles");
                remove_null(variable);
            }
        }
        remove_null(container);
    }

    /// The first value of a pod that belongs to a feature that is off.
    pub fn forbidden(&self, pod: &Value) -> Option<Forbidden> {
        let spec = &pod["spec"];
        let action = || restarts_all(spec).filter(|_| !self.has(Feature::RestartAllContainersOnContainerExits));
        let operator = || compares(spec).filter(|_| !self.has(Feature::TaintTolerationComparisonOperators));
        action().or_else(operator)
    }
}

/// A value that no field can have while its feature is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// The field.
    pub path: String,
    /// What it has.
    pub value: String,
    /// What it can have.
    pub supported: &'static [&'static str],
}

fn restarts_all(spec: &Value) -> Option<Forbidden> {
    ["initContainers", "containers"].into_iter().find_map(|list| {
        let mut containers = spec[list].as_array().into_iter().flatten().enumerate();
        containers.find_map(|(place, container)| {
            let mut rules = container["restartPolicyRules"].as_array().into_iter().flatten();
            let rule = rules.position(|rule| rule["action"] == "RestartAllContainers")?;
            Some(Forbidden {
                path: format!("spec.{list}[{place}].restartPolicyRules[{rule}].action"),
                value: "RestartAllContainers".to_owned(),
                supported: &["Restart"],
            })
        })
    })
}

fn compares(spec: &Value) -> Option<Forbidden> {
    let mut tolerations = spec["tolerations"].as_array().into_iter().flatten().enumerate();
    tolerations.find_map(|(place, toleration)| {
        let operator = toleration["operator"].as_str()?;
        matches!(operator, "Lt" | "Gt").then(|| Forbidden {
            path: format!("spec.tolerations[{place}].operator"),
            value: operator.to_owned(),
            supported: &["Equal", "Exists"],
        })
    })
}

/// What was taken out, and why, in words for the author.
#[derive(Default)]
struct Dropped(Vec<String>);

impl Dropped {
    fn remove(&mut self, object: &mut Value, path: &str, field: &str, feature: &str) {
        let removed = object.as_object_mut().and_then(|fields| fields.shift_remove(field));
        if removed.is_some_and(|removed| !removed.is_null()) {
            self.0
                .push(format!("{path}.{field}: dropped: the feature {feature} is off"));
        }
    }
}

/// Looking a field up in order to change it makes it: as null, which is taken out again.
fn remove_null(object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tolerations_compare_only_where_that_is_on() {
        let pod =
            json!({"spec": {"tolerations": [{"key": "k", "operator": "Exists"}, {"key": "k", "operator": "Lt"}]}});
        let forbidden = Features::default().forbidden(&pod).unwrap();
        assert_eq!(forbidden.path, "spec.tolerations[1].operator");
        let on = Features::parse("TaintTolerationComparisonOperators=true").unwrap();
        assert_eq!(on.forbidden(&pod), None);
    }

    #[test]
    fn fields_of_features_that_are_off_are_dropped() {
        let pod = json!({"spec": {"hostnameOverride": "h", "initContainers": [{"name": "s", "restartPolicy": "Always"}],
            "containers": [{"name": "a", "restartPolicy": "Never", "lifecycle": {"stopSignal": "SIGINT"},
            "restartPolicyRules": [{"action": "RestartAllContainers"}]}]}});
        let mut shipped = pod.clone();
        assert_eq!(
            Features::default().drop_disabled(&mut shipped),
            ["spec.containers[0].lifecycle.stopSignal: dropped: the feature ContainerStopSignals is off"]
        );
        let mut expected = pod.clone();
        expected["spec"]["containers"][0]["lifecycle"] = json!({});
        assert_eq!(shipped, expected);
        let off = Features::parse("AllBeta=false").unwrap();
        assert_eq!(
            off.forbidden(&pod).map(|forbidden| forbidden.path).as_deref(),
            Some("spec.containers[0].restartPolicyRules[0].action")
        );
        let mut dropped = pod;
        assert_eq!(off.drop_disabled(&mut dropped).len(), 4);
        assert_eq!(
            dropped["spec"],
            json!({"initContainers": [{"name": "s", "restartPolicy": "Always"}], "containers": [{"name": "a", "lifecycle": {}}]})
        );
    }
}
