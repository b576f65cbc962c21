//! Levels and versions of the Pod Security Standards, and the policy of a namespace
//! (`k8s.io/pod-security-admission/api`).

use std::fmt;

use serde_json::Value;

use crate::api::admission::field_error::{Errors, FieldError, Path};

/// How strict a policy is; a later one is stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything is allowed.
    Privileged,
    /// Known ways to more rights are forbidden.
    Baseline,
    /// What is recommended for hardened pods.
    Restricted,
}

impl Level {
    /// The level of that name.
    fn parse(text: &str) -> Option<Self> {
        [Self::Privileged, Self::Baseline, Self::Restricted]
            .into_iter()
            .find(|level| level.name() == text)
    }

    /// The level's name in labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// The Kubernetes release whose version of a policy is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The server's own.
    Latest,
    /// `v1.MINOR`.
    Minor(u32),
}

impl Version {
    /// Reads `latest` or `v1.MINOR`.
    fn parse(text: &str) -> Option<Self> {
        if text == "latest" {
            return Some(Self::Latest);
        }
        let minor = text.strip_prefix("v1.")?;
        let is_canonical = minor == "0" || !minor.starts_with('0');
        let is_number = !minor.is_empty() && minor.bytes().all(|digit| digit.is_ascii_digit());
        (is_canonical && is_number).then(|| minor.parse().ok().map(Self::Minor))?
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => formatter.write_str("latest"),
            Self::Minor(minor) => write!(formatter, "v1.{minor}"),
        }
    }
}

/// A level as some release defines it: `restricted:v1.30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelVersion {
    /// The level.
    pub level: Level,
    /// The release.
    pub version: Version,
}

impl LevelVersion {
    /// The level as the server's own release defines it.
    pub fn latest(level: Level) -> Self {
        Self {
            level,
            version: Version::Latest,
        }
    }
}

impl fmt::Display for LevelVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.level.name(), self.version)
    }
}

/// What a namespace asks of its pods. The third mode, `audit`, only writes to an audit log, which the emulator has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    /// Pods below this level are refused.
    pub(super) enforce: LevelVersion,
    /// Pods and templates below this level are warned of.
    pub(super) warn: LevelVersion,
}

const PREFIX: &str = "pod-security.kubernetes.io/";

/// Reads the labels of a namespace. There is always a policy, even where labels are wrong.
pub(super) fn policy(labels: &Value) -> (Policy, Vec<FieldError>) {
    let mut errors = Errors::default();
    let enforce = Mode::read(labels, "enforce", &mut errors);
    Mode::read(labels, "audit", &mut errors);
    let warn = Mode::read(labels, "warn", &mut errors);
    let enforced = LevelVersion {
        level: match enforce.level {
            Label::Absent => Level::Privileged,
            Label::Read(level) => level,
            Label::Invalid => Level::Restricted,
        },
        version: enforce.version.value().unwrap_or(Version::Latest),
    };
    let is_warned_of = matches!(enforce.level, Label::Read(level) if level > Level::Privileged);
    let warned = match (warn.level, warn.version) {
        // Where nothing else is said, what is refused is warned of.
        (Label::Absent, Label::Absent) if is_warned_of => enforced,
        (level, version) => LevelVersion {
            level: match level {
                Label::Absent if is_warned_of => enforced.level,
                Label::Read(level) => level,
                Label::Absent | Label::Invalid => Level::Privileged,
            },
            version: version.value().unwrap_or(Version::Latest),
        },
    };
    let policy = Policy {
        enforce: enforced,
        warn: warned,
    };
    (policy, errors.into_inner())
}

/// The value of a label.
#[derive(Clone, Copy, Debug)]
enum Label<T> {
    Absent,
    Invalid,
    Read(T),
}

impl<T> Label<T> {
    fn value(self) -> Option<T> {
        match self {
            Self::Read(value) => Some(value),
            Self::Absent | Self::Invalid => None,
        }
    }
}

/// The two labels of a mode.
struct Mode {
    level: Label<Level>,
    version: Label<Version>,
}

impl Mode {
    fn read(labels: &Value, mode: &str, errors: &mut Errors) -> Self {
        Self {
            level: read(
                labels,
                &format!("{PREFIX}{mode}"),
                Level::parse,
                "must be one of privileged, baseline, restricted",
                errors,
            ),
            version: read(
                labels,
                &format!("{PREFIX}{mode}-version"),
                Version::parse,
                "must be \"latest\" or \"v1.x\"",
                errors,
            ),
        }
    }
}

fn read<T>(labels: &Value, name: &str, parse: fn(&str) -> Option<T>, rule: &str, errors: &mut Errors) -> Label<T> {
    let Some(text) = labels[name].as_str() else {
        return Label::Absent;
    };
    parse(text).map_or_else(
        || {
            errors.invalid(&Path::new("metadata").child("labels").key(name), text, rule);
            Label::Invalid
        },
        Label::Read,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn modes(labels: Value) -> (String, String, Vec<String>) {
        let (policy, errors) = policy(&labels);
        let errors = errors.iter().map(ToString::to_string).collect();
        (policy.enforce.to_string(), policy.warn.to_string(), errors)
    }

    #[test]
    fn warn_follows_enforce_unless_it_is_set() {
        for (labels, enforce, warn) in [
            (json!({}), "privileged:latest", "privileged:latest"),
            (json!({"enforce": "baseline"}), "baseline:latest", "baseline:latest"),
            (
                json!({"enforce": "baseline", "enforce-version": "v1.20"}),
                "baseline:v1.20",
                "baseline:v1.20",
            ),
            (
                json!({"enforce": "baseline", "enforce-version": "v1.20", "warn-version": "v1.30"}),
                "baseline:v1.20",
                "baseline:v1.30",
            ),
            (
                json!({"enforce": "baseline", "warn": "privileged"}),
                "baseline:latest",
                "privileged:latest",
            ),
            (
                json!({"enforce": "baseline", "enforce-version": "v1.20", "warn": "restricted"}),
                "baseline:v1.20",
                "restricted:latest",
            ),
        ] {
            let labels: serde_json::Map<String, Value> = labels
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (format!("{PREFIX}{name}"), value.clone()))
                .collect();
            let expected = (enforce.to_owned(), warn.to_owned(), Vec::new());
            assert_eq!(modes(Value::Object(labels.clone())), expected, "{labels:?}");
        }
    }

    #[test]
    fn invalid_labels_enforce_restricted_and_are_named() {
        let labels = json!({
            "pod-security.kubernetes.io/enforce": "strict",
            "pod-security.kubernetes.io/audit": "Baseline",
            "pod-security.kubernetes.io/warn-version": "1.30",
            "pod-security.kubernetes.io/enforce-version": "v1.030",
        });
        let (enforce, warn, errors) = modes(labels);
        assert_eq!(
            (enforce.as_str(), warn.as_str()),
            ("restricted:latest", "privileged:latest")
        );
        assert_eq!(
            errors,
            [
                "metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"strict\": must be one of \
                 privileged, baseline, restricted",
                "metadata.labels[pod-security.kubernetes.io/enforce-version]: Invalid value: \"v1.030\": must be \
                 \"latest\" or \"v1.x\"",
                "metadata.labels[pod-security.kubernetes.io/audit]: Invalid value: \"Baseline\": must be one of \
                 privileged, baseline, restricted",
                "metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: \"1.30\": must be \
                 \"latest\" or \"v1.x\"",
            ]
        );
    }
}
