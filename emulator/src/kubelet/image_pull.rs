//! Getting the image of a container or of a volume, as its pull policy says, with back-off between failed pulls.

use std::{collections::HashMap, time::Duration};

use base64::Engine as _;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    backoff::Backoff,
    node::Node,
    pod::{Declared, Pod},
    start_failure::StartFailure,
};
use crate::{
    events::EventType,
    image::{Credentials, Image, ImageError},
    store::{Key, Resource},
};

/// What is remembered of a pod's pulls.
#[derive(Default)]
pub(super) struct Pulls {
    backoff: Backoff,
    /// The last failure by image.
    errors: HashMap<String, String>,
    failed_at: HashMap<String, Timestamp>,
}

/// An image that a container is made from, or that is a volume of the pod.
pub(super) struct Wanted<'a> {
    pub(super) pod: &'a Pod,
    /// The container; none for a volume: what there is to say is then said of the pod.
    pub(super) container: Option<&'a Declared>,
    pub(super) reference: &'a str,
    /// `imagePullPolicy`, `pullPolicy`.
    pub(super) policy: Option<&'a str>,
}

impl Wanted<'_> {
    fn say(&self, node: &Node, kind: EventType, reason: &str, message: &str) {
        match self.container {
            Some(declared) => node.container_event(self.pod, declared, kind, reason, message),
            None => node.pod_event(self.pod, kind, reason, message),
        }
    }
}

impl Pulls {
    /// The image of a container, pulled if need be.
    pub(super) async fn image(&mut self, node: &Node, pod: &Pod, declared: &Declared) -> Result<Image, StartFailure> {
        let wanted = Wanted {
            pod,
            container: Some(declared),
            reference: declared.image(),
            policy: declared.container.image_pull_policy.as_deref(),
        };
        self.ensure(node, &wanted).await.inspect_err(|failure| {
            let message = format!("Error: {}", failure.reason);
            wanted.say(node, EventType::Warning, "Failed", &message);
        })
    }

    /// An image, pulled if its policy says so (`pkg/kubelet/images/image_manager.go`, `EnsureImageExists`).
    pub(super) async fn ensure(&mut self, node: &Node, wanted: &Wanted<'_>) -> Result<Image, StartFailure> {
        let reference = wanted.reference;
        let say = |kind, reason, message: &str| wanted.say(node, kind, reason, message);
        let present = match node.images.status(reference).await {
            Ok(present) => present,
            Err(ImageError::InvalidName(error)) => {
                let message = format!("Failed to apply default image tag {reference:?}: {error}");
                say(EventType::Warning, "InspectFailed", &message);
                return Err(StartFailure::new("InvalidImageName", message));
            }
            Err(error) => {
                let message = format!("Failed to inspect image {reference:?}: {error}");
                say(EventType::Warning, "InspectFailed", &message);
                return Err(StartFailure::new("ImageInspectError", message));
            }
        };
        match (present, wanted.policy.unwrap_or("IfNotPresent")) {
            (Some(image), "IfNotPresent" | "Never") => {
                let message =
                    format!("Container image {reference:?} already present on machine and can be accessed by the pod");
                say(EventType::Normal, "Pulled", &message);
                return Ok(image);
            }
            (None, "Never") => {
                let message = format!("Container image {reference:?} is not present with pull policy of Never");
                say(EventType::Warning, "ErrImageNeverPull", &message);
                return Err(StartFailure::new("ErrImageNeverPull", message));
            }
            _ => {}
        }
        let now = node.clock.now();
        let failed_at = self.failed_at.get(reference).copied();
        if let Some(left) = failed_at.and_then(|since| self.backoff.remaining(reference, since, now)) {
            let mut message = format!("Back-off pulling image {reference:?}");
            say(EventType::Normal, "BackOff", &message);
            if let Some(error) = self.errors.get(reference) {
                message = format!("{message}: {error}");
            }
            return Err(StartFailure::back_off("ImagePullBackOff", message, left));
        }
        self.pull(node, wanted).await
    }

    async fn pull(&mut self, node: &Node, wanted: &Wanted<'_>) -> Result<Image, StartFailure> {
        let reference = wanted.reference;
        let say = |kind, reason, message: &str| wanted.say(node, kind, reason, message);
        let credentials = credentials(node, wanted.pod);
        say(EventType::Normal, "Pulling", &format!("Pulling image {reference:?}"));
        let began = Instant::now();
        match node.images.pull(reference, &credentials).await {
            Ok(image) => {
                let took = duration(began.elapsed());
                let size = image.size;
                let message = format!(
                    "Successfully pulled image {reference:?} in {took} ({took} including waiting). Image size: {size} bytes."
                );
                say(EventType::Normal, "Pulled", &message);
                Ok(image)
            }
            Err(error) => {
                say(
                    EventType::Warning,
                    "Failed",
                    &format!("Failed to pull image {reference:?}: {error}"),
                );
                let (reason, message) = match error {
                    ImageError::RegistryUnavailable(error) => (
                        "RegistryUnavailable",
                        format!("image pull failed for {reference} because the registry is unavailable: {error}"),
                    ),
                    error => ("ErrImagePull", error.to_string()),
                };
                let now = node.clock.now();
                let since = self.failed_at.insert(reference.to_owned(), now).unwrap_or(now);
                self.backoff.bump(reference, since, now);
                self.errors.insert(reference.to_owned(), format!("{reason}: {message}"));
                Err(StartFailure::new(reason, message))
            }
        }
    }
}

/// A duration in Go's words, in whole milliseconds: `1.234s`, `56ms`.
fn duration(took: Duration) -> String {
    let millis = took.as_millis();
    if millis < 1000 {
        return format!("{millis}ms");
    }
    let text = format!("{}.{:03}", millis / 1000, millis % 1000);
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// What the pod's `imagePullSecrets` hold; the ones that are missing are reported.
fn credentials(node: &Node, pod: &Pod) -> Vec<Credentials> {
    let (mut all, mut missing) = (Vec::new(), Vec::new());
    for secret in pod.spec.image_pull_secrets.iter().flatten() {
        let key = Key::new(Resource::Secrets, &pod.namespace, &secret.name);
        match node.store.get(&key).and_then(|secret| from_secret(&secret)) {
            Some(more) => all.extend(more),
            None => missing.push(secret.name.as_str()),
        }
    }
    if !missing.is_empty() {
        let message = format!(
            "Unable to retrieve some image pull secrets ({}); attempting to pull the image may not succeed.",
            missing.join(", ")
        );
        node.pod_event(pod, EventType::Warning, "FailedToRetrieveImagePullSecret", &message);
    }
    all
}

fn from_secret(secret: &Value) -> Option<Vec<Credentials>> {
    let base64 = base64::engine::general_purpose::STANDARD;
    let data = &secret["data"];
    let (text, nested) = match (data[".dockerconfigjson"].as_str(), data[".dockercfg"].as_str()) {
        (Some(config), _) => (config, true),
        (None, Some(config)) => (config, false),
        (None, None) => return None,
    };
    let config: Value = serde_json::from_slice(&base64.decode(text).ok()?).ok()?;
    let registries = if nested { &config["auths"] } else { &config };
    let entries = registries.as_object()?.iter().filter_map(|(registry, entry)| {
        let (username, password) = match (entry["username"].as_str(), entry["password"].as_str()) {
            (Some(username), Some(password)) => (username.to_owned(), password.to_owned()),
            _ => {
                let pair = String::from_utf8(base64.decode(entry["auth"].as_str()?).ok()?).ok()?;
                let (username, password) = pair.split_once(':')?;
                (username.to_owned(), password.to_owned())
            }
        };
        Some(Credentials {
            registry: registry.clone(),
            username,
            password,
        })
    });
    Some(entries.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_in_go() {
        for (millis, expected) in [(56, "56ms"), (1234, "1.234s"), (2000, "2s"), (1500, "1.5s")] {
            assert_eq!(duration(Duration::from_millis(millis)), expected);
        }
    }
}
