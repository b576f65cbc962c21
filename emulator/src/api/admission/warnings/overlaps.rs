//! Warnings about files of one volume that are in each other's way.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{Warnings, items, text};

/// A file in a volume, and the projected source that it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    path: String,
    source: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.source.as_str() {
            "" => write!(formatter, "{:?}", self.path),
            source => write!(formatter, "{:?} ({source})", self.path),
        }
    }
}

/// The files of a volume so far: by their own path, and by that of each folder that they are in.
#[derive(Default)]
struct Seen {
    known: HashSet<Place>,
    places: Vec<Place>,
    at: HashMap<String, Vec<usize>>,
    under: HashMap<String, Vec<usize>>,
}

impl Seen {
    /// The earlier files that are at the same path, in it, or a folder of it.
    fn overlapping(&self, path: &str) -> Vec<usize> {
        let folders = folders(path).filter_map(|folder| self.at.get(folder));
        let inside = self.at.get(path).into_iter().chain(self.under.get(path));
        let mut found: Vec<usize> = folders.chain(inside).flatten().copied().collect();
        found.sort_unstable();
        found
    }

    fn add(&mut self, place: Place) {
        if !self.known.insert(place.clone()) {
            return;
        }
        let index = self.places.len();
        for folder in folders(&place.path) {
            self.under.entry(folder.to_owned()).or_default().push(index);
        }
        self.at.entry(place.path.clone()).or_default().push(index);
        self.places.push(place);
    }
}

/// The folders that a path is in, without the root.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/')
        .map(|(at, _)| &path[..at])
        .filter(|folder| !folder.is_empty())
}

pub(super) fn check(spec: &Value, warnings: &mut Warnings) {
    for (path, volume) in items(&spec["volumes"], "spec.volumes") {
        for kind in ["configMap", "secret", "downwardAPI"] {
            let source = &volume[kind];
            let described = match kind {
                "configMap" => format!("ConfigMap {:?}", text(source, "name")),
                "secret" => format!("Secret {:?}", text(source, "secretName")),
                _ => "DownwardAPI".to_owned(),
            };
            let mut seen = Seen::default();
            for (path, item) in items(&source["items"], &format!("{path}.{kind}.items")) {
                add(
                    volume,
                    &described,
                    format!("{path}.path"),
                    text(item, "path"),
                    "",
                    &mut seen,
                    warnings,
                );
            }
        }
        let mut seen = Seen::default();
        for (path, source) in items(&volume["projected"]["sources"], &format!("{path}.projected.sources")) {
            if source.as_object().is_none_or(serde_json::Map::is_empty) {
                let text = format!("volume {:?} (Projected) has no sources provided", text(volume, "name"));
                warnings.add_text(path, text);
                continue;
            }
            for (path, file, source) in files(source, &path) {
                add(volume, "Projected", path, file, &source, &mut seen, warnings);
            }
        }
    }
}

/// The files that a projected source names: the path of the field, the file, and the source's description.
fn files<'a>(source: &'a Value, path: &str) -> Vec<(String, &'a str, String)> {
    let listed = |kind: &str, described: String| {
        let all = items(&source[kind]["items"], &format!("{path}.{kind}.items"));
        all.map(|(path, item)| (format!("{path}.path"), text(item, "path"), described.clone()))
            .collect()
    };
    let named = |kind: &str, field: &str, described: String| {
        let file = text(&source[kind], field);
        (!file.is_empty()).then(|| (format!("{path}.{kind}.{field}"), file, described))
    };
    if source["configMap"]["items"].is_array() {
        return listed(
            "configMap",
            format!("ConfigMap {:?}", text(&source["configMap"], "name")),
        );
    }
    if source["secret"]["items"].is_array() {
        return listed("secret", format!("Secret {:?}", text(&source["secret"], "name")));
    }
    if source["downwardAPI"]["items"].is_array() {
        return listed("downwardAPI", "DownwardAPI".to_owned());
    }
    let bundle = &source["clusterTrustBundle"];
    let bundle = bundle["name"]
        .as_str()
        .or(bundle["signerName"].as_str())
        .unwrap_or_default();
    let certificate = |what: &str| format!("PodCertificate {what}");
    [
        named("serviceAccountToken", "path", "ServiceAccountToken".to_owned()),
        named("clusterTrustBundle", "path", format!("ClusterTrustBundle {bundle:?}")),
        named("podCertificate", "certificateChainPath", certificate("chain")),
        named("podCertificate", "keyPath", certificate("key")),
        named(
            "podCertificate",
            "credentialBundlePath",
            certificate("credential bundle"),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn add(
    volume: &Value,
    described: &str,
    field: String,
    file: &str,
    source: &str,
    seen: &mut Seen,
    warnings: &mut Warnings,
) {
    let place = Place {
        path: file.trim_end_matches('/').to_owned(),
        source: source.to_owned(),
    };
    if place.path.is_empty() || warnings.is_full() {
        return;
    }
    for index in seen.overlapping(&place.path) {
        let Some(other) = seen.places.get(index) else { continue };
        let name = text(volume, "name");
        let text = format!("volume {name:?} ({described}): overlapping paths: {place} with {other}");
        warnings.add_text(field.clone(), text);
        if warnings.is_full() {
            return;
        }
    }
    seen.add(place);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api::admission::warnings::texts;

    fn said(volume: &Value) -> Vec<String> {
        texts(&json!({"spec": {"volumes": [volume]}}))
    }

    #[test]
    fn overlapping_files_of_one_source_are_warned_of() {
        let items = |paths: [&str; 2]| json!(paths.map(|path| json!({"path": path})));
        let overlap = |one: &str, other: &str| format!("overlapping paths: \"{one}\" with \"{other}\"");
        for (first, second) in [
            ("test", "test"),
            ("test", "test/app"),
            ("test/app", "test"),
            ("test/", "test"),
        ] {
            let items = items([first, second]);
            let expected = overlap(second.trim_end_matches('/'), first.trim_end_matches('/'));
            let map = json!({"name": "Test", "configMap": {"name": "foo", "items": items}});
            assert_eq!(said(&map), [format!("volume \"Test\" (ConfigMap \"foo\"): {expected}")]);
            let secret = json!({"name": "Test", "secret": {"secretName": "foo", "items": items}});
            assert_eq!(said(&secret), [format!("volume \"Test\" (Secret \"foo\"): {expected}")]);
            let downward = json!({"name": "Test", "downwardAPI": {"items": items}});
            assert_eq!(said(&downward), [format!("volume \"Test\" (DownwardAPI): {expected}")]);
        }
        let apart = json!({"name": "Test", "configMap": {"name": "foo", "items": items(["test", "test2"])}});
        assert!(said(&apart).is_empty());
    }

    #[test]
    fn overlapping_projected_sources_are_warned_of() {
        let volume = json!({"name": "foo", "projected": {"sources": [
            {"clusterTrustBundle": {"signerName": "Test", "path": "test/test"}},
            {"downwardAPI": {"items": [{"path": "test"}]}},
            {"secret": {"name": "Test", "items": [{"path": "test"}]}},
            {"serviceAccountToken": {"path": "test"}},
        ]}});
        let bundle = "\"test/test\" (ClusterTrustBundle \"Test\")";
        let expected = [
            ("\"test\" (DownwardAPI)", bundle),
            ("\"test\" (Secret \"Test\")", bundle),
            ("\"test\" (Secret \"Test\")", "\"test\" (DownwardAPI)"),
            ("\"test\" (ServiceAccountToken)", bundle),
            ("\"test\" (ServiceAccountToken)", "\"test\" (DownwardAPI)"),
            ("\"test\" (ServiceAccountToken)", "\"test\" (Secret \"Test\")"),
        ];
        let expected =
            expected.map(|(one, other)| format!("volume \"foo\" (Projected): overlapping paths: {one} with {other}"));
        assert_eq!(said(&volume), expected);
    }

    #[test]
    fn projected_volume_without_sources_is_warned_of() {
        let volume = json!({"name": "foo", "projected": {"sources": [{}]}});
        assert_eq!(said(&volume), ["volume \"foo\" (Projected) has no sources provided"]);
    }
}
