//! What a list or a watch asks for besides selectors, and which of it goes together
//! (`apimachinery/pkg/apis/meta/internalversion/validation`).

use serde_json::Value;

use super::admission::{FieldError, Kind, Rejection};
use super::query::Query;
use super::status::Status;
use crate::store::Resource;

/// Refuses options that contradict each other.
///
/// # Errors
/// All of them, in the server's words.
pub(super) fn check(resource: Resource, query: &Query, watches: bool) -> Result<(), Status> {
    let errors = if watches { of_watch(query) } else { of_list(query) };
    if errors.is_empty() {
        return Ok(());
    }
    let rejection = Rejection::Invalid {
        kind: "ListOptions.meta.k8s.io",
        name: String::new(),
        errors,
    };
    Err(Status::rejected(&rejection, resource, ""))
}

fn of_list(query: &Query) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(matching) = query.get("resourceVersionMatch") {
        if query.get("resourceVersion").is_none() {
            errors.push(forbidden(
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ));
        }
        if query.get("continue").is_some() {
            errors.push(forbidden("resourceVersionMatch is forbidden when continue is provided"));
        }
        if !matches!(matching, "Exact" | "NotOlderThan") {
            errors.push(not_supported(matching, "supported values: \"Exact\", \"NotOlderThan\""));
        }
        if matching == "Exact" && query.get("resourceVersion") == Some("0") {
            errors.push(forbidden(
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ));
        }
    }
    if query.get("sendInitialEvents").is_some() {
        errors.push(FieldError {
            path: "sendInitialEvents".into(),
            ..forbidden("sendInitialEvents is forbidden for list")
        });
    }
    errors
}

fn of_watch(query: &Query) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let matching = query.get("resourceVersionMatch");
    let initial = query.get("sendInitialEvents").is_some();
    if initial && matching != Some("NotOlderThan") {
        errors.push(forbidden(
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ));
    }
    if let Some(matching) = matching {
        if !initial {
            errors.push(forbidden(
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ));
        }
        if matching != "NotOlderThan" {
            errors.push(not_supported(matching, "supported values: \"NotOlderThan\""));
        }
        if query.get("continue").is_some() {
            errors.push(forbidden("resourceVersionMatch is forbidden when continue is provided"));
        }
    }
    errors
}

fn forbidden(why: &str) -> FieldError {
    FieldError {
        path: "resourceVersionMatch".into(),
        kind: Kind::Forbidden,
        value: Value::Null,
        detail: why.into(),
    }
}

fn not_supported(given: &str, supported: &str) -> FieldError {
    FieldError {
        kind: Kind::NotSupported,
        value: given.into(),
        ..forbidden(supported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(query: &str, watches: bool) -> String {
        match check(Resource::Pods, &Query::parse(query), watches) {
            Ok(()) => String::new(),
            Err(status) => {
                let head = "ListOptions.meta.k8s.io \"\" is invalid: ";
                status.message.strip_prefix(head).unwrap().to_owned()
            }
        }
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        for (query, watches, words) in [
            ("resourceVersion=5&resourceVersionMatch=Exact", false, ""),
            ("sendInitialEvents=true&resourceVersionMatch=NotOlderThan", true, ""),
            (
                "resourceVersionMatch=Exact",
                false,
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
            ),
            (
                "resourceVersion=0&resourceVersionMatch=Exact",
                false,
                "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ),
            (
                "resourceVersion=1&resourceVersionMatch=Foo",
                false,
                "resourceVersionMatch: Unsupported value: \"Foo\": supported values: \"Exact\", \"NotOlderThan\"",
            ),
            (
                "sendInitialEvents=true",
                false,
                "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list",
            ),
            (
                "sendInitialEvents=true",
                true,
                "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ),
            (
                "resourceVersionMatch=NotOlderThan",
                true,
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ),
        ] {
            assert_eq!(refusal(query, watches), words, "{query}");
        }
    }
}
