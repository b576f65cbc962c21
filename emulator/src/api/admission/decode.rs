//! From a client's tree to an object: types checked, unknown fields found, empty fields left out.

use serde_json::Value;

use super::{
    document::Document,
    fields::{MOST_ERRORS, check},
    go_words::describe,
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
    decode_document(resource, Document::read(body, content_type)?, validation)
}

/// The same for a body that was read already, or the result of a patch.
///
/// # Errors
/// The words of a BadRequest.
pub fn decode_document(resource: Resource, document: Document, validation: FieldValidation) -> Result<Decoded, String> {
    let Document { mut value, duplicates } = document;
    let kind = resource.kind();
    let expected = resource.api_version();
    let cannot = |error: &str| format!("{kind} in version \"v1\" cannot be handled as a {kind}: {error}");
    if !value.is_object() {
        return Err(cannot(&format!(
            "json: cannot unmarshal {} into Go value of type v1.{kind}",
            describe(&value)
        )));
    }
    if let Some(version) = value["apiVersion"].as_str()
        && version != expected
        && !version.is_empty()
    {
        return Err(format!(
            "the API version in the data ({version}) does not match the expected API version ({expected})"
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
    let unknown = check(resource, &mut value).map_err(|error| cannot(&error.message))?;
    problems.extend(unknown.into_iter().map(|path| format!("unknown field \"{path}\"")));
    problems.truncate(MOST_ERRORS);
    if let Some(object) = value.as_object_mut() {
        object.insert("apiVersion".into(), expected.into());
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
