//! Files: manifests as people write them, and pods with their events as `kubectl get -o yaml` saves them.
//!
//! What is wrong with a file is said with its line, column and field, and with the way to mend it.

pub mod document;
pub mod effects;
pub mod node;
pub mod problem;
pub mod saved_event;
pub mod schema;
pub mod source;

pub use document::{Document, documents};
pub use problem::Problem;
pub use source::Source;

use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::jiff::Timestamp;

use crate::cluster::pods::PodAndEvents;
use problem::Place;

/// Kinds that hold a pod template: close to a Pod, and none.
const WORKLOADS: [(&str, &str); 7] = [
    ("Deployment", "spec.template"),
    ("ReplicaSet", "spec.template"),
    ("StatefulSet", "spec.template"),
    ("DaemonSet", "spec.template"),
    ("Job", "spec.template"),
    ("ReplicationController", "spec.template"),
    ("CronJob", "spec.jobTemplate.spec.template"),
];

/// Kinds that may stand beside a pod: they are what it refers to.
const COMPANIONS: [&str; 6] = [
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Namespace",
    "Service",
    "PersistentVolumeClaim",
];

/// The pods of some sources, each with the events that were saved with it.
///
/// # Errors
/// The first thing that is wrong with a file, or that no source holds a pod.
pub fn pods(sources: &[Source]) -> Result<Vec<PodAndEvents>, Problem> {
    Ok(read(sources)?.into_iter().map(|read| read.pod).collect())
}

/// A pod of a file, and where it stands there.
#[derive(Clone, Debug)]
pub struct PodOfFile<'a> {
    /// The pod, and the events that were saved with it.
    pub pod: PodAndEvents,
    /// The file.
    pub source: &'a Source,
    /// The pod with the places of its fields.
    pub document: Document,
}

/// The same, with the places of all fields.
///
/// # Errors
/// The first thing that is wrong with a file, or that no source holds a pod.
pub fn read(sources: &[Source]) -> Result<Vec<PodOfFile<'_>>, Problem> {
    let mut pods: Vec<(Pod, &Source, Document)> = Vec::new();
    let mut events: Vec<Event> = Vec::new();
    let mut last: Option<(&Source, Document)> = None;
    for source in sources {
        for document in documents(source)? {
            match document.kind.as_str() {
                "Pod" => pods.push((document.typed::<Pod>(source)?, source, document.clone())),
                "Event" => events.push(saved_event::of(&document, source)?),
                kind if COMPANIONS.contains(&kind) => {}
                // What was saved along with pods (`kubectl get all -o yaml`) is of no use here, and no mistake.
                _ if document.is_saved() => {}
                _ => return Err(not_a_pod(source, &document)),
            }
            last = Some((source, document));
        }
    }
    if pods.is_empty() {
        return Err(match (last, sources.first()) {
            (Some((source, document)), _) => not_a_pod(source, &document),
            (None, Some(source)) => Problem::new(source, "the file is empty")
                .help("a pod's manifest begins with apiVersion: v1 and kind: Pod"),
            (None, None) => Problem::elsewhere("no file was given"),
        });
    }
    Ok(pods
        .into_iter()
        .map(|(pod, source, document)| PodOfFile {
            pod: PodAndEvents {
                events: events
                    .iter()
                    .filter(|event| event.involved_object.name == pod.metadata.name)
                    .filter(|event| event.involved_object.namespace == pod.metadata.namespace)
                    .cloned()
                    .collect(),
                pod,
                events_error: None,
            },
            source,
            document,
        })
        .collect())
}

/// The newest moment that a saved pod and its events speak of: nobody wrote down when they were saved, but it was
/// then or later, and ages measured against it stay true for ever.
pub fn saved_at(saved: &PodAndEvents) -> Option<Timestamp> {
    let pod = serde_json::to_value(&saved.pod).ok()?;
    let events = serde_json::to_value(&saved.events).ok()?;
    let deadline = saved.pod.metadata.deletion_timestamp.as_ref().map(|time| time.0);
    let mut newest = None;
    collect_times(&pod, &mut newest, deadline);
    collect_times(&events, &mut newest, deadline);
    newest
}

/// A deletion's deadline lies ahead: it says nothing of the present.
fn collect_times(value: &serde_json::Value, newest: &mut Option<Timestamp>, ignored: Option<Timestamp>) {
    match value {
        serde_json::Value::String(text) => {
            let time = text.parse::<Timestamp>().ok().filter(|time| Some(*time) != ignored);
            *newest = (*newest).max(time);
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_times(item, newest, ignored)),
        serde_json::Value::Object(members) => {
            let members = members
                .iter()
                .filter(|(key, _)| *key != "annotations" && *key != "message");
            members.for_each(|(_, member)| collect_times(member, newest, ignored));
        }
        _ => {}
    }
}

/// Says what a document is, if not a pod.
pub fn not_a_pod(source: &Source, document: &Document) -> Problem {
    let kind = &document.kind;
    let problem = Problem::new(source, format!("this is a {kind}, not a Pod"))
        .at(document.kind_at)
        .field("kind");
    match WORKLOADS.iter().find(|(workload, _)| workload == kind) {
        Some((_, path)) => problem.help(format!(
            "its pods are made from {path}: put that part's metadata and spec into a file with apiVersion: v1 and kind: Pod"
        )),
        None => problem.help("a pod's manifest has apiVersion: v1 and kind: Pod"),
    }
}

/// The one pod of some sources, with what stands beside it, for those who run it.
///
/// # Errors
/// What is wrong with a file; that there is no pod, or more than one.
pub fn one_pod(sources: &[Source]) -> Result<(Pod, Vec<Document>), Problem> {
    let mut found: Option<(Pod, &Source, Place)> = None;
    let mut companions = Vec::new();
    for source in sources {
        for document in documents(source)? {
            match document.kind.as_str() {
                "Pod" => {
                    if let Some((_, other, place)) = &found {
                        return Err(Problem::new(source, "several pods: only one can be run at a time")
                            .at(document.kind_at)
                            .field("kind")
                            .help(format!(
                                "the first one is at {}:{}; keep one of them",
                                other.name, place.line
                            )));
                    }
                    found = Some((document.typed::<Pod>(source)?, source, document.kind_at));
                }
                "Event" => {}
                kind if COMPANIONS.contains(&kind) => companions.push(document),
                _ => return Err(not_a_pod(source, &document)),
            }
        }
    }
    match found {
        Some((pod, _, _)) => Ok((pod, companions)),
        None => {
            // Says the same as for the commands that only read.
            pods(sources)?;
            Err(Problem::elsewhere("no pod was given"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source {
            name: "pod.yaml".into(),
            text: text.into(),
        }
    }

    fn refused(text: &str) -> String {
        pods(&[source(text)]).unwrap_err().to_string()
    }

    #[test]
    fn a_manifest_is_read_with_what_stands_beside_it() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n---\napiVersion: v1\nkind: Pod\n\
                    metadata: {name: p}\nspec: {containers: [{name: a, image: b, resources: {limits: {cpu: 1}}}]}\n";
        let read = pods(&[source(text)]).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].pod.metadata.name.as_deref(), Some("p"));
        let (_, companions) = one_pod(&[source(text)]).unwrap();
        assert_eq!(companions.len(), 1);
    }

    #[test]
    fn what_was_saved_along_with_a_pod_is_passed_over() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Node, metadata: {name: n, uid: a}}\n\
                    - {apiVersion: apps/v1, kind: Deployment, metadata: {name: d, uid: b}}\n\
                    - {apiVersion: v1, kind: Pod, metadata: {name: p, uid: c}, spec: {containers: []}}\n";
        let read = pods(&[source(text)]).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].pod.metadata.name.as_deref(), Some("p"));
    }

    #[test]
    fn a_deployment_is_named_as_one() {
        let said = refused("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n");
        assert!(said.contains("this is a Deployment, not a Pod"), "{said}");
        assert!(said.contains("pod.yaml:2:7"), "{said}");
        assert!(said.contains("spec.template"), "{said}");
    }

    #[test]
    fn a_typing_mistake_in_a_field_gets_its_place_and_the_right_name() {
        let said = refused("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  contianers: []\n");
        assert!(said.contains("unknown field \"spec.contianers\""), "{said}");
        assert!(said.contains("pod.yaml:5:3"), "{said}");
        assert!(said.contains("containers"), "{said}");
    }

    #[test]
    fn a_value_of_the_wrong_type_gets_its_place() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: a\n    image: b\n    \
                    ports: 8080\n";
        let said = refused(text);
        assert!(said.contains("pod.yaml:8:12"), "{said}");
        assert!(said.contains("spec.containers[0].ports"), "{said}");
    }

    #[test]
    fn an_empty_file_and_no_yaml_are_told_apart() {
        assert!(refused("").contains("the file is empty"));
        assert!(refused("# nothing\n---\n").contains("the file is empty"));
        assert!(refused("just words\n").contains("no Kubernetes object"));
        let said = refused("a: [b\n");
        assert!(said.contains("pod.yaml:"), "{said}");
    }

    #[test]
    fn several_pods_cannot_be_run_at_once() {
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: b}]}\n";
        let said = one_pod(&[source(&format!("{pod}---\n{pod}"))]).unwrap_err().to_string();
        assert!(said.contains("several pods"), "{said}");
        assert!(said.contains("pod.yaml:7:7"), "{said}");
    }
}
