//! Events (`pkg/apis/core/validation/events.go`).

use serde_json::Value;

use crate::api::admission::{
    field_error::{Errors, Path},
    names,
};

/// The longest message of an event that says when it was (`NoteLengthLimit`).
const LONGEST_NOTE: usize = 1024;
/// The longest `action`, `reason` and `reportingInstance` of such an event.
const LONGEST_WORD: usize = 128;

/// Checks an event. One with `eventTime` is of the newer kind, and has to say more.
pub(super) fn check(event: &Value, errors: &mut Errors) {
    let text = |field: &str| event[field].as_str().unwrap_or_default();
    let is_new = !text("eventTime").is_empty();
    let about = event["involvedObject"]["namespace"].as_str().unwrap_or_default();
    let own = event["metadata"]["namespace"].as_str().unwrap_or_default();
    let matches = match about {
        // What it is about belongs to no namespace.
        "" => own == "default" || (is_new && own == "kube-system"),
        about => own == about || is_new,
    };
    if !matches {
        errors.invalid(
            &Path::new("involvedObject").child("namespace"),
            about,
            "does not match event.namespace",
        );
    }
    if !is_new {
        return;
    }
    match text("reportingComponent") {
        "" => errors.required(&Path::new("reportingController"), ""),
        name => errors.invalid_each(&Path::new("reportingController"), name, names::qualified(name)),
    }
    for field in ["reportingInstance", "action", "reason"] {
        match text(field) {
            "" => errors.required(&Path::new(field), ""),
            long if long.len() > LONGEST_WORD => {
                errors.invalid(
                    &Path::new(field),
                    "",
                    format!("can have at most {LONGEST_WORD} characters"),
                );
            }
            _ => {}
        }
    }
    if text("message").len() > LONGEST_NOTE {
        errors.invalid(
            &Path::new("message"),
            "",
            format!("can have at most {LONGEST_NOTE} characters"),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mistakes(event: &Value) -> Vec<String> {
        let mut errors = Errors::default();
        check(event, &mut errors);
        errors.into_inner().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_event_lives_where_its_object_lives() {
        let event =
            |own: &str, about: &str| json!({"metadata": {"namespace": own}, "involvedObject": {"namespace": about}});
        assert_eq!(mistakes(&event("a", "a")), Vec::<String>::new());
        assert_eq!(mistakes(&event("default", "")), Vec::<String>::new());
        let words = "involvedObject.namespace: Invalid value: \"a\": does not match event.namespace";
        assert_eq!(mistakes(&event("b", "a")), [words]);
    }

    #[test]
    fn a_newer_event_says_who_did_what() {
        let mut event = json!({
            "metadata": {"namespace": "a"}, "involvedObject": {"namespace": "a"}, "eventTime": "2026-01-01T00:00:00.000000Z",
        });
        let words = [
            "reportingController: Required value",
            "reportingInstance: Required value",
            "action: Required value",
            "reason: Required value",
        ];
        assert_eq!(mistakes(&event), words);
        for field in ["reportingComponent", "reportingInstance", "action", "reason"] {
            event[field] = json!("x");
        }
        assert_eq!(mistakes(&event), Vec::<String>::new());
    }
}
