//! A container's defaults.

use serde_json::{Value, json};

use crate::api::admission::tree;

/// Fills in the defaults of a container of any kind.
pub(super) fn apply(container: &mut Value) {
    let image = container["image"].as_str().unwrap_or_default().to_owned();
    tree::default(container, "imagePullPolicy", pull_policy(&image));
    tree::default(container, "terminationMessagePath", "/dev/termination-log");
    tree::default(container, "terminationMessagePolicy", "File");
    tree::default(container, "resources", json!({}));
    if image.is_empty()
        && let Some(map) = container.as_object_mut()
    {
        map.shift_remove("image");
    }
    for port in tree::items(container, "ports") {
        tree::default(port, "protocol", "TCP");
    }
    for variable in tree::items(container, "env") {
        if let Some(source) = tree::object(variable, "valueFrom") {
            if let Some(field) = tree::object(source, "fieldRef") {
                tree::default(field, "apiVersion", "v1");
            }
            if let Some(field) = tree::object(source, "resourceFieldRef") {
                tree::default(field, "divisor", "0");
            }
            if let Some(key) = tree::object(source, "fileKeyRef") {
                tree::default(key, "optional", false);
            }
        }
    }
    for field in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = tree::object(container, field) {
            apply_probe(probe);
        }
    }
    if let Some(lifecycle) = tree::object(container, "lifecycle") {
        for field in ["postStart", "preStop"] {
            if let Some(hook) = tree::object(lifecycle, field) {
                apply_handler(hook);
            }
        }
    }
}

fn apply_probe(probe: &mut Value) {
    for (field, value) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        if probe[field].as_i64().unwrap_or_default() == 0 {
            probe[field] = value.into();
        }
    }
    apply_handler(probe);
    if let Some(grpc) = tree::object(probe, "grpc") {
        tree::default(grpc, "service", "");
    }
}

fn apply_handler(handler: &mut Value) {
    if let Some(get) = tree::object(handler, "httpGet") {
        tree::default(get, "path", "/");
        tree::default(get, "scheme", "HTTP");
    }
}

/// Always for `latest`, named or implied; a name that can't be read implies nothing.
pub(super) fn pull_policy(image: &str) -> &'static str {
    if !is_readable(image) || image.contains('@') {
        return "IfNotPresent";
    }
    // A colon before the last slash belongs to the registry's port.
    let last = image.rsplit('/').next().unwrap_or(image);
    match last.split_once(':') {
        None | Some((_, "latest")) => "Always",
        Some(_) => "IfNotPresent",
    }
}

/// Whether a text has the form of an image's name.
fn is_readable(image: &str) -> bool {
    let (name, digest) = image
        .split_once('@')
        .map_or((image, None), |(name, digest)| (name, Some(digest)));
    if digest.is_some_and(|digest| !digest.contains(':')) {
        return false;
    }
    let mut parts: Vec<&str> = name.split('/').collect();
    let tag = parts.pop().unwrap_or_default();
    let (last, tag) = tag.split_once(':').map_or((tag, None), |(last, tag)| (last, Some(tag)));
    let is_host = |part: &str| part.contains(['.', ':']) || part == "localhost";
    if parts.first().is_some_and(|first| is_host(first)) {
        parts.remove(0);
    }
    let is_component = |part: &str| {
        let alphanumeric = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        alphanumeric(part.chars().next())
            && alphanumeric(part.chars().last())
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-'))
    };
    let is_tag = |tag: &str| {
        (1..=128).contains(&tag.len())
            && tag
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
            && !tag.starts_with(['.', '-'])
    };
    parts.into_iter().chain([last]).all(is_component) && tag.is_none_or(is_tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_decides_whether_to_pull() {
        for (image, expected) in [
            ("busybox", "Always"),
            ("busybox:latest", "Always"),
            ("busybox:1", "IfNotPresent"),
            ("localhost:5000/busybox", "Always"),
            ("localhost:5000/a/busybox:2", "IfNotPresent"),
            (
                "busybox@sha256:0000000000000000000000000000000000000000000000000000000000000000",
                "IfNotPresent",
            ),
            ("Not A Name", "IfNotPresent"),
            ("INVALID", "IfNotPresent"),
            ("", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), expected, "{image}");
        }
    }

    #[test]
    fn a_probe_gets_its_numbers_and_its_handler_a_scheme() {
        let mut container = json!({"livenessProbe": {"httpGet": {"port": 80}, "periodSeconds": 2}});
        apply(&mut container);
        assert_eq!(
            container["livenessProbe"],
            json!({"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}, "periodSeconds": 2,
                "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3})
        );
    }
}
