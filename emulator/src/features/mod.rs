//! Feature gates: those that concern pods and make a difference here, as Kubernetes 1.36 ships them
//! (`pkg/features/kube_features.go`).

mod disabled;

use std::collections::BTreeMap;

pub use disabled::Forbidden;

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
}

#[cfg(test)]
mod tests {
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
}
