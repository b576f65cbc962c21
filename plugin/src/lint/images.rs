//! Image tags against pull policies.

use emulator::image::reference::Reference;
use k8s_openapi::api::core::v1::PodSpec;

use super::{Lints, places};
use crate::findings::message::say;

pub(super) fn rules(spec: &PodSpec, lints: &mut Lints) {
    for place in places(spec) {
        let Some(image) = place.container.image.as_deref().filter(|image| !image.is_empty()) else {
            continue;
        };
        if Reference::parse(image).is_err() {
            lints.error(
                place.at("image"),
                say("waiting.image-name")
                    .with("container", place.container.name.as_str())
                    .with("image", image),
                say("waiting.image-name.cause"),
            );
            continue;
        }
        let policy = place.container.image_pull_policy.as_deref();
        let tag = tag(image);
        let moves = matches!(tag, None | Some("latest")) && !image.contains('@');
        match policy {
            Some("Never") => lints.note(
                place.at("imagePullPolicy"),
                say("lint.never-pull").with("image", image),
                say("waiting.never-pull.next"),
            ),
            Some("IfNotPresent") if moves => lints.warn(
                place.at("imagePullPolicy"),
                say("lint.latest-cached").with("image", image),
                say("lint.latest.help"),
            ),
            _ if moves => lints.note(
                place.at("image"),
                say("lint.latest").with("image", image),
                say("lint.latest.help"),
            ),
            _ => {}
        }
    }
}

/// The tag behind the last colon, unless that belongs to a registry's port.
pub(crate) fn tag(image: &str) -> Option<&str> {
    let without_digest = image.split('@').next().unwrap_or(image);
    let last = without_digest.rsplit('/').next().unwrap_or(without_digest);
    last.split_once(':').map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_that_is_no_reference_gets_one_error() {
        for image in ["<your-private-image>", "App:1", "a b", "app:", "app@sha256:1"] {
            let spec = serde_json::json!({"containers": [{"name": "a", "image": image}]});
            let mut lints = Lints::default();
            rules(&serde_json::from_value(spec).unwrap(), &mut lints);
            let paths: Vec<&str> = lints.0.iter().map(|lint| lint.path.as_str()).collect();
            assert_eq!(paths, ["spec.containers[0].image"], "{image}");
            assert_eq!(lints.0[0].severity, crate::findings::Severity::Error);
        }
    }

    #[test]
    fn a_registrys_port_is_no_tag() {
        assert_eq!(tag("localhost:5000/app"), None);
        assert_eq!(tag("localhost:5000/app:1.2"), Some("1.2"));
        assert_eq!(tag("app@sha256:0123"), None);
    }
}
