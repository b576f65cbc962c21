//! Feature gates: those that concern pods and make a difference here, as Kubernetes 1.36 ships them
//! (`pkg/features/kube_features.go`).

use std::collections::BTreeMap;

use serde_json::Value;

/// A feature that can be switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the Kubernetes feature of that name")]
pub enum Feature {
    ContainerRestartRules,
    ContainerStopSignals,
    EnvFiles,
    HostnameOverride,
    InPlacePodLevelResourcesVerticalScaling,
    PodLevelResources,
    PodReadyToStartContainersCondition,
    ReduceDefaultCrashLoopBackOffDecay,
    RestartAllContainersOnContainerExits,
    TaintTolerationComparisonOperators,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Alpha,
    Beta,
}

/// Alpha features are off, these beta ones on.
const FEATURES: [(Feature, &str, Stage); 10] = [
    (Feature::ContainerRestartRules, "ContainerRestartRules", Stage::Beta),
    (Feature::ContainerStopSignals, "ContainerStopSignals", Stage::Alpha),
    (Feature::EnvFiles, "EnvFiles", Stage::Beta),
    (Feature::HostnameOverride, "HostnameOverride", Stage::Beta),
    (
        Feature::InPlacePodLevelResourcesVerticalScaling,
        "InPlacePodLevelResourcesVerticalScaling",
        Stage::Beta,
    ),
    (Feature::PodLevelResources, "PodLevelResources", Stage::Beta),
    (
        Feature::PodReadyToStartContainersCondition,
        "PodReadyToStartContainersCondition",
        Stage::Beta,
    ),
    (
        Feature::ReduceDefaultCrashLoopBackOffDecay,
        "ReduceDefaultCrashLoopBackOffDecay",
        Stage::Alpha,
    ),
    (
        Feature::RestartAllContainersOnContainerExits,
        "RestartAllContainersOnContainerExits",
        Stage::Beta,
    ),
    (
        Feature::TaintTolerationComparisonOperators,
        "TaintTolerationComparisonOperators",
        Stage::Alpha,
    ),
];

/// Features of pods that have become a part of Kubernetes: they can't be switched off.
const LOCKED: [&str; 14] = [
    "ImageVolume",
    "InPlacePodVerticalScaling",
    "MatchLabelKeysInPodAffinity",
    "NodeInclusionPolicyInPodTopologySpread",
    "PodLifecycleSleepAction",
    "PodLifecycleSleepActionAllowZero",
    "PodObservedGenerationTracking",
    "ProcMountType",
    "RecursiveReadOnlyMounts",
    "RelaxedDNSSearchValidation",
    "RelaxedEnvironmentVariableValidation",
    "SidecarContainers",
    "SupplementalGroupsPolicy",
    "UserNamespacesSupport",
];

/// Which features are on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// What has been asked for; all others are as they are shipped.
    asked: BTreeMap<String, bool>,
}

/// Why a list of gates is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// No feature has that name, or it makes no difference here.
    #[error("unrecognized feature gate: {0} (known here: {known})", known = known())]
    Unrecognized(String),
    /// It says neither on nor off.
    #[error("missing bool value for {0}")]
    Missing(String),
    /// It says something else.
    #[error("invalid value of {name}={value}, err: strconv.ParseBool: parsing {value:?}: invalid syntax")]
    Invalid {
        /// The gate.
        name: String,
        /// What was given.
        value: String,
    },
    /// It can't be switched any more.
    #[error("cannot set feature gate {0} to false, feature is locked to true")]
    Locked(String),
}

/// Every gate that can be switched: its name, its stage, and whether it is on as shipped.
#[cfg(test)]
pub(crate) fn shipped() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    FEATURES.into_iter().map(|(_, name, stage)| match stage {
        Stage::Alpha => (name, "alpha", false),
        Stage::Beta => (name, "beta", true),
    })
}

fn known() -> String {
    let names = FEATURES.iter().map(|(_, name, _)| *name);
    ["AllAlpha", "AllBeta"]
        .into_iter()
        .chain(names)
        .collect::<Vec<_>>()
        .join(", ")
}

impl Features {
    /// Reads `A=true,B=false`.
    ///
    /// # Errors
    /// The first gate that can't be set so, in Kubernetes' words.
    pub fn parse(text: &str) -> Result<Self, FeatureError> {
        let mut asked = BTreeMap::new();
        for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
            let (name, value) = one
                .split_once('=')
                .ok_or_else(|| FeatureError::Missing(one.to_owned()))?;
            let (name, value) = (name.trim(), value.trim());
            let on = match value {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
                "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
                _ => {
                    return Err(FeatureError::Invalid {
                        name: name.to_owned(),
                        value: value.to_owned(),
                    });
                }
            };
            let is_known =
                matches!(name, "AllAlpha" | "AllBeta") || FEATURES.iter().any(|(_, known, _)| *known == name);
            if LOCKED.contains(&name) {
                if !on {
                    return Err(FeatureError::Locked(name.to_owned()));
                }
            } else if is_known {
                asked.insert(name.to_owned(), on);
            } else {
                return Err(FeatureError::Unrecognized(name.to_owned()));
            }
        }
        Ok(Self { asked })
    }

    /// Whether a feature is on.
    pub fn has(&self, feature: Feature) -> bool {
        let Some((_, name, stage)) = FEATURES.iter().find(|(known, ..)| *known == feature) else {
            return false;
        };
        let of_stage = if *stage == Stage::Alpha { "AllAlpha" } else { "AllBeta" };
        let asked = self.asked.get(*name).or_else(|| self.asked.get(of_stage));
        asked.copied().unwrap_or(*stage == Stage::Beta)
    }

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
    fn features_stand_as_they_are_shipped_unless_asked_otherwise() {
        let shipped = Features::default();
        assert!(shipped.has(Feature::ContainerRestartRules) && !shipped.has(Feature::ContainerStopSignals));
        let features = Features::parse("AllAlpha=true, ContainerRestartRules=false,SidecarContainers=true").unwrap();
        assert!(!features.has(Feature::ContainerRestartRules) && features.has(Feature::ContainerStopSignals));
    }

    #[test]
    fn what_is_wrong_with_a_gate_is_said_in_kubernetes_words() {
        let why = |text: &str| Features::parse(text).unwrap_err().to_string();
        assert!(why("Nope=true").starts_with("unrecognized feature gate: Nope (known here: AllAlpha, "));
        assert_eq!(why("EnvFiles"), "missing bool value for EnvFiles");
        assert_eq!(
            why("EnvFiles=maybe"),
            "invalid value of EnvFiles=maybe, err: strconv.ParseBool: parsing \"maybe\": invalid syntax"
        );
        assert_eq!(
            why("SidecarContainers=false"),
            "cannot set feature gate SidecarContainers to false, feature is locked to true"
        );
    }

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
