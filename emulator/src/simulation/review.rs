//! The verdict of the API server on a manifest: what it would refuse, and what it would warn of.

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    node::{provide_named, provide_namespace},
    objects::{admit, text, without_runtime_class},
};
use crate::{
    api::admission::{self, AdmissionContext, FieldError, Rejection, WrongType},
    features::Features,
    store::{Key, Resource, Store},
};

/// The verdict on a manifest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Review {
    /// Each reason why it would be refused.
    pub faults: Vec<Fault>,
    /// The texts of the `Warning:` headers.
    pub warnings: Vec<String>,
}

/// A reason why a manifest would be refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// A field that this version of the API does not have.
    Unknown {
        /// The path of the field.
        path: String,
    },
    /// A value of a wrong type.
    Type(WrongType),
    /// A value that the validation refuses.
    Field(FieldError),
    /// A rule about the object as a whole.
    Rule(String),
}

impl Fault {
    /// The path of the field; empty where the fault is the object's as a whole.
    pub fn path(&self) -> &str {
        match self {
            Self::Unknown { path } | Self::Type(WrongType { path, .. }) => path,
            Self::Field(error) => &error.path,
            Self::Rule(_) => "",
        }
    }
}

impl fmt::Display for Fault {
    /// The server's words, without the path of a field that is validated.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { path } => write!(formatter, "unknown field \"{path}\""),
            Self::Type(wrong) => formatter.write_str(&wrong.message),
            Self::Field(error) => formatter.write_str(&error.body()),
            Self::Rule(why) => formatter.write_str(why),
        }
    }
}

/// Reviews a pod beside the other objects of its file. All that it names outside of the file is taken to exist.
pub fn review(pod: &Value, companions: &[Value], now: Timestamp) -> Review {
    let mut review = Review::default();
    let mut pod = pod.clone();
    match admission::check(Resource::Pods, &mut pod) {
        Ok(unknown) => review
            .faults
            .extend(unknown.into_iter().map(|path| Fault::Unknown { path })),
        Err(wrong) => {
            review.faults.push(Fault::Type(wrong));
            return review;
        }
    }
    let store = Store::in_memory();
    let namespace = text(&pod["metadata"]["namespace"], "default").to_owned();
    provide_namespace(&store, &namespace, now);
    for companion in companions {
        // One that is refused itself changes nothing of the verdict on the pod.
        drop(admit(&store, companion, &namespace, now, |_| {}));
    }
    provide_named(&store, &pod, &namespace, now);
    let lookup = |key: &Key| store.get(key);
    let context = AdmissionContext {
        namespace: &namespace,
        now,
        lookup: &lookup,
        priority_classes: &store.list(Resource::PriorityClasses, None).0,
        limit_ranges: &store.list(Resource::LimitRanges, Some(&namespace)).0,
    };
    without_runtime_class(&mut pod);
    match admission::admit_new(Resource::Pods, &mut pod, &context, &Features::default()) {
        Ok(warnings) => review.warnings = warnings,
        Err(rejection) => {
            match rejection {
                Rejection::Invalid { errors, .. } => review.faults.extend(errors.into_iter().map(Fault::Field)),
                Rejection::Forbidden { why, .. } => review.faults.push(Fault::Rule(why)),
                other => review.faults.push(Fault::Rule(other.to_string())),
            }
            let found = admission::warnings(Resource::Pods, &pod);
            review.warnings = found.iter().map(ToString::to_string).collect();
        }
    }
    review
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reviewed(spec: Value) -> Review {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec});
        review(&pod, &[], Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn every_fault_is_found_at_its_field() {
        let found = reviewed(
            json!({"restartPolicy": "always", "evictionResponders": [], "serviceAccountName": "own",
            "runtimeClassName": "gvisor", "priorityClassName": "high",
            "containers": [{"name": "a", "image": "i", "imagePullPolicy": "always"}]}),
        );
        let paths: Vec<&str> = found.faults.iter().map(Fault::path).collect();
        assert_eq!(
            paths,
            [
                "spec.evictionResponders",
                "spec.containers[0].imagePullPolicy",
                "spec.restartPolicy"
            ]
        );
        assert_eq!(
            found.faults[2].to_string(),
            "Unsupported value: \"always\": supported values: \"Always\", \"OnFailure\", \"Never\""
        );
    }

    #[test]
    fn wrong_types_have_their_whole_path() {
        let found = reviewed(
            json!({"containers": [{"name": "a", "image": "i", "ports": [{"containerPort": 99_999_999_999_u64}]}]}),
        );
        assert_eq!(found.faults[0].path(), "spec.containers[0].ports[0].containerPort");
    }

    #[test]
    fn warnings_come_with_and_without_faults() {
        let spec = |policy: &str| {
            json!({"restartPolicy": policy, "containers": [{"name": "a", "image": "i", "env":
            [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}]})
        };
        let (taken, refused) = (reviewed(spec("Never")), reviewed(spec("never")));
        assert!(taken.faults.is_empty() && refused.faults.len() == 1);
        assert_eq!(taken.warnings, refused.warnings);
        assert!(taken.warnings[0].starts_with("spec.containers[0].env[1]: "));
    }

    #[test]
    fn values_of_features_that_are_off_are_refused() {
        let found = reviewed(json!({"containers": [{"name": "a", "image": "i"}],
            "tolerations": [{"key": "k", "operator": "Gt", "value": "5", "effect": "NoSchedule"}]}));
        assert_eq!(found.faults[0].path(), "spec.tolerations[0].operator");
    }
}
