//! Which empty fields an answer leaves out (Go's `omitempty`): a field that the client gave as empty and one
//! that it did not give are the same object.

use serde_json::Value;

use super::schema::{Field, Type};

/// Whether a field with this value is not written.
pub(super) fn is_left_out(structure: &str, field: &Field, value: &Value) -> bool {
    match value {
        Value::Null => !is_written_as_null(&field.name),
        _ if field.required => false,
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty() && matches!(field.kind, Type::Map(_)),
        Value::String(text) => text.is_empty() && !has_meaning_when_empty(structure, &field.name),
        Value::Bool(false) => is_plain_flag(structure, &field.name),
        Value::Number(number) => number.as_i64() == Some(0) && is_plain_number(structure, &field.name),
        Value::Bool(true) => false,
    }
}

/// Times that are written even where they are unset.
fn is_written_as_null(field: &str) -> bool {
    matches!(
        field,
        "lastProbeTime" | "lastTransitionTime" | "firstTimestamp" | "lastTimestamp" | "eventTime"
    )
}

/// Texts that tell "given as empty" from "not given".
fn has_meaning_when_empty(structure: &str, field: &str) -> bool {
    matches!(
        (structure, field),
        ("EnvVarSource" | "GRPCAction", "service")
            | ("HostPathVolumeSource", "type")
            | ("PersistentVolumeClaimSpec", "storageClassName")
            | ("Event", "reportingComponent" | "reportingInstance")
            | ("PodSpec", "runtimeClassName")
    )
}

/// Flags for which false and absent are the same.
fn is_plain_flag(structure: &str, field: &str) -> bool {
    matches!(
        (structure, field),
        ("PodSpec", "hostNetwork" | "hostPID" | "hostIPC")
            | ("Container" | "EphemeralContainer", "stdin" | "stdinOnce" | "tty")
            | (
                "VolumeMount" | "PersistentVolumeClaimVolumeSource" | "NFSVolumeSource",
                "readOnly"
            )
    )
}

/// Numbers for which 0 and absent are the same.
fn is_plain_number(structure: &str, field: &str) -> bool {
    matches!(
        (structure, field),
        ("ContainerPort", "hostPort" | "containerPort")
            | (
                "Probe",
                "initialDelaySeconds" | "timeoutSeconds" | "periodSeconds" | "successThreshold" | "failureThreshold"
            )
            | ("Event", "count")
            | ("ObjectMeta", "generation")
    )
}
