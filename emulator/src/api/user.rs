//! Who asks, and what they may do.

use axum::http::{HeaderMap, header};
use serde_json::{Value, json};

use super::rules;
use super::status::Status;
use super::target::Target;
use crate::store::Store;
use crate::token_objects;
use crate::tokens::{Signer, Subject};

/// The name in the administrator's certificate.
pub(super) const ADMINISTRATOR: &str = "kubernetes-admin";

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum User {
    /// Whoever has a certificate of the emulator's CA: there is only the one in the kubeconfig.
    Administrator,
    /// A container with its service account's token.
    ServiceAccount(Subject),
    /// Nobody has said.
    Anonymous,
}

impl User {
    /// The user of a request.
    ///
    /// # Errors
    /// Unauthorized for a token that is not valid, or whose pod or service account is gone.
    pub(super) fn of(
        has_certificate: bool,
        headers: &HeaderMap,
        signer: &Signer,
        store: &Store,
        now: jiff::Timestamp,
    ) -> Result<Self, Status> {
        if has_certificate {
            return Ok(Self::Administrator);
        }
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Ok(Self::Anonymous);
        };
        let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
        let subject = token.and_then(|token| signer.verify(token.trim(), now));
        let subject = subject.filter(|subject| token_objects::all_exist(store, subject, now));
        subject.map(Self::ServiceAccount).ok_or_else(Status::unauthorized)
    }

    /// Its name.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Administrator => ADMINISTRATOR.to_owned(),
            Self::ServiceAccount(subject) => subject.user_name(),
            Self::Anonymous => "system:anonymous".to_owned(),
        }
    }

    /// The groups that it belongs to.
    pub(super) fn groups(&self) -> Vec<String> {
        let names: &[&str] = match self {
            Self::Administrator => &["system:masters", "system:authenticated"],
            Self::ServiceAccount(subject) => {
                let own = format!("system:serviceaccounts:{}", subject.namespace);
                return vec![
                    "system:serviceaccounts".to_owned(),
                    own,
                    "system:authenticated".to_owned(),
                ];
            }
            Self::Anonymous => &["system:unauthenticated"],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Returns the UID of the service account.
    pub(super) fn uid(&self) -> Option<&str> {
        match self {
            Self::ServiceAccount(subject) => Some(&subject.service_account.uid),
            _ => None,
        }
    }

    /// Returns what else is known of the user: of a service account, what its token is bound to
    /// (`apiserver/pkg/authentication/serviceaccount/util.go`, `UserInfo`).
    pub(super) fn extra(&self) -> Value {
        let mut extra = json!({});
        let Self::ServiceAccount(subject) = self else {
            return extra;
        };
        let mut add = |key: &str, value: &str| {
            if !value.is_empty() {
                extra[format!("authentication.kubernetes.io/{key}")] = json!([value]);
            }
        };
        if !subject.token_id.is_empty() {
            add("credential-id", &format!("JTI={}", subject.token_id));
        }
        for (kind, object) in [("node", &subject.node), ("pod", &subject.pod)] {
            if let Some(object) = object {
                add(&format!("{kind}-name"), &object.name);
                add(&format!("{kind}-uid"), &object.uid);
            }
        }
        extra
    }

    /// Whether it may do anything: nobody grants roles here, so it is the administrator or it is not.
    pub(super) fn may(&self) -> bool {
        *self == Self::Administrator
    }

    /// Whether it may read a path that is about no object: what every cluster tells everybody.
    pub(super) fn may_read(&self, path: &str) -> bool {
        rules::of(self).any(|rule| rule.allows_path("get", path))
    }

    /// The refusal of a request for objects.
    pub(super) fn forbidden(&self, verb: &str, target: &Target) -> Status {
        let resource = target.resource.plural();
        let named = target
            .name
            .as_ref()
            .map_or_else(String::new, |name| format!(" \"{name}\""));
        let place = match &target.namespace {
            Some(namespace) => format!("in the namespace \"{namespace}\""),
            None => "at the cluster scope".to_owned(),
        };
        Status::forbidden(format!(
            "{resource}{named} is forbidden: User \"{}\" cannot {verb} resource \"{resource}\" in API group \"{}\" {place}",
            self.name(),
            target.group()
        ))
    }
}
