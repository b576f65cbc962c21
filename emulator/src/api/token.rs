//! `serviceaccounts/token`: tokens for whoever may ask for one.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use jiff::SignedDuration;
use k8s_openapi::api::authentication::v1::{TokenRequest as Object, TokenRequestStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Api;
use super::admission::{FieldError, Kind, Rejection};
use super::answer::json as answer;
use super::part::Part;
use super::request::Asked;
use super::status::Status;
use super::target::Target;
use crate::store::Resource;
use crate::token_request::{self, TokenRequest, TokenRequestError};
use crate::tokens::{ISSUER, ObjectReference};

/// How long a token is valid where the client does not say, in seconds.
const DEFAULT: i64 = 3600;
/// The shortest time, in seconds.
const SHORTEST: i64 = 600;
/// The longest time, in seconds.
const LONGEST: i64 = 1 << 32;

/// Answers `POST …/serviceaccounts/NAME/token`.
///
/// # Errors
/// A body that is no TokenRequest, a lifetime out of bounds, objects that do not exist or do not fit.
pub(super) fn create(api: &Api, target: &Target, name: &str, asked: &Asked) -> Result<Response<Body>, Status> {
    let body = Part::TOKEN_REQUEST.read(&asked.body)?;
    let mut body: Object = serde_json::from_value(body).map_err(|error| Status::bad_request(error.to_string()))?;
    let mut spec = body.spec.take().unwrap_or_default();
    let namespace = target.namespace.clone().unwrap_or_default();
    for (field, given, own) in [
        ("name", &mut body.metadata.name, name),
        ("namespace", &mut body.metadata.namespace, namespace.as_str()),
    ] {
        match given.as_deref().filter(|given| !given.is_empty()) {
            Some(other) if other != own => {
                let detail = format!("must match the service account {field} if specified");
                return Err(invalid(name, &format!("metadata.{field}"), other.into(), &detail));
            }
            _ => *given = Some(own.to_owned()),
        }
    }
    if api.store.get(&target.key(name)).is_none() {
        return Err(Status::not_found(target.resource, name));
    }
    let seconds = spec.expiration_seconds.unwrap_or(DEFAULT);
    let field = "spec.expirationSeconds";
    if seconds < SHORTEST {
        return Err(invalid(
            "",
            field,
            seconds.into(),
            "may not specify a duration less than 10 minutes",
        ));
    }
    if seconds > LONGEST {
        return Err(invalid(
            "",
            field,
            seconds.into(),
            "may not specify a duration larger than 2^32 seconds",
        ));
    }
    let bound = spec.bound_object_ref.as_ref().map(|reference| {
        let (kind, version) = (
            reference.kind.as_deref().unwrap_or_default(),
            reference.api_version.as_deref().unwrap_or_default(),
        );
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource = match kind {
            "Pod" if group.is_empty() => Resource::Pods,
            "Secret" if group.is_empty() => Resource::Secrets,
            "Node" if group.is_empty() => Resource::Nodes,
            _ => {
                let object = format!("{group}/{version}, Kind={kind}");
                return Err(Status::bad_request(format!(
                    "cannot bind token to object of type {object}"
                )));
            }
        };
        let object = ObjectReference {
            name: reference.name.clone().unwrap_or_default(),
            uid: reference.uid.clone().unwrap_or_default(),
        };
        Ok((resource, object))
    });
    let bound = bound.transpose()?;
    let mut audiences = spec.audiences.take().unwrap_or_default();
    if audiences.is_empty() {
        audiences.push(ISSUER.to_owned());
    }
    spec.audiences = Some(audiences.clone());
    let now = api.clock.now();
    let expiration = SignedDuration::from_secs(seconds);
    let request = TokenRequest {
        namespace,
        service_account: name.to_owned(),
        audiences,
        expiration,
        bound,
    };
    let token =
        token_request::issue(&api.store, &api.signer, &request, now).map_err(|error| refused(&request, &error))?;
    body.metadata.creation_timestamp = Some(Time(now));
    spec.expiration_seconds = Some(seconds);
    body.spec = Some(spec);
    body.status = Some(TokenRequestStatus {
        token: Some(token),
        // Where the token is valid for longer, clients are to renew it as if it were not.
        expiration_timestamp: Some(Time(now.checked_add(expiration).unwrap_or(jiff::Timestamp::MAX))),
    });
    let body = serde_json::to_value(&body).map_err(Status::internal)?;
    Ok(answer(StatusCode::CREATED, &body, &[]))
}

fn invalid(name: &str, path: &str, value: serde_json::Value, detail: &str) -> Status {
    let rejection = Rejection::Invalid {
        kind: "TokenRequest.authentication.k8s.io",
        name: name.to_owned(),
        errors: vec![FieldError {
            path: path.to_owned(),
            kind: Kind::Invalid,
            value,
            detail: detail.to_owned(),
        }],
    };
    Status::rejected(&rejection, Resource::ServiceAccounts, name)
}

fn refused(request: &TokenRequest, error: &TokenRequestError) -> Status {
    match error {
        TokenRequestError::NotFound { resource, name } => Status::not_found(*resource, name),
        TokenRequestError::OtherServiceAccount(_) => Status::bad_request(error.to_string()),
        TokenRequestError::OtherObject(_) => {
            let bound = request.bound.as_ref();
            let (kind, name) = bound.map_or(("", ""), |(resource, object)| (resource.kind(), object.name.as_str()));
            Status::conflict_on(kind, name, &error.to_string())
        }
        TokenRequestError::Signing(_) => Status::internal(error),
    }
}
