//! Every field of a Pod, and what the emulator makes of it: `fields.yaml` is held against the server's schema, the
//! answers of the server and what is said of pods on a node; docs/emulator.md is written from it.

mod page;
mod played_node;
mod schema;
mod set;
mod verdict;
mod working_code;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use self::{
    played_node::{Answer, PlayedNode},
    verdict::{Verdict, sections},
};
use crate::runtime::scripted::Script;

const PODS: &str = "/api/v1/namespaces/default/pods";

/// Every entry, by its field.
fn entries() -> BTreeMap<String, Verdict> {
    let all: Vec<(String, Verdict)> = sections().into_iter().flat_map(|section| section.rows).collect();
    let count = all.len();
    let entries: BTreeMap<String, Verdict> = all.into_iter().collect();
    assert_eq!(entries.len(), count, "a field is listed twice");
    entries
}

/// The pods of `samples.yaml`.
fn samples() -> Vec<Value> {
    let documents = include_str!("samples.yaml").split("\n---\n");
    documents.map(|text| serde_saphyr::from_str(text).unwrap()).collect()
}

/// A small pod with a part of another put over it.
fn pod_with(part: &Value) -> Value {
    fn merge(into: &mut Value, part: &Value) {
        match (into, part) {
            (Value::Object(into), Value::Object(part)) => {
                for (key, value) in part {
                    merge(into.entry(key.as_str()).or_insert(Value::Null), value);
                }
            }
            (Value::Array(into), Value::Array(part)) => {
                for (index, value) in part.iter().enumerate() {
                    if index == into.len() {
                        into.push(Value::Null);
                    }
                    merge(&mut into[index], value);
                }
            }
            (into, part) => *into = part.clone(),
        }
    }
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": [{"name": "app", "image": "i:1", "command": ["serve"]}]}});
    merge(&mut pod, part);
    pod
}

/// Creates a pod; its ephemeral containers come later, by their own path.
async fn create(node: &PlayedNode, pod: &Value) -> Answer {
    let mut pod = pod.clone();
    let ephemeral = pod["spec"].as_object_mut().unwrap().shift_remove("ephemeralContainers");
    let made = node.ask("POST", &format!("{PODS}?fieldValidation=Strict"), pod).await;
    let Some(ephemeral) = ephemeral.filter(|_| made.code == 201) else {
        return made;
    };
    let name = made.body["metadata"]["name"].as_str().unwrap();
    let path = format!("{PODS}/{name}/ephemeralcontainers");
    node.ask("PATCH", &path, json!({"spec": {"ephemeralContainers": ephemeral}}))
        .await
}

#[test]
fn every_field_of_the_schema_has_one_entry_and_every_entry_is_a_field() {
    let (entries, fields) = (entries(), schema::fields());
    let mut missing = Vec::new();
    for field in &fields {
        let is_covered = |entry: &str| {
            *field == entry
                || (field.starts_with(entry)
                    && field[entry.len()..].starts_with(['.', '['])
                    && entries[entry].covers_what_is_below())
        };
        if !entries.keys().any(|entry| is_covered(entry)) {
            missing.push(field.clone());
        }
    }
    assert!(missing.is_empty(), "without an entry: {missing:#?}");
    for (entry, verdict) in &entries {
        let is_leaf = fields.contains(entry);
        let is_inner = || fields.iter().any(|field| field.starts_with(&format!("{entry}.")));
        assert!(
            is_leaf || (verdict.covers_what_is_below() && is_inner()),
            "{entry} is no field that can be listed so"
        );
    }
}

#[test]
fn what_is_like_another_field_has_the_same_fields() {
    let fields = schema::fields();
    let below = |path: &str| -> BTreeSet<String> {
        let all = fields.iter().filter_map(|field| field.strip_prefix(path));
        all.filter(|rest| rest.starts_with('.')).map(str::to_owned).collect()
    };
    let entries = entries();
    for (entry, verdict) in &entries {
        let Verdict::As(other) = verdict else { continue };
        let (own, others) = (below(entry), below(other));
        assert!(!own.is_empty() && !others.is_empty(), "{entry}");
        for field in own.difference(&others) {
            assert!(
                entries.contains_key(&format!("{entry}{field}")),
                "{entry}{field} is not listed, and {other} has no such field"
            );
        }
    }
}

#[tokio::test]
async fn every_field_that_is_supported_is_kept_as_it_was_written() {
    let entries = entries();
    let fields = schema::fields();
    let node = PlayedNode::new(Script::default());
    let mut seen = BTreeSet::new();
    for sample in samples() {
        let made = create(&node, &sample).await;
        assert!(matches!(made.code, 200 | 201), "{}", made.body);
        let stored = node
            .ask(
                "GET",
                &format!("{PODS}/{}", made.body["metadata"]["name"].as_str().unwrap()),
                Value::Null,
            )
            .await
            .body;
        for (path, pointer) in schema::leaves(&sample, &fields) {
            let (written, kept) = (sample.pointer(&pointer).unwrap(), stored.pointer(&pointer));
            assert_eq!(Some(written), kept, "{pointer}");
            seen.insert(path);
        }
    }
    for (entry, verdict) in &entries {
        let is_shown = || seen.iter().any(|path| path == entry);
        let is_shown_below = || seen.iter().any(|path| path.starts_with(entry.as_str()));
        match verdict {
            Verdict::Supported(_) | Verdict::Differs(_) => assert!(is_shown(), "{entry} is in no sample"),
            Verdict::As(_) if entry.starts_with("spec.") => assert!(is_shown_below(), "{entry} is in no sample"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn every_field_that_is_refused_is_refused_by_name() {
    for (entry, verdict) in entries() {
        let Verdict::Refused { words, with } = verdict else {
            continue;
        };
        let answer = create(&PlayedNode::new(Script::default()), &pod_with(&with)).await;
        let message = answer.body["message"].as_str().unwrap_or_default();
        assert!(
            answer.code >= 400 && message.contains(&words),
            "{entry}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn a_field_of_a_later_release_is_unknown_as_to_every_server_of_this_one() {
    let node = PlayedNode::new(Script::default());
    let pod = pod_with(&json!({"spec": {"evictionResponders": [{"name": "example.com/r", "priority": 1}]}}));
    let answer = create(&node, &pod).await;
    let message = answer.body["message"].as_str().unwrap_or_default();
    assert!(
        message.ends_with("strict decoding error: unknown field \"spec.evictionResponders\""),
        "{message}"
    );
    for (structure, field) in crate::api::newer::all() {
        let schemas = crate::api::openapi::schemas();
        let known = schemas
            .iter()
            .find(|(name, _)| name.ends_with(&format!(".{structure}")));
        let known = known.map(|(_, schema)| &schema["properties"][field]);
        assert!(known.is_none_or(Value::is_null), "{structure}.{field}");
    }
}

#[tokio::test]
async fn every_field_that_changes_nothing_is_warned_of_by_name() {
    for (entry, verdict) in entries() {
        let Verdict::Warned { words, with } = verdict else {
            continue;
        };
        let answer = create(&PlayedNode::new(Script::default()), &pod_with(&with)).await;
        assert_eq!(answer.code, 201, "{entry}: {}", answer.body);
        assert!(answer.warnings.contains(&words), "{entry}: {:?}", answer.warnings);
    }
}

#[tokio::test(start_paused = true)]
async fn every_field_that_the_node_can_not_carry_out_is_said_on_the_pod() {
    for (entry, verdict) in entries() {
        let Verdict::Reported { words, with } = verdict else {
            continue;
        };
        let node = PlayedNode::new(Script::default());
        let answer = create(&node, &pod_with(&with)).await;
        assert_eq!(answer.code, 201, "{entry}: {}", answer.body);
        let said = node.live(5).await.said;
        assert!(
            said.iter().any(|text| text.contains(&words)),
            "{entry}: {words:?} is not among {said:#?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn domains_that_there_is_no_room_for_are_said_on_the_pod() {
    let searches: Vec<String> = (0..30).map(|number| format!("d{number}.example")).collect();
    let node = PlayedNode::new(Script::default());
    create(
        &node,
        &pod_with(&json!({"spec": {"dnsConfig": {"searches": searches}}})),
    )
    .await;
    let said = node.live(5).await.said;
    let words = "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: \
                 default.svc.cluster.local svc.cluster.local cluster.local ";
    assert!(said.iter().any(|text| text.starts_with(words)), "{said:#?}");
}
