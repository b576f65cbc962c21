//! Questions about oneself: who am I, may I; and tokens for service accounts.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::Api;
use super::answer::json as answer;
use super::request::Asked;
use super::status::Status;
use super::target::Target;
use super::time::seconds;
use super::user::User;
use crate::store::{Key, Resource};
use crate::tokens::Subject;

/// How long a token is valid where the client does not say.
const LIFETIME: i64 = 3600;

/// The answer to a review of a kind.
pub(super) fn review(kind: &str, user: &User, asked: &Asked) -> Response<Body> {
    // What is asked about does not matter: every user may all or nothing.
    let given: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let spec = Some(given["spec"].clone())
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({}));
    let all = json!(["*"]);
    let (group, mut object) = match kind {
        "SelfSubjectReview" => {
            let info = json!({"username": user.name(), "groups": user.groups()});
            ("authentication.k8s.io/v1", json!({"status": {"userInfo": info}}))
        }
        "SelfSubjectRulesReview" => {
            let (mut resources, mut paths) = (Vec::new(), Vec::new());
            if user.may() {
                resources.push(json!({"verbs": all, "apiGroups": all, "resources": all}));
                paths.push(json!({"verbs": all, "nonResourceURLs": all}));
            }
            let status = json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false});
            ("authorization.k8s.io/v1", json!({"spec": spec, "status": status}))
        }
        _ => (
            "authorization.k8s.io/v1",
            json!({"spec": spec, "status": {"allowed": user.may()}}),
        ),
    };
    object["kind"] = kind.into();
    object["apiVersion"] = group.into();
    object["metadata"] = json!({});
    answer(StatusCode::CREATED, &object, &[])
}

/// `POST …/serviceaccounts/NAME/token`.
pub(super) fn token(api: &Api, target: &Target, name: &str, asked: &Asked) -> Result<Response<Body>, Status> {
    let account = api
        .store
        .get(&target.key(name))
        .ok_or_else(|| Status::not_found(target.resource, name))?;
    let mut request: Value =
        serde_json::from_slice(&asked.body).map_err(|error| Status::bad_request(error.to_string()))?;
    let namespace = target.namespace.clone().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let bound = &request["spec"]["boundObjectRef"];
    let pod = match bound["kind"].as_str() {
        None => None,
        Some("Pod") => {
            let pod_name = text(&bound["name"]);
            let pod = api
                .store
                .get(&Key::new(Resource::Pods, namespace.as_str(), pod_name.as_str()));
            let pod = pod.ok_or_else(|| Status::not_found(Resource::Pods, &pod_name))?;
            Some((pod_name, text(&pod["metadata"]["uid"])))
        }
        Some(other) => {
            return Err(Status::bad_request(format!(
                "cannot bind token for serviceaccount {name} to {other}"
            )));
        }
    };
    let subject = Subject {
        namespace,
        service_account: name.to_owned(),
        service_account_uid: text(&account["metadata"]["uid"]),
        pod,
    };
    let audiences: Vec<String> = request["spec"]["audiences"]
        .as_array()
        .into_iter()
        .flatten()
        .map(text)
        .collect();
    let lifetime = SignedDuration::from_secs(request["spec"]["expirationSeconds"].as_i64().unwrap_or(LIFETIME));
    let (token, expires) = api
        .signer
        .mint(&subject, &audiences, api.clock.now(), lifetime)
        .map_err(Status::internal)?;
    request["kind"] = "TokenRequest".into();
    request["apiVersion"] = "authentication.k8s.io/v1".into();
    request["status"] = json!({"token": token, "expirationTimestamp": seconds(expires)});
    Ok(answer(StatusCode::CREATED, &request, &[]))
}
