//! AppArmor profiles, by field and by annotation (`pkg/apis/core/validation`).

use k8s_openapi::api::core::v1::AppArmorProfile;
use serde_json::Value;

use crate::api::admission::{
    app_armor::{annotations, field as field_of},
    field_error::{Errors, Path},
};

/// The longest name of a profile.
const NAME_MAX: usize = 4095;

/// Checks the field `appArmorProfile`.
pub(super) fn field(profile: Option<&AppArmorProfile>, path: &Path, errors: &mut Errors) {
    const NEEDED: &str = "must be set when AppArmor type is Localhost";
    let Some(profile) = profile else { return };
    let name_path = path.child("localhostProfile");
    match (profile.type_.as_str(), profile.localhost_profile.as_deref()) {
        ("Localhost", None | Some("")) => errors.required(&name_path, NEEDED),
        ("Localhost", Some(name)) if name.trim().len() < name.len() => {
            errors.invalid(&name_path, name, "must not be padded with whitespace");
        }
        ("Localhost", Some(name)) if name.len() > NAME_MAX => errors.too_long(&name_path, NAME_MAX),
        ("RuntimeDefault" | "Unconfined", Some(name)) => {
            errors.invalid(&name_path, name, "can only be set when AppArmor type is Localhost");
        }
        ("Localhost" | "RuntimeDefault" | "Unconfined", _) => {}
        ("", _) => errors.required(&path.child("type"), "type is required when appArmorProfile is set"),
        (other, _) => errors.not_supported(
            &path.child("type"),
            other,
            &["Localhost", "RuntimeDefault", "Unconfined"],
        ),
    }
}

/// Checks the annotations that stood for the field.
pub(super) fn by_annotation(pod: &Value, errors: &mut Errors) {
    let lists = ["initContainers", "containers", "ephemeralContainers"].into_iter();
    let containers = lists.flat_map(|list| pod["spec"][list].as_array().into_iter().flatten());
    let names: std::collections::HashSet<&str> = containers.filter_map(|one| one["name"].as_str()).collect();
    for (key, container, profile) in annotations(pod) {
        let path = Path::new("metadata").child("annotations").key(key);
        if !names.contains(container) {
            errors.invalid(&path, container, "container not found");
        }
        if !matches!(profile, "" | "runtime/default" | "unconfined") && !profile.starts_with("localhost/") {
            errors.invalid(&path, profile, format!("invalid AppArmor profile name: {profile:?}"));
        }
    }
}

/// Refuses a profile that is given by annotation and by field, and not the same.
pub(super) fn both_ways(pod: &Value, errors: &mut Errors) {
    for list in ["initContainers", "containers"] {
        let containers = pod["spec"][list].as_array().into_iter().flatten().enumerate();
        for (index, container) in containers {
            let own = &container["securityContext"]["appArmorProfile"];
            let mut of_container = annotations(pod).filter(|(_, name, _)| container["name"] == *name);
            let Some(annotated) = of_container.find_map(|(_, _, profile)| field_of(profile)) else {
                continue;
            };
            let path = Path::new("spec").child(list).index(index);
            let path = path.child("securityContext").child("appArmorProfile");
            if own["type"] != annotated["type"] {
                let words = "apparmor type in annotation and field must match";
                errors.forbidden(&path.child("type"), words);
            } else if own["localhostProfile"] != annotated["localhostProfile"] {
                let words = "apparmor profile in annotation and field must match";
                errors.forbidden(&path.child("localhostProfile"), words);
            }
        }
    }
}
