//! Who asks, and what they may do.

use axum::http::{HeaderMap, header};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::client_certificate::ClientCertificate;
use super::rules;
use super::status::Status;
use super::streaming::TOKEN_PROTOCOL;
use super::target::Target;
use crate::store::Store;
use crate::token_objects;
use crate::tokens::{Signer, Subject};

/// The name in the administrator's certificate.
pub(super) const ADMINISTRATOR: &str = "kubernetes-admin";

/// The group whose members may do anything.
const MASTERS: &str = "system:masters";

/// The token that a browser sends as a protocol of its WebSocket; `Some(None)` where it is none.
fn socket_token(headers: &HeaderMap) -> Option<Option<String>> {
    let protocols = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let protocols = protocols
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let (tokens, others): (Vec<&str>, Vec<&str>) = protocols
        .map(str::trim)
        .partition(|protocol| protocol.starts_with(TOKEN_PROTOCOL));
    let encoded = tokens.first()?.strip_prefix(TOKEN_PROTOCOL)?;
    // The answer has to name a protocol, and must not name this one.
    if tokens.len() > 1 || others.is_empty() {
        return Some(None);
    }
    let token = BASE64_URL_SAFE_NO_PAD.decode(encoded).ok();
    Some(token.and_then(|token| String::from_utf8(token).ok()))
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum User {
    /// The owner of a certificate of the emulator's CA, as the one in the kubeconfig.
    Certified {
        /// The certificate's common name.
        name: String,
        /// Its organizations.
        groups: Vec<String>,
    },
    /// A container with its service account's token.
    ServiceAccount(Subject),
    /// Nobody has said.
    Anonymous,
}

impl User {
    /// The user of a request.
    ///
    /// # Errors
    /// Unauthorized for a certificate or token that is not valid, or a token whose pod or service account is gone.
    pub(super) fn of(
        certificate: &ClientCertificate,
        headers: &HeaderMap,
        signer: &Signer,
        store: &Store,
        now: jiff::Timestamp,
    ) -> Result<Self, Status> {
        if let ClientCertificate::Valid { name, groups } = certificate {
            return Ok(Self::Certified {
                name: name.clone(),
                groups: groups.clone(),
            });
        }
        let token = match headers.get(header::AUTHORIZATION) {
            Some(value) => value
                .to_str()
                .ok()
                .and_then(|value| value.strip_prefix("Bearer "))
                .map(str::to_owned),
            None => match socket_token(headers) {
                Some(token) => token,
                None if *certificate == ClientCertificate::Invalid => return Err(Status::unauthorized()),
                None => return Ok(Self::Anonymous),
            },
        };
        let subject = token.and_then(|token| signer.verify(token.trim(), now));
        let subject = subject.filter(|subject| token_objects::all_exist(store, subject, now));
        subject.map(Self::ServiceAccount).ok_or_else(Status::unauthorized)
    }

    /// The owner of the certificate in the kubeconfig.
    #[cfg(test)]
    pub(super) fn administrator() -> Self {
        Self::Certified {
            name: ADMINISTRATOR.to_owned(),
            groups: vec![MASTERS.to_owned()],
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Certified { name, .. } => name.clone(),
            Self::ServiceAccount(subject) => subject.user_name(),
            Self::Anonymous => "system:anonymous".to_owned(),
        }
    }

    /// The groups that it belongs to.
    pub(super) fn groups(&self) -> Vec<String> {
        let names: &[&str] = match self {
            Self::Certified { groups, .. } => {
                return groups
                    .iter()
                    .cloned()
                    .chain(["system:authenticated".to_owned()])
                    .collect();
            }
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

    /// Whether it may do anything: nobody grants roles here, so it is an administrator or it is not.
    pub(super) fn may(&self) -> bool {
        matches!(self, Self::Certified { groups, .. } if groups.iter().any(|group| group == MASTERS))
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

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn user(certificate: &ClientCertificate, headers: &HeaderMap) -> Result<User, u16> {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::load_or_create(&folder.path().join("key")).unwrap();
        User::of(
            certificate,
            headers,
            &signer,
            &Store::in_memory(),
            jiff::Timestamp::UNIX_EPOCH,
        )
        .map_err(|status| status.code)
    }

    #[test]
    fn certificate_is_its_owners_own() {
        let none = HeaderMap::new();
        let valid = |groups: &[&str]| ClientCertificate::Valid {
            name: "jane".to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        };
        let administrator = user(&valid(&["dev", "system:masters"]), &none).unwrap();
        assert_eq!((administrator.name().as_str(), administrator.may()), ("jane", true));
        let jane = user(&valid(&["dev"]), &none).unwrap();
        assert_eq!((jane.name().as_str(), jane.may()), ("jane", false));
        assert_eq!(jane.groups(), ["dev", "system:authenticated"]);
        assert_eq!(user(&ClientCertificate::None, &none), Ok(User::Anonymous));
        assert_eq!(user(&ClientCertificate::Invalid, &none), Err(401));
    }

    #[test]
    fn token_of_a_websocket_is_read() {
        let token = |protocols: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocols));
            socket_token(&headers)
        };
        let one = "base64url.bearer.authorization.k8s.io.dG9rZW4, binary.k8s.io";
        assert_eq!(token(one), Some(Some("token".to_owned())));
        assert_eq!(token("binary.k8s.io"), None);
        assert_eq!(token("base64url.bearer.authorization.k8s.io.dG9rZW4"), Some(None));
        assert_eq!(
            token("base64url.bearer.authorization.k8s.io.***, binary.k8s.io"),
            Some(None)
        );
    }
}
