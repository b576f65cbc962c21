//! From a client's tree to an object: types checked, unknown fields found, empty fields left out.

use base64::Engine as _;
use jiff::Timestamp;
use serde_json::{Number, Value};

use super::{
    document::Document,
    omit,
    quantity::Quantity,
    schema::{Schema, Type},
};
use crate::store::Resource;

/// What `fieldValidation=` says about fields that are not known or given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Refuse them.
    Strict,
    /// Drop them, and say so.
    #[default]
    Warn,
    /// Drop them.
    Ignore,
}

impl FieldValidation {
    /// The value of the query parameter; absent and empty mean Warn.
    ///
    /// # Errors
    /// The server's words for another value.
    pub fn parse(value: Option<&str>) -> Result<Self, String> {
        match value {
            None | Some("" | "Warn") => Ok(Self::Warn),
            Some("Strict") => Ok(Self::Strict),
            Some("Ignore") => Ok(Self::Ignore),
            Some(other) => Err(format!(
                "fieldValidation: Unsupported value: \"{other}\": supported values: \"Ignore\", \"Strict\", \"Warn\""
            )),
        }
    }
}

/// An object that was read, with what is to be said about it in `Warning:` headers.
#[derive(Debug)]
pub struct Decoded {
    /// The object: only known fields, of the right types.
    pub object: Value,
    /// `unknown field "spec.foo"`.
    pub warnings: Vec<String>,
}

/// The most strict errors that one answer lists, as in Kubernetes.
const MOST_ERRORS: usize = 100;

/// Reads a request's body into an object of a kind.
///
/// # Errors
/// The words of a BadRequest.
pub fn decode(
    resource: Resource,
    body: &[u8],
    content_type: &str,
    validation: FieldValidation,
) -> Result<Decoded, String> {
    let media = content_type.split(';').next().unwrap_or_default().trim();
    let document = match media {
        "application/yaml" | "application/apply-patch+yaml" => {
            Document::from_yaml(body).map_err(|error| format!("error converting YAML to JSON: {error}"))?
        }
        _ => Document::from_json(body)
            .map_err(|error| format!("couldn't get version/kind; json parse error: {error}"))?,
    };
    decode_document(resource, document, validation)
}

/// The same for a body that was read already, or the result of a patch.
///
/// # Errors
/// The words of a BadRequest.
pub fn decode_document(resource: Resource, document: Document, validation: FieldValidation) -> Result<Decoded, String> {
    let Document { mut value, duplicates } = document;
    let kind = resource.kind();
    let cannot = |error: &str| format!("{kind} in version \"v1\" cannot be handled as a {kind}: {error}");
    if !value.is_object() {
        return Err(cannot(&format!(
            "json: cannot unmarshal {} into Go value of type v1.{kind}",
            describe(&value)
        )));
    }
    if let Some(version) = value["apiVersion"].as_str()
        && version != "v1"
        && !version.is_empty()
    {
        return Err(format!(
            "the API version in the data ({version}) does not match the expected API version (v1)"
        ));
    }
    if let Some(given) = value["kind"].as_str()
        && given != kind
        && !given.is_empty()
    {
        return Err(format!(
            "{given} in version \"v1\" cannot be handled as a {kind}: converting (v1.{given}) to (core.{kind}): unknown conversion"
        ));
    }
    let mut problems: Vec<String> = duplicates
        .into_iter()
        .map(|path| format!("duplicate field \"{path}\""))
        .collect();
    problems.extend(check(resource, &mut value).map_err(|error| cannot(&error))?);
    problems.truncate(MOST_ERRORS);
    if let Some(object) = value.as_object_mut() {
        object.insert("apiVersion".into(), "v1".into());
        object.insert("kind".into(), kind.into());
        object
            .entry("metadata")
            .or_insert_with(|| Value::Object(Default::default()));
    }
    match validation {
        FieldValidation::Strict if !problems.is_empty() => {
            Err(cannot(&format!("strict decoding error: {}", problems.join(", "))))
        }
        FieldValidation::Strict | FieldValidation::Ignore => Ok(Decoded {
            object: value,
            warnings: Vec::new(),
        }),
        FieldValidation::Warn => Ok(Decoded {
            object: value,
            warnings: problems,
        }),
    }
}

/// Checks an object against the fields of its kind, and takes out what is unknown or empty.
///
/// Returns `unknown field "…"` for each unknown field.
///
/// # Errors
/// The words for the first value of a wrong type.
pub fn check(resource: Resource, object: &mut Value) -> Result<Vec<String>, String> {
    let schema = Schema::get();
    let mut walk = Walk {
        schema,
        path: String::new(),
        names: Vec::new(),
        holder: "",
        unknown: Vec::new(),
    };
    walk.visit(object, schema.root(resource), "")?;
    Ok(walk.unknown)
}

struct Walk {
    schema: &'static Schema,
    /// `spec.containers[0].ports`.
    path: String,
    /// `spec`, `containers`, `ports`: without indices, as Go names a field.
    names: Vec<&'static str>,
    /// The struct that has the field.
    holder: &'static str,
    unknown: Vec<String>,
}

impl Walk {
    fn visit(&mut self, value: &mut Value, kind: &'static Type, go_name: &'static str) -> Result<(), String> {
        match (kind, &mut *value) {
            (Type::Any, _) | (_, Value::Null) => Ok(()),
            (Type::Struct(_), Value::Object(_)) => self.visit_struct(value, kind),
            (Type::List(item), Value::Array(items)) => {
                let length = self.path.len();
                for (index, one) in items.iter_mut().enumerate() {
                    if one.is_null() {
                        *one = zero(item);
                    }
                    self.path.push_str(&format!("[{index}]"));
                    self.visit(one, item, "")?;
                    self.path.truncate(length);
                }
                Ok(())
            }
            (Type::Map(item), Value::Object(entries)) => {
                let length = self.path.len();
                for (key, one) in entries.iter_mut() {
                    if one.is_null() {
                        *one = zero(item);
                    }
                    self.path.push('.');
                    self.path.push_str(key);
                    self.visit(one, item, "")?;
                    self.path.truncate(length);
                }
                Ok(())
            }
            (Type::String, Value::String(_)) | (Type::Bool, Value::Bool(_)) | (Type::Double, Value::Number(_)) => {
                Ok(())
            }
            (Type::Bytes, Value::String(text)) => check_base64(text),
            (Type::Time, Value::String(text)) => text.parse::<Timestamp>().map(|_| ()).map_err(|_| {
                format!("parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"{text}\"")
            }),
            (Type::Int32, Value::Number(number)) if fits(number, i64::from(i32::MIN), i64::from(i32::MAX)) => Ok(()),
            (Type::Int64, Value::Number(number)) if fits(number, i64::MIN, i64::MAX) => Ok(()),
            (Type::IntOrString, Value::String(_)) => Ok(()),
            (Type::IntOrString, Value::Number(number)) if fits(number, i64::from(i32::MIN), i64::from(i32::MAX)) => {
                Ok(())
            }
            (Type::Quantity, Value::String(_) | Value::Number(_)) => {
                let text = match &*value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let amount: Quantity = text.parse().map_err(|error| format!("{error}"))?;
                *value = Value::String(amount.to_string());
                Ok(())
            }
            (Type::Quantity, _) => Err(super::quantity::QuantityError::Format.to_string()),
            (_, other) => Err(self.wrong_type(other, kind, go_name)),
        }
    }

    fn visit_struct(&mut self, value: &mut Value, kind: &'static Type) -> Result<(), String> {
        let (Type::Struct(index), Value::Object(map)) = (kind, value) else {
            return Ok(());
        };
        let Some(structure) = self.schema.structure(*index) else {
            return Ok(());
        };
        let length = self.path.len();
        let outer = std::mem::replace(&mut self.holder, &structure.name);
        let keys: Vec<String> = map.keys().cloned().collect();
        for key in keys {
            let Some(field) = structure.field(&key) else {
                if self.unknown.len() < MOST_ERRORS {
                    let dot = if length > 0 { "." } else { "" };
                    self.unknown
                        .push(format!("unknown field \"{}{dot}{key}\"", &self.path[..length]));
                }
                map.shift_remove(&key);
                continue;
            };
            let Some(inner) = map.get_mut(&key) else { continue };
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(&key);
            self.names.push(&field.name);
            self.visit(inner, &field.kind, &field.name)?;
            self.names.pop();
            self.path.truncate(length);
            if omit::is_left_out(&structure.name, field, inner) {
                map.shift_remove(&key);
            }
        }
        self.holder = outer;
        Ok(())
    }

    fn wrong_type(&self, value: &Value, kind: &Type, go_name: &str) -> String {
        let what = match (kind, value) {
            (Type::Int32 | Type::Int64 | Type::IntOrString, Value::Number(number)) => format!("number {number}"),
            _ => describe(value).to_owned(),
        };
        let go_type = self.go_type(kind, go_name);
        if self.names.is_empty() {
            return format!("json: cannot unmarshal {what} into Go value of type {go_type}");
        }
        format!(
            "json: cannot unmarshal {what} into Go struct field {}.{} of type {go_type}",
            self.holder,
            self.names.join(".")
        )
    }

    fn go_type(&self, kind: &Type, field: &str) -> String {
        match kind {
            Type::Struct(index) => match self.schema.structure(*index) {
                Some(structure) => format!("v1.{}", structure.name),
                None => "interface {}".into(),
            },
            Type::List(item) => format!("[]{}", self.go_type(item, "")),
            Type::Map(item) if matches!(**item, Type::Quantity) => "v1.ResourceList".into(),
            Type::Map(item) => format!("map[string]{}", self.go_type(item, "")),
            Type::String => named_string(self.holder, field).into(),
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

fn fits(number: &Number, least: i64, most: i64) -> bool {
    number.as_i64().is_some_and(|number| (least..=most).contains(&number))
}

fn zero(kind: &Type) -> Value {
    match kind {
        Type::Struct(_) | Type::Map(_) => Value::Object(Default::default()),
        Type::List(_) => Value::Array(Vec::new()),
        Type::String | Type::Bytes => "".into(),
        Type::Quantity => "0".into(),
        Type::Bool => false.into(),
        Type::Int32 | Type::Int64 | Type::Double | Type::IntOrString => 0.into(),
        Type::Time | Type::Any => Value::Null,
    }
}

fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn check_base64(text: &str) -> Result<(), String> {
    use base64::DecodeError;
    // Line breaks are let through, as in Go.
    let bare: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let at = match base64::engine::general_purpose::STANDARD.decode(&bare) {
        Ok(_) => return Ok(()),
        Err(DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _)) => at,
        Err(_) => bare.len(),
    };
    Err(format!("illegal base64 data at input byte {at}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn strict(body: Value) -> Result<Value, String> {
        decode(
            Resource::Pods,
            body.to_string().as_bytes(),
            "application/json",
            FieldValidation::Strict,
        )
        .map(|decoded| decoded.object)
    }

    #[test]
    fn unknown_fields_are_named_with_their_paths() {
        let error =
            strict(json!({"spec": {"contianers": [], "containers": [{"nmae": "a", "name": "b"}]}})).unwrap_err();
        assert_eq!(
            error,
            r#"Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.contianers", unknown field "spec.containers[0].nmae""#
        );
    }

    #[test]
    fn a_field_given_twice_is_named() {
        let error = decode(
            Resource::Pods,
            br#"{"spec":{"containers":[{"name":"a","name":"b"}]}}"#,
            "application/json",
            FieldValidation::Strict,
        )
        .unwrap_err();
        assert!(
            error.ends_with(r#"strict decoding error: duplicate field "spec.containers[0].name""#),
            "{error}"
        );
    }

    #[test]
    fn warn_drops_and_tells_ignore_drops() {
        let body = br#"{"spec":{"x":1}}"#;
        let warned = decode(Resource::Pods, body, "application/json", FieldValidation::Warn).unwrap();
        assert_eq!(warned.warnings, [r#"unknown field "spec.x""#]);
        assert_eq!(warned.object["spec"], json!({}));
        let ignored = decode(Resource::Pods, body, "application/json", FieldValidation::Ignore).unwrap();
        assert!(ignored.warnings.is_empty());
    }

    #[test]
    fn a_wrong_type_is_told_in_gos_words() {
        for (body, expected) in [
            (
                json!({"spec": {"containers": [{"ports": [{"containerPort": "x"}]}]}}),
                "json: cannot unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32",
            ),
            (
                json!({"spec": {"containers": [{"env": [{"name": "A", "value": 1}]}]}}),
                "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string",
            ),
            (
                json!({"spec": {"containers": "x"}}),
                "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container",
            ),
            (
                json!({"metadata": {"labels": {"a": true}}}),
                "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string",
            ),
            (
                json!({"spec": {"activeDeadlineSeconds": 1.5}}),
                "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.activeDeadlineSeconds of type int64",
            ),
        ] {
            let error = strict(body).unwrap_err();
            assert_eq!(
                error.strip_prefix("Pod in version \"v1\" cannot be handled as a Pod: "),
                Some(expected)
            );
        }
    }

    #[test]
    fn amounts_become_canonical_and_empty_fields_go() {
        let pod = strict(
            json!({"spec": {"hostNetwork": false, "volumes": null, "nodeName": "", "containers": [
            {"name": "a", "env": [], "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}}}]}}),
        )
        .unwrap();
        assert_eq!(
            pod["spec"],
            json!({"containers": [{"name": "a", "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}}]})
        );
    }

    #[test]
    fn another_kind_is_refused() {
        assert!(strict(json!({"kind": "ConfigMap", "apiVersion": "v1"})).is_err());
        assert!(strict(json!({"kind": "Pod", "apiVersion": "v2"})).is_err());
        assert!(strict(json!([])).is_err());
    }
}
