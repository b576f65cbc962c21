//! The tokens in pods' volumes: requested when a volume needs them, and renewed before they expire
//! (`pkg/kubelet/token/token_manager.go`).

use std::{
    collections::HashMap,
    fmt::Display,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    kubelet::pod::Pod,
    store::{Resource, Store},
    token_request::{self, TokenRequest},
    tokens::{ObjectReference, Signer},
};

/// A token is renewed after this time, however long it is valid.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// What a volume wants a token for; equal ones of a pod share a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    /// Whom it is for; the API server where it is absent.
    pub(super) audience: Option<String>,
    /// For how many seconds it is to be valid.
    pub(super) seconds: i64,
}

/// A token that a pod has.
#[derive(Clone, Debug)]
struct Issued {
    token: String,
    from: Timestamp,
    lifetime: SignedDuration,
}

impl Issued {
    /// The moment from which a new one is wanted: when 80 % of its life are over, or a day.
    fn renewal(&self) -> Timestamp {
        let most = self.lifetime - SignedDuration::from_secs(self.lifetime.as_secs() * 20 / 100);
        self.from.checked_add(most.min(LONGEST)).unwrap_or(Timestamp::MAX)
    }

    fn is_due(&self, now: Timestamp) -> bool {
        // The machine's clock may have been set back.
        now >= self.renewal() || now < self.from
    }

    fn has_expired(&self, now: Timestamp) -> bool {
        now.duration_since(self.from) > self.lifetime
    }
}

/// The tokens of the node's pods. They are in memory alone: after a restart, pods get new ones.
#[derive(Default)]
pub(super) struct PodTokens {
    /// By the UID of the pod.
    issued: Mutex<HashMap<String, HashMap<Wanted, Issued>>>,
}

impl PodTokens {
    /// Returns the pod's token, renewed if that is due. Where it can't be renewed, the old one serves until it expires.
    ///
    /// # Errors
    /// Why there is no token, in the kubelet's words.
    pub(super) fn get(
        &self,
        store: &Store,
        signer: &Signer,
        pod: &Pod,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<String, String> {
        let request = request(pod, wanted);
        let issue = || token_request::issue(store, signer, &request, now);
        self.get_or_issue(pod, wanted, now, issue)
    }

    fn get_or_issue<E: Display>(
        &self,
        pod: &Pod,
        wanted: &Wanted,
        now: Timestamp,
        issue: impl FnOnce() -> Result<String, E>,
    ) -> Result<String, String> {
        let mut all = self.lock();
        let of_pod = all.entry(pod.uid.clone()).or_default();
        let previous = of_pod.get(wanted).cloned();
        if let Some(previous) = previous.as_ref().filter(|previous| !previous.is_due(now)) {
            return Ok(previous.token.clone());
        }
        match (issue(), previous) {
            (Ok(token), _) => {
                let issued = Issued {
                    token: token.clone(),
                    // The claims of a token are in whole seconds.
                    from: Timestamp::from_second(now.as_second()).unwrap_or(now),
                    lifetime: SignedDuration::from_secs(wanted.seconds),
                };
                of_pod.insert(wanted.clone(), issued);
                Ok(token)
            }
            (Err(error), None) => Err(format!("failed to fetch token: {error}")),
            (Err(error), Some(previous)) if previous.has_expired(now) => Err(format!(
                "token {} expired and refresh failed: {error}",
                words(pod, wanted)
            )),
            (Err(_), Some(previous)) => Ok(previous.token),
        }
    }

    /// Returns when the first of a pod's tokens is to be renewed, if that is yet to come.
    pub(super) fn next_renewal(&self, uid: &str, now: Timestamp) -> Option<Timestamp> {
        let all = self.lock();
        let renewals = all.get(uid)?.values().map(Issued::renewal);
        renewals.filter(|renewal| *renewal > now).min()
    }

    /// Forgets the tokens of a pod.
    pub(super) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, HashMap<Wanted, Issued>>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn service_account(pod: &Pod) -> &str {
    pod.spec.service_account_name.as_deref().unwrap_or("default")
}

fn request(pod: &Pod, wanted: &Wanted) -> TokenRequest {
    let object = ObjectReference {
        name: pod.name.clone(),
        uid: pod.uid.clone(),
    };
    TokenRequest {
        namespace: pod.namespace.clone(),
        service_account: service_account(pod).to_owned(),
        audiences: wanted.audience.iter().cloned().collect(),
        expiration: SignedDuration::from_secs(wanted.seconds),
        bound: Some((Resource::Pods, object)),
    }
}

/// Names a token as the kubelet does, which prints its key as Go writes values.
fn words(pod: &Pod, wanted: &Wanted) -> String {
    let audiences = match &wanted.audience {
        Some(audience) => format!("[]string{{{audience:?}}}"),
        None => "[]string(nil)".to_owned(),
    };
    format!(
        "{:?}/{:?}/{audiences}/{}/v1.BoundObjectReference{{Kind:\"Pod\", APIVersion:\"v1\", Name:{:?}, UID:{:?}}}",
        service_account(pod),
        pod.namespace,
        wanted.seconds,
        pod.name,
        pod.uid
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn pod() -> Pod {
        let object = json!({"metadata": {"name": "web", "namespace": "shop", "uid": "u1"},
            "spec": {"serviceAccountName": "robot", "containers": []}});
        Pod::read(&Arc::new(object)).unwrap()
    }

    fn wanted(seconds: i64) -> Wanted {
        Wanted {
            audience: Some("vault".to_owned()),
            seconds,
        }
    }

    /// Asks for a token at a second; a new one is named by that second.
    fn at(tokens: &PodTokens, wanted: &Wanted, second: i64) -> String {
        let now = Timestamp::from_second(second).unwrap();
        let issue = || Ok::<_, String>(second.to_string());
        tokens.get_or_issue(&pod(), wanted, now, issue).unwrap()
    }

    #[test]
    fn token_is_renewed_at_80_percent_of_its_life() {
        let tokens = PodTokens::default();
        let wanted = wanted(600);
        assert_eq!(at(&tokens, &wanted, 1000), "1000");
        let renewal = tokens.next_renewal("u1", Timestamp::from_second(1000).unwrap());
        assert_eq!(renewal, Timestamp::from_second(1480).ok());
        assert_eq!(at(&tokens, &wanted, 1479), "1000");
        assert_eq!(at(&tokens, &wanted, 1480), "1480");
    }

    #[test]
    fn token_of_a_week_is_renewed_after_a_day() {
        let tokens = PodTokens::default();
        let wanted = wanted(7 * 24 * 3600);
        assert_eq!(at(&tokens, &wanted, 0), "0");
        assert_eq!(at(&tokens, &wanted, 24 * 3600 - 1), "0");
        assert_eq!(at(&tokens, &wanted, 24 * 3600), "86400");
    }

    #[test]
    fn token_of_the_future_is_renewed() {
        let tokens = PodTokens::default();
        let wanted = wanted(3607);
        assert_eq!(at(&tokens, &wanted, 5000), "5000");
        assert_eq!(at(&tokens, &wanted, 4000), "4000");
    }

    #[test]
    fn token_that_cannot_be_renewed_serves_until_it_expires() {
        let tokens = PodTokens::default();
        let wanted = wanted(600);
        let fails = |second| {
            let now = Timestamp::from_second(second).unwrap();
            tokens.get_or_issue(&pod(), &wanted, now, || Err("it is gone"))
        };
        assert_eq!(fails(0).unwrap_err(), "failed to fetch token: it is gone");
        assert_eq!(at(&tokens, &wanted, 0), "0");
        assert_eq!(fails(600).unwrap(), "0");
        assert_eq!(
            fails(601).unwrap_err(),
            "token \"robot\"/\"shop\"/[]string{\"vault\"}/600/v1.BoundObjectReference{Kind:\"Pod\", APIVersion:\"v1\", \
             Name:\"web\", UID:\"u1\"} expired and refresh failed: it is gone"
        );
        // What is overdue is no reason to wake up.
        assert_eq!(tokens.next_renewal("u1", Timestamp::from_second(601).unwrap()), None);
    }

    #[test]
    fn equal_tokens_of_a_pod_are_one_until_it_is_gone() {
        let tokens = PodTokens::default();
        assert_eq!(at(&tokens, &wanted(600), 0), "0");
        assert_eq!(at(&tokens, &wanted(600), 1), "0");
        assert_eq!(at(&tokens, &wanted(601), 1), "1");
        tokens.forget("u1");
        assert_eq!(at(&tokens, &wanted(600), 2), "2");
    }
}
