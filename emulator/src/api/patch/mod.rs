//! The patches of `PATCH`: JSON patch, merge patch, strategic merge patch.

mod json;
mod strategic;

use serde_json::Value;

/// The kinds of patches that change what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Kubernetes' own: lists are merged by keys.
    Strategic,
}

/// What the server takes, as it lists them.
pub(super) const ACCEPTED: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

impl Kind {
    /// The kind that a content type names.
    pub(super) fn of(media_type: &str) -> Option<Self> {
        match media_type {
            "application/json-patch+json" => Some(Self::Json),
            "application/merge-patch+json" => Some(Self::Merge),
            "application/strategic-merge-patch+json" => Some(Self::Strategic),
            _ => None,
        }
    }
}

/// Why a patch can't be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PatchError {
    /// It is no patch.
    Unreadable(String),
    /// It does not fit the object.
    Unfit(String),
    /// It goes beyond a limit.
    TooLarge(String),
}

/// Applies the patch in `body` to `object`.
pub(super) fn apply(kind: Kind, object: &mut Value, body: &[u8]) -> Result<(), PatchError> {
    let unreadable = |error: serde_json::Error| PatchError::Unreadable(format!("error decoding patch: {error}"));
    match kind {
        Kind::Json => json::apply(object, body),
        Kind::Merge => {
            let patch: Value = serde_json::from_slice(body).map_err(unreadable)?;
            if !patch.is_object() {
                return Err(PatchError::Unreadable(
                    "error decoding patch: Invalid JSON Patch".into(),
                ));
            }
            json_patch::merge(object, &patch);
            Ok(())
        }
        Kind::Strategic => {
            let patch: Value = serde_json::from_slice(body).map_err(unreadable)?;
            strategic::merge(object, &patch).map_err(PatchError::Unreadable)
        }
    }
}
