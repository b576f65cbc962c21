//! One Kubernetes object of a file.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::node::{Content, Key, Node, parse};
use super::problem::{Place, Problem};
use super::schema::{self, Strictness};
use super::source::Source;
use crate::cli::usage::nearest;

/// The kinds whose names are recognised when they are mistyped.
const KINDS: [&str; 14] = [
    "Pod",
    "ConfigMap",
    "Secret",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "Service",
    "ServiceAccount",
    "Namespace",
    "List",
    "Event",
];

/// The versions that these kinds are of: another's kinds may have names that are like them.
const VERSIONS: [&str; 3] = ["v1", "apps/v1", "batch/v1"];

/// An object and its place.
#[derive(Clone, Debug)]
pub struct Document {
    /// `kind`.
    pub kind: String,
    /// Where it says so.
    pub kind_at: Place,
    /// The object, checked against its schema.
    pub value: Value,
    /// The object with the places of all its fields.
    pub node: Node,
    /// Fields that are given twice: the path of each, and the place that does not count.
    pub duplicates: Vec<(String, Place)>,
}

impl Document {
    /// Its name, for a sentence.
    pub fn name(&self) -> &str {
        let metadata = self.node.get("metadata");
        let name = metadata
            .and_then(|metadata| metadata.get("name"))
            .and_then(Node::as_text);
        name.unwrap_or_default()
    }

    /// Whether it comes from a server: only that writes a UID.
    pub fn is_saved(&self) -> bool {
        self.node
            .get("metadata")
            .and_then(|metadata| metadata.get("uid"))
            .is_some()
    }

    /// The object in its type.
    ///
    /// # Errors
    /// What the type does not take.
    pub fn typed<T: DeserializeOwned>(&self, source: &Source) -> Result<T, Problem> {
        serde_json::from_value(self.value.clone())
            .map_err(|error| Problem::new(source, format!("{}: {error}", self.kind)).at(self.node.place))
    }
}

/// All objects of a source, those of lists among them.
///
/// # Errors
/// The first thing that is wrong.
pub fn documents(source: &Source) -> Result<Vec<Document>, Problem> {
    let mut found = Vec::new();
    for parsed in parse(source)? {
        let duplicates = parsed.duplicates.into_iter().map(|one| (one.path, one.place));
        collect(source, parsed.node, duplicates.collect(), &mut found)?;
    }
    Ok(found)
}

fn collect(
    source: &Source,
    node: Node,
    duplicates: Vec<(String, Place)>,
    found: &mut Vec<Document>,
) -> Result<(), Problem> {
    if !matches!(node.content, Content::Map(_)) {
        return Err(Problem::new(
            source,
            format!("no Kubernetes object: expected a mapping, found {}", node.what()),
        )
        .at(node.place)
        .help("an object begins with apiVersion: and kind:"));
    }
    let Some(kind_node) = node.get("kind") else {
        return Err(Problem::new(source, "no Kubernetes object: kind is not set")
            .at(node.place)
            .field("kind")
            .help("a pod's manifest begins with apiVersion: v1 and kind: Pod"));
    };
    let kind_at = kind_node.place;
    let Some(kind) = kind_node.as_text().map(str::to_owned) else {
        let message = format!("kind: expected a string, found {}", kind_node.what());
        return Err(Problem::new(source, message).at(kind_at).field("kind"));
    };
    if kind.ends_with("List") {
        return collect_items(source, &node, &kind, &duplicates, found);
    }
    // Only a server writes a UID: what has one was saved, and may come from a newer Kubernetes.
    let is_saved = node.get("metadata").and_then(|metadata| metadata.get("uid")).is_some();
    let version = node.get("apiVersion").and_then(Node::as_text);
    if !is_saved
        && version.is_none_or(|version| VERSIONS.contains(&version))
        && !KINDS.contains(&kind.as_str())
        && let Some(meant) = nearest(&kind, KINDS)
    {
        return Err(Problem::new(source, format!("unknown kind {kind:?}"))
            .at(kind_at)
            .field("kind")
            .help(format!("did you mean {meant}?")));
    }
    check_version(source, &node, &kind)?;
    let strictness = if is_saved {
        Strictness::Lenient
    } else {
        Strictness::Strict
    };
    let value = match version {
        // The schema is that of Kubernetes' own kinds, in their present version.
        Some(version) if !VERSIONS.contains(&version) => node.value(),
        _ => schema::check(source, &node, &kind, strictness)?,
    };
    found.push(Document {
        kind,
        kind_at,
        value,
        node,
        duplicates,
    });
    Ok(())
}

/// The objects of a list. Those of a `PodList` may leave out what the list says already.
fn collect_items(
    source: &Source,
    list: &Node,
    kind: &str,
    duplicates: &[(String, Place)],
    found: &mut Vec<Document>,
) -> Result<(), Problem> {
    let Some(Content::List(items)) = list.get("items").map(|items| &items.content) else {
        return Ok(());
    };
    let own_kind = kind.strip_suffix("List").filter(|kind| !kind.is_empty());
    for (index, item) in items.iter().enumerate() {
        let mut item = item.clone();
        if let (Some(own_kind), Content::Map(members)) = (own_kind, &mut item.content)
            && !members
                .iter()
                .any(|(key, _)| matches!(key.name.as_str(), "kind" | "apiVersion"))
        {
            let place = item.place;
            let mut add = |name: &str, content: Content| {
                let key = Key {
                    place,
                    name: name.to_owned(),
                };
                members.push((key, Node { place, content }));
            };
            add("kind", Content::Text(own_kind.to_owned()));
            if let Some(version) = list.get("apiVersion") {
                add("apiVersion", version.content.clone());
            }
        }
        let prefix = format!("items[{index}].");
        let of_item = duplicates.iter().filter_map(|(path, place)| {
            let path = path.strip_prefix(prefix.as_str())?;
            Some((path.to_owned(), *place))
        });
        collect(source, item, of_item.collect(), found)?;
    }
    Ok(())
}

fn check_version(source: &Source, node: &Node, kind: &str) -> Result<(), Problem> {
    if kind != "Pod" {
        return Ok(());
    }
    match node.get("apiVersion") {
        Some(version) if version.as_text() == Some("v1") => Ok(()),
        Some(version) => {
            let said = version.value();
            Err(Problem::new(source, format!("a Pod has apiVersion v1, not {said}"))
                .at(version.place)
                .field("apiVersion")
                .help("write apiVersion: v1"))
        }
        None => Err(Problem::new(source, "apiVersion is not set")
            .at(node.place)
            .field("apiVersion")
            .help("add apiVersion: v1")),
    }
}
