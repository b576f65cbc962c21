//! Names, and what the API refuses about containers as such.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PodSpec;

use super::{Lints, places};
use crate::findings::message::say;

pub(super) fn rules(spec: &PodSpec, lints: &mut Lints) {
    if spec.containers.is_empty() {
        lints.refused(
            "spec.containers",
            say("lint.no-container"),
            say("lint.no-container.help"),
        );
    }
    let mut names = BTreeSet::new();
    // Of two, the API server names the one that comes later in its order: init containers after the others.
    let (init, regular): (Vec<_>, Vec<_>) = places(spec).partition(|place| place.is_init);
    for place in regular.into_iter().chain(init) {
        let container = place.container;
        let name = container.name.as_str();
        if !is_label(name) {
            lints.refused(
                place.at("name"),
                say("lint.name").with("name", name),
                say("lint.name.help"),
            );
        }
        if !names.insert(name) {
            lints.refused(
                place.at("name"),
                say("lint.name-twice").with("name", name),
                say("lint.name-twice.help"),
            );
        }
        if container.image.as_deref().is_none_or(str::is_empty) {
            lints.refused(place.at("image"), say("lint.no-image"), say("lint.no-image.help"));
        }
        let mut variables = BTreeSet::new();
        for (number, variable) in container.env.iter().flatten().enumerate() {
            if !variables.insert(variable.name.as_str()) {
                lints.warn(
                    place.at(&format!("env[{number}].name")),
                    say("lint.variable-twice").with("name", variable.name.as_str()),
                    say("lint.variable-twice.help"),
                );
            }
        }
    }
    if let Some(node) = spec.node_name.as_deref().filter(|node| !node.is_empty()) {
        lints.note(
            "spec.nodeName",
            say("lint.node-name").with("node", node),
            say("lint.node-name.help"),
        );
    }
}

/// An RFC 1123 label: what a container may be called.
fn is_label(name: &str) -> bool {
    let is_inner = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    !name.is_empty() && name.len() <= 63 && name.chars().all(is_inner) && !name.starts_with('-') && !name.ends_with('-')
}
