//! Questions of users about themselves: who am I, and what may I do.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use super::answer::json as answer;
use super::request::Asked;
use super::rules;
use super::status::Status;
use super::user::User;

/// Answers a review of a kind.
///
/// # Errors
/// A question that names no namespace where one is needed.
pub(super) fn review(kind: &str, user: &User, asked: &Asked) -> Result<Response<Body>, Status> {
    let given: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let spec = Some(given["spec"].clone())
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({}));
    let (group, mut object) = match kind {
        "SelfSubjectReview" => (
            "authentication.k8s.io/v1",
            json!({"status": {"userInfo": user_info(user)}}),
        ),
        "SelfSubjectRulesReview" => {
            if spec["namespace"].as_str().unwrap_or_default().is_empty() {
                return Err(Status::bad_request("no namespace on request"));
            }
            let rules = |about_resources: bool| -> Vec<Value> {
                let rules = rules::of(user).filter(|rule| rule.is_about_resources() == about_resources);
                rules.map(rules::Rule::to_value).collect()
            };
            let status = json!({"resourceRules": rules(true), "nonResourceRules": rules(false), "incomplete": false});
            ("authorization.k8s.io/v1", json!({"spec": {}, "status": status}))
        }
        _ => {
            let allowed = is_allowed(user, &spec);
            (
                "authorization.k8s.io/v1",
                json!({"spec": spec, "status": {"allowed": allowed}}),
            )
        }
    };
    object["kind"] = kind.into();
    object["apiVersion"] = group.into();
    object["metadata"] = json!({});
    Ok(answer(StatusCode::CREATED, &object, &[]))
}

/// Returns what the server knows of a user.
fn user_info(user: &User) -> Value {
    let mut info = json!({"username": user.name()});
    if let Some(uid) = user.uid() {
        info["uid"] = uid.into();
    }
    info["groups"] = json!(user.groups());
    let extra = user.extra();
    if extra.as_object().is_some_and(|extra| !extra.is_empty()) {
        info["extra"] = extra;
    }
    info
}

/// Returns whether a user may do what the spec of a SelfSubjectAccessReview asks about.
fn is_allowed(user: &User, spec: &Value) -> bool {
    let (object, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if path.is_object() {
        let (verb, path) = (text(&path["verb"]), text(&path["path"]));
        return rules::of(user).any(|rule| rule.allows_path(&verb, &path));
    }
    let (verb, group) = (text(&object["verb"]), text(&object["group"]));
    let resource = match object["subresource"].as_str() {
        Some(part) if !part.is_empty() => format!("{}/{part}", text(&object["resource"])),
        _ => text(&object["resource"]),
    };
    rules::of(user).any(|rule| rule.allows_resource(&verb, &group, &resource))
}
