//! Requests for service account tokens, as the API server answers them
//! (`pkg/registry/core/serviceaccount/storage/token.go`).

use std::io;

use jiff::{SignedDuration, Timestamp};

use crate::{
    store::{Key, Resource, Store},
    tokens::{ISSUER, ObjectReference, Signer, Subject},
    uid,
};

/// The expiration that every pod's own token asks for (`WarnOnlyBoundTokenExpirationSeconds`).
pub(crate) const POD_TOKEN: SignedDuration = SignedDuration::from_secs(3607);
/// How long such a token is valid for clients that never read it again (`--service-account-extend-token-expiration`).
const EXTENDED: SignedDuration = SignedDuration::from_hours(24 * 365);

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct TokenRequest {
    /// `metadata.namespace` of the service account.
    pub(crate) namespace: String,
    /// `metadata.name` of the service account.
    pub(crate) service_account: String,
    /// Whom the token is for; the API server where there are none.
    pub(crate) audiences: Vec<String>,
    /// How long the token is to be valid.
    pub(crate) expiration: SignedDuration,
    /// What the token is bound to, and of what kind that is: a pod, a Secret or a node. Without a UID, any of that name.
    pub(crate) bound: Option<(Resource, ObjectReference)>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenRequestError {
    /// The service account, or the object to bind to, does not exist.
    #[error("{} {name:?} not found", resource.plural())]
    NotFound {
        /// Of what kind the object is.
        resource: Resource,
        /// Its name.
        name: String,
    },
    /// The pod runs as another service account.
    #[error("cannot bind token for serviceaccount {0:?} to pod running with different serviceaccount name.")]
    OtherServiceAccount(String),
    /// The object of that name is another one.
    #[error(
        "the UID in the bound object reference ({0}) does not match the UID in record. The object might have been deleted and then recreated"
    )]
    OtherObject(String),
    /// The token can't be signed.
    #[error("failed to generate token: {0}")]
    Signing(#[from] io::Error),
}

/// Returns a token, valid from `now`.
///
/// # Errors
/// Where an object that it names does not exist or does not fit.
pub(crate) fn issue(
    store: &Store,
    signer: &Signer,
    request: &TokenRequest,
    now: Timestamp,
) -> Result<String, TokenRequestError> {
    let find = |resource: Resource, name: &str| {
        let namespace = if resource.namespaced() {
            request.namespace.as_str()
        } else {
            ""
        };
        let not_found = || TokenRequestError::NotFound {
            resource,
            name: name.to_owned(),
        };
        store.get(&Key::new(resource, namespace, name)).ok_or_else(not_found)
    };
    let uid_of = |object: &serde_json::Value| object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    let account = find(Resource::ServiceAccounts, &request.service_account)?;
    let mut subject = Subject {
        namespace: request.namespace.clone(),
        service_account: ObjectReference {
            name: request.service_account.clone(),
            uid: uid_of(&account),
        },
        token_id: uid::new(),
        ..Subject::default()
    };
    if let Some((resource, wanted)) = &request.bound {
        let found = find(*resource, &wanted.name)?;
        let bound = ObjectReference {
            name: wanted.name.clone(),
            uid: uid_of(&found),
        };
        let given = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        if *resource == Resource::Pods {
            if found["spec"]["serviceAccountName"].as_str().unwrap_or_default() != request.service_account {
                return Err(TokenRequestError::OtherServiceAccount(request.service_account.clone()));
            }
            let node = given(found["spec"]["nodeName"].as_str().unwrap_or_default());
            subject.node = node.map(|name| ObjectReference {
                uid: find(Resource::Nodes, &name)
                    .map(|node| uid_of(&node))
                    .unwrap_or_default(),
                name,
            });
        }
        if !wanted.uid.is_empty() && wanted.uid != bound.uid {
            return Err(TokenRequestError::OtherObject(wanted.uid.clone()));
        }
        match resource {
            Resource::Pods => subject.pod = Some(bound),
            Resource::Nodes => subject.node = Some(bound),
            _ => subject.secret = Some(bound),
        }
    }
    let for_api_server = request.audiences.iter().all(|audience| audience == ISSUER);
    let extended = subject.pod.is_some() && request.expiration == POD_TOKEN && for_api_server;
    let (lifetime, warn_after) = if extended {
        (EXTENDED, Some(request.expiration))
    } else {
        (request.expiration, None)
    };
    Ok(signer.mint(&subject, &request.audiences, now, lifetime, warn_after)?)
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_800_000_000;

    /// Answers one request in a store that has a pod, its node, a Secret and a service account.
    fn answer(change: impl Fn(&mut TokenRequest)) -> Result<Value, String> {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::load_or_create(&folder.path().join("key")).unwrap();
        let store = Store::in_memory();
        let pod = json!({"serviceAccountName": "robot", "nodeName": "emulator"});
        for (resource, namespace, name, spec) in [
            (Resource::ServiceAccounts, "shop", "robot", json!({})),
            (Resource::Pods, "shop", "web", pod),
            (
                Resource::Pods,
                "shop",
                "other",
                json!({"serviceAccountName": "default"}),
            ),
            (Resource::Secrets, "shop", "web", json!({})),
            (Resource::Nodes, "", "emulator", json!({})),
        ] {
            let uid = format!("{} {name}", resource.plural());
            let object = json!({"metadata": {"name": name, "uid": uid}, "spec": spec});
            store.create(Key::new(resource, namespace, name), object).unwrap();
        }
        let mut request = TokenRequest {
            namespace: "shop".to_owned(),
            service_account: "robot".to_owned(),
            audiences: Vec::new(),
            expiration: POD_TOKEN,
            bound: None,
        };
        change(&mut request);
        let token = issue(&store, &signer, &request, Timestamp::from_second(NOW).unwrap());
        let token = token.map_err(|error| error.to_string())?;
        let claims = token.split('.').nth(1).unwrap();
        Ok(serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap())
    }

    fn bind(resource: Resource, name: &str, uid: &str) -> Option<(Resource, ObjectReference)> {
        let object = ObjectReference {
            name: name.to_owned(),
            uid: uid.to_owned(),
        };
        Some((resource, object))
    }

    #[test]
    fn pod_token_lives_a_year_and_says_when_it_is_outdated() {
        let claims = answer(|request| request.bound = bind(Resource::Pods, "web", "pods web")).unwrap();
        assert_eq!(claims["iat"], NOW);
        assert_eq!(claims["exp"], NOW + 365 * 24 * 3600);
        assert_eq!(claims["kubernetes.io"]["warnafter"], NOW + 3607);
        assert_eq!(claims["jti"].as_str().unwrap().len(), 36);
        let node = json!({"name": "emulator", "uid": "nodes emulator"});
        assert_eq!(claims["kubernetes.io"]["node"], node);
    }

    #[test]
    fn other_tokens_live_as_long_as_they_ask_for() {
        let pod = || bind(Resource::Pods, "web", "");
        let unbound = answer(|_| {}).unwrap();
        let shorter =
            answer(|request| (request.bound, request.expiration) = (pod(), SignedDuration::from_mins(10))).unwrap();
        let elsewhere = answer(|request| {
            request.bound = pod();
            request.audiences = vec![ISSUER.to_owned(), "vault".to_owned()];
        })
        .unwrap();
        for (claims, seconds) in [(unbound, 3607), (shorter, 600), (elsewhere, 3607)] {
            assert_eq!(claims["exp"], NOW + seconds);
            assert_eq!(claims["kubernetes.io"]["warnafter"], Value::Null);
        }
    }

    #[test]
    fn token_is_bound_to_one_object_of_each_kind() {
        for (resource, name, field) in [
            (Resource::Secrets, "web", "secret"),
            (Resource::Nodes, "emulator", "node"),
        ] {
            let claims = answer(|request| request.bound = bind(resource, name, "")).unwrap();
            let uid = format!("{} {name}", resource.plural());
            assert_eq!(claims["kubernetes.io"][field], json!({"name": name, "uid": uid}));
        }
    }

    #[test]
    fn object_that_does_not_fit_is_refused() {
        let refused = |change: &dyn Fn(&mut TokenRequest)| answer(change).unwrap_err();
        assert_eq!(
            refused(&|request| request.service_account = "nobody".to_owned()),
            "serviceaccounts \"nobody\" not found"
        );
        assert_eq!(
            refused(&|request| request.bound = bind(Resource::Secrets, "none", "")),
            "secrets \"none\" not found"
        );
        assert_eq!(
            refused(&|request| request.bound = bind(Resource::Pods, "other", "")),
            "cannot bind token for serviceaccount \"robot\" to pod running with different serviceaccount name."
        );
        assert_eq!(
            refused(&|request| request.bound = bind(Resource::Pods, "web", "old")),
            "the UID in the bound object reference (old) does not match the UID in record. The object might have been deleted and then recreated"
        );
    }
}
