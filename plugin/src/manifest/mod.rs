//! Files: manifests as people write them, and pods with their events as `kubectl get -o yaml` saves them.
//!
//! What is wrong with a file is said with its line, column and field, and with the way to mend it.

pub mod document;
pub mod effects;
pub mod node;
pub mod problem;
pub mod related;
pub mod saved_event;
pub mod schema;
pub mod source;
pub mod workload;

pub use document::{Document, documents};
pub use problem::Problem;
pub use source::Source;
pub use workload::Maker;

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use crate::cluster::pods::PodAndEvents;
use crate::lint::api::At;
use crate::pod::termination::Termination;
use problem::Place;
pub use related::{OwnerOfFile, Related};

/// Kinds that may stand beside a pod: they are what it refers to.
const COMPANIONS: [&str; 10] = [
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Namespace",
    "Service",
    "PersistentVolumeClaim",
    "PriorityClass",
    "LimitRange",
    "ResourceQuota",
    "RuntimeClass",
];

/// What some sources hold.
#[derive(Clone, Debug)]
pub struct Contents<'a> {
    /// The pods, and a pod of each object that makes some.
    pub pods: Vec<PodOfFile<'a>>,
    /// What stands beside them and is not read, a sentence each.
    pub passed_over: Vec<String>,
    /// Other objects, and the events of any object.
    pub related: Related,
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
    /// The object that such pods are made by, where the file holds that.
    pub maker: Option<Maker>,
    /// Where the object begins that says so.
    pub begins_at: Place,
    /// The objects of the sources that a pod may refer to.
    pub companions: Arc<Vec<Value>>,
}

impl PodOfFile<'_> {
    /// The place in the source at which a lint is shown.
    pub fn place_of(&self, at: &At) -> Place {
        match at {
            At::Field(path) => self.document.node.place_of(path),
            At::Place(place) => *place,
        }
    }

    /// The path of one of the pod's fields in the object of the file: `spec.template.spec.containers[0].image`.
    pub fn path(&self, field: &str) -> String {
        match &self.maker {
            // What only a pod has, such as its status, is not in the template.
            Some(maker) if field.starts_with("spec") || field.starts_with("metadata") => {
                format!("{}.{field}", maker.path)
            }
            _ => field.to_owned(),
        }
    }
}

/// A pod that was found, before it has its events.
struct Found<'a> {
    pod: Pod,
    source: &'a Source,
    document: Document,
    maker: Option<Maker>,
    begins_at: Place,
}

impl<'a> Found<'a> {
    fn of(source: &'a Source, document: Document) -> Result<Self, Problem> {
        let begins_at = document.node.place;
        let (document, maker) = match workload::pod_of(&document) {
            Some((pod, maker)) => (pod, Some(maker)),
            None if document.kind == "Pod" => (document, None),
            None => return Err(without_template(source, &document)),
        };
        Ok(Self {
            pod: document.typed::<Pod>(source)?,
            source,
            document,
            maker,
            begins_at,
        })
    }

    /// Gives it those events that are about it, and the objects beside it.
    fn with(self, events: &[Event], companions: &Arc<Vec<Value>>) -> PodOfFile<'a> {
        let metadata = &self.pod.metadata;
        let is_own = |event: &&Event| {
            event.involved_object.name == metadata.name && event.involved_object.namespace == metadata.namespace
        };
        PodOfFile {
            pod: PodAndEvents {
                events: match self.maker {
                    Some(_) => Vec::new(),
                    None => events.iter().filter(is_own).cloned().collect(),
                },
                pod: self.pod,
                events_error: None,
            },
            source: self.source,
            document: self.document,
            maker: self.maker,
            begins_at: self.begins_at,
            companions: Arc::clone(companions),
        }
    }
}

/// Reads the pods of some sources, each with the events that were saved with it and with the places of its fields.
///
/// # Errors
/// The first thing that is wrong with a file, or that no source holds a pod.
pub fn read(sources: &[Source]) -> Result<Contents<'_>, Problem> {
    collect(sources, false)
}

/// Reads the same, and lets files pass that hold no pod, but events of an object that cannot make its pods.
///
/// # Errors
/// The first thing that is wrong with a file, or that no source holds either.
pub fn read_with_owners(sources: &[Source]) -> Result<Contents<'_>, Problem> {
    collect(sources, true)
}

fn collect(sources: &[Source], allows_owners: bool) -> Result<Contents<'_>, Problem> {
    let mut pods: Vec<Found<'_>> = Vec::new();
    let mut saved_makers = Vec::new();
    let mut events: Vec<Event> = Vec::new();
    let mut passed_over = Vec::new();
    let mut companions = Vec::new();
    let mut related = Related::default();
    let mut first: Option<(&Source, Document)> = None;
    for source in sources {
        for document in documents(source)? {
            related.add(&document.kind, &document.value);
            match document.kind.as_str() {
                "Pod" => pods.push(Found::of(source, document.clone())?),
                "Event" => events.push(saved_event::of(&document, source)?),
                // What was saved along with pods (`kubectl get all -o yaml`) has made them; alone, it is what was meant.
                kind if workload::makes_pods(kind) && document.is_saved() => {
                    saved_makers.push((source, document.clone()));
                }
                kind if workload::makes_pods(kind) => pods.push(Found::of(source, document.clone())?),
                kind if COMPANIONS.contains(&kind) => companions.push(document.value.clone()),
                _ if document.is_saved() => {}
                kind => passed_over.push(format!(
                    "{}:{}: {kind} {} is not read: it is no pod, and makes none",
                    source.name,
                    document.kind_at.line,
                    document.name()
                )),
            }
            first.get_or_insert((source, document));
        }
    }
    if pods.is_empty() {
        let makers = saved_makers.into_iter();
        pods = makers
            .map(|(source, document)| Found::of(source, document))
            .collect::<Result<_, _>>()?;
    }
    events.iter().for_each(|event| related.add_event(event));
    let has_owners = allows_owners && !related.failing_owners().is_empty();
    if pods.is_empty() && !has_owners {
        return Err(match (first, sources.first()) {
            (Some((source, document)), _) => not_a_pod(source, &document),
            (None, Some(source)) => no_object(source),
            (None, None) => Problem::elsewhere("no file was given"),
        });
    }
    let companions = Arc::new(companions);
    Ok(Contents {
        pods: pods.into_iter().map(|found| found.with(&events, &companions)).collect(),
        passed_over,
        related,
    })
}

/// Says that a file holds no object: nothing at all, or a list without items, as kubectl prints it where it finds none.
fn no_object(source: &Source) -> Problem {
    let has_list = source.text.lines().any(|line| {
        let line = line.trim_start_matches(['{', ' ', '"']);
        line.starts_with("kind: List") || line.starts_with("kind\": \"List") || line.starts_with("items:")
    });
    if has_list {
        return Problem::new(source, "no pods in the file: the list has no items")
            .help("kubectl found nothing: check the namespace and the selector that the list was saved with");
    }
    Problem::new(source, "the file is empty").help("a pod's manifest begins with apiVersion: v1 and kind: Pod")
}

/// The newest time that a saved pod and its events tell of anything that has happened: nobody wrote down when they were
/// saved, but it was then or later.
pub fn newest(saved: &PodAndEvents) -> Option<Timestamp> {
    let pod = serde_json::to_value(&saved.pod).ok()?;
    let events = serde_json::to_value(&saved.events).ok()?;
    let events = events.as_array().into_iter().flatten();
    events
        .map(|event| related::newest("Event", event))
        .chain([related::newest("Pod", &pod)])
        .max()
        .flatten()
}

/// The time that a saved pod's ages are measured against: the newest one that is known, and not before deletion was asked for.
pub fn saved_at(saved: &PodAndEvents, newest: Option<Timestamp>) -> Option<Timestamp> {
    let requested = Termination::of(&saved.pod.metadata).and_then(|termination| termination.requested());
    newest.max(requested)
}

/// Says what a document is, if not a pod.
fn not_a_pod(source: &Source, document: &Document) -> Problem {
    let article = if document.kind.starts_with(['A', 'E', 'I', 'O', 'U']) {
        "an"
    } else {
        "a"
    };
    let words = format!("no pods found (the first object is {article} {})", document.kind);
    Problem::new(source, words).at(document.kind_at).field("kind").help(
        "a pod's manifest has apiVersion: v1 and kind: Pod; of a Deployment, Job and the like the template is read",
    )
}

/// Says that a document makes pods and does not say which.
fn without_template(source: &Source, document: &Document) -> Problem {
    Problem::new(source, format!("this {} has no template of a pod", document.kind))
        .at(document.kind_at)
        .field("kind")
        .help("add the template, with the containers of the pods")
}

/// What is run or simulated: one pod, and what stands beside it.
#[derive(Debug)]
pub struct OnePod {
    /// The pod.
    pub pod: Pod,
    /// The object that such pods are made by, where the file holds that.
    pub maker: Option<Maker>,
    /// All else in the sources.
    pub companions: Vec<Document>,
}

/// The one pod of some sources, with what stands beside it, for those who run it.
///
/// # Errors
/// What is wrong with a file; that there is no pod, or more than one.
pub fn one_pod(sources: &[Source]) -> Result<OnePod, Problem> {
    let mut found: Option<(Found<'_>, Place)> = None;
    let mut companions = Vec::new();
    for source in sources {
        for document in documents(source)? {
            match document.kind.as_str() {
                kind if kind == "Pod" || workload::makes_pods(kind) => {
                    if let Some((other, place)) = &found {
                        return Err(Problem::new(source, "several pods: only one can be run at a time")
                            .at(document.kind_at)
                            .field("kind")
                            .help(format!(
                                "the first one is at {}:{}; keep one of them",
                                other.source.name, place.line
                            )));
                    }
                    let place = document.kind_at;
                    found = Some((Found::of(source, document)?, place));
                }
                "Event" => {}
                _ => companions.push(document),
            }
        }
    }
    match found {
        Some((found, _)) => Ok(OnePod {
            pod: found.pod,
            maker: found.maker,
            companions,
        }),
        None => {
            // Says the same as for the commands that only read.
            read(sources)?;
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
        read(&[source(text)]).unwrap_err().to_string()
    }

    #[test]
    fn a_manifest_is_read_with_what_stands_beside_it() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n---\napiVersion: v1\nkind: Pod\n\
                    metadata: {name: p}\nspec: {containers: [{name: a, image: b, resources: {limits: {cpu: 1}}}]}\n";
        let sources = [source(text)];
        let read = read(&sources).unwrap();
        assert_eq!(read.pods.len(), 1);
        assert_eq!(read.pods[0].pod.pod.metadata.name.as_deref(), Some("p"));
        assert_eq!(one_pod(&sources).unwrap().companions.len(), 1);
    }

    #[test]
    fn what_was_saved_along_with_a_pod_is_passed_over() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Node, metadata: {name: n, uid: a}}\n\
                    - {apiVersion: apps/v1, kind: Deployment, metadata: {name: d, uid: b}}\n\
                    - {apiVersion: v1, kind: Pod, metadata: {name: p, uid: c}, spec: {containers: []}}\n";
        let sources = [source(text)];
        let read = read(&sources).unwrap();
        assert_eq!(read.pods.len(), 1);
        assert_eq!(read.pods[0].pod.pod.metadata.name.as_deref(), Some("p"));
        assert!(read.passed_over.is_empty());
    }

    #[test]
    fn of_what_makes_pods_the_template_is_read() {
        let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  selector: {}\n  template:\n    \
                          spec: {containers: [{name: a, image: b}]}\n";
        let sources = [source(&format!(
            "{deployment}---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: i}}\n"
        ))];
        let read = read(&sources).unwrap();
        assert_eq!(read.pods[0].maker.as_ref().unwrap().kind, "Deployment");
        assert_eq!(
            read.passed_over,
            ["pod.yaml:10: Ingress i is not read: it is no pod, and makes none"]
        );
    }

    #[test]
    fn a_maker_that_was_saved_is_read_where_its_pods_were_not() {
        let saved = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, uid: u}\nspec: {template: {spec: {containers: []}}}\n";
        assert_eq!(read(&[source(saved)]).unwrap().pods.len(), 1);
    }

    #[test]
    fn a_mistake_in_a_template_gets_its_place() {
        let said = refused(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  selector: {}\n  template:\n    spec:\n      \
             containers:\n      - nmae: a\n",
        );
        assert!(
            said.contains("unknown field \"spec.template.spec.containers[0].nmae\""),
            "{said}"
        );
        assert!(said.contains("pod.yaml:9:9"), "{said}");
        let said = refused("apiVersion: v1\nkind: ReplicationController\nmetadata: {name: d}\nspec: {replicas: 1}\n");
        assert!(said.contains("has no template of a pod"), "{said}");
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
