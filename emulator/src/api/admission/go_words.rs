//! How Go's JSON reader names values and types: its words go into the server's answers.

use serde_json::Value;

use super::schema::{Schema, Type};

/// What Go says of a value of a wrong type, in a field of the struct `holder` that `names` lead to.
pub(super) fn wrong_type(
    schema: &Schema,
    holder: &str,
    names: &[&str],
    value: &Value,
    kind: &Type,
    field: &str,
) -> String {
    let what = match (kind, value) {
        (Type::Int32 | Type::Int64 | Type::IntOrString, Value::Number(number)) => format!("number {number}"),
        _ => describe(value).to_owned(),
    };
    let go_type = go_type(schema, holder, kind, field);
    if names.is_empty() {
        return format!("json: cannot unmarshal {what} into Go value of type {go_type}");
    }
    format!(
        "json: cannot unmarshal {what} into Go struct field {}.{} of type {go_type}",
        holder,
        names.join(".")
    )
}

fn go_type(schema: &Schema, holder: &str, kind: &Type, field: &str) -> String {
    match kind {
        Type::Struct(index) => match schema.structure(*index) {
            Some(structure) => format!("v1.{}", structure.name),
            None => "interface {}".into(),
        },
        Type::List(item) => format!("[]{}", go_type(schema, holder, item, "")),
        Type::Map(item) if matches!(**item, Type::Quantity) => "v1.ResourceList".into(),
        Type::Map(item) => format!("map[string]{}", go_type(schema, holder, item, "")),
        Type::String => named_string(holder, field).into(),
        Type::Bytes => "[]uint8".into(),
        Type::Int32 | Type::IntOrString => "int32".into(),
        Type::Int64 => "int64".into(),
        Type::Double => "float64".into(),
        Type::Bool => "bool".into(),
        Type::Quantity => "resource.Quantity".into(),
        Type::Time => "v1.Time".into(),
        Type::Any => "interface {}".into(),
    }
}

/// Go's name for the type of a text field that has one of its own.
fn named_string(holder: &str, field: &str) -> &'static str {
    match (holder, field) {
        ("PodSpec", "restartPolicy") => "v1.RestartPolicy",
        ("Container" | "EphemeralContainer", "restartPolicy") => "v1.ContainerRestartPolicy",
        (_, "imagePullPolicy" | "pullPolicy") => "v1.PullPolicy",
        (_, "protocol") => "v1.Protocol",
        (_, "dnsPolicy") => "v1.DNSPolicy",
        (_, "scheme") => "v1.URIScheme",
        (_, "terminationMessagePolicy") => "v1.TerminationMessagePolicy",
        (_, "preemptionPolicy") => "v1.PreemptionPolicy",
        ("Toleration", "operator") => "v1.TolerationOperator",
        ("Toleration" | "Taint", "effect") => "v1.TaintEffect",
        ("EmptyDirVolumeSource", "medium") => "v1.StorageMedium",
        ("Secret", "type") => "v1.SecretType",
        ("ObjectReference" | "OwnerReference" | "ObjectMeta", "uid") => "types.UID",
        _ => "string",
    }
}

/// What a value is.
pub(super) fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
