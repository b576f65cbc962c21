//! Kinds that make pods from a template, and the pod that such a template comes to.

use emulator::api::admission::{FieldError, Kind};
use k8s_openapi::api::core::v1::PodSpec;
use serde_json::{Value, json};

use super::document::Document;

/// A kind that makes pods.
struct Workload {
    kind: &'static str,
    /// Where its template is.
    template: &'static [&'static str],
}

const WORKLOADS: [Workload; 8] = [
    of("Deployment", &["spec", "template"]),
    of("ReplicaSet", &["spec", "template"]),
    of("StatefulSet", &["spec", "template"]),
    of("DaemonSet", &["spec", "template"]),
    of("Job", &["spec", "template"]),
    of("ReplicationController", &["spec", "template"]),
    of("CronJob", &["spec", "jobTemplate", "spec", "template"]),
    of("PodTemplate", &["template"]),
];

const fn of(kind: &'static str, template: &'static [&'static str]) -> Workload {
    Workload { kind, template }
}

/// What a pod of a file is made by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maker {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Where its template is: `spec.template`.
    pub path: String,
}

impl Maker {
    /// What is told in its place, for a sentence.
    pub fn told(&self) -> String {
        format!(
            "{} {}: told is one pod, as it is made from {}",
            self.kind, self.name, self.path
        )
    }
}

/// Returns what the API server refuses of a template that would be a pod: its restart policy (`pkg/apis/apps/validation`,
/// `pkg/apis/batch/validation`).
pub fn restart_policy_fault(maker: &Maker, spec: &PodSpec) -> Option<FieldError> {
    let given = spec.restart_policy.as_deref().unwrap_or("Always");
    let (kind, detail) = match (maker.kind.as_str(), given) {
        ("Job" | "CronJob", "Always") => (Kind::Required, "valid values: \"OnFailure\", \"Never\""),
        ("Job" | "CronJob" | "PodTemplate", _) => return None,
        (_, "OnFailure" | "Never") => (Kind::NotSupported, "supported values: \"Always\""),
        _ => return None,
    };
    Some(FieldError {
        path: "spec.restartPolicy".to_owned(),
        kind,
        value: given.into(),
        detail: detail.to_owned(),
    })
}

/// Whether pods are made from objects of this kind.
pub fn makes_pods(kind: &str) -> bool {
    WORKLOADS.iter().any(|workload| workload.kind == kind)
}

/// A pod as an object of a file makes it, with the places of the template's fields; none where the object makes no pods, or
/// has no template.
pub fn pod_of(document: &Document) -> Option<(Document, Maker)> {
    let workload = WORKLOADS.iter().find(|workload| workload.kind == document.kind)?;
    let mut node = &document.node;
    let mut template = &document.value;
    for part in workload.template {
        node = node.get(part)?;
        template = template.get(part)?;
    }
    let own = document.value.get("metadata");
    let name = own.and_then(|own| own["name"].as_str()).unwrap_or_default().to_owned();
    let mut value = json!({"apiVersion": "v1", "kind": "Pod"});
    for part in ["metadata", "spec"] {
        value[part] = template.get(part).cloned().unwrap_or_else(|| json!({}));
    }
    // What the maker would add to the name, nobody knows: its own says which pod is meant.
    value["metadata"]["name"] = name.clone().into();
    if let Some(namespace) = own.and_then(|own| own.get("namespace")) {
        value["metadata"]["namespace"] = namespace.clone();
    }
    add_claims(&document.value, &name, &mut value["spec"]);
    let maker = Maker {
        kind: document.kind.clone(),
        name,
        path: workload.template.join("."),
    };
    let pod = Document {
        kind: "Pod".to_owned(),
        kind_at: document.kind_at,
        value,
        node: node.clone(),
        duplicates: document
            .duplicates
            .iter()
            .filter_map(|(path, place)| {
                let path = path.strip_prefix(&maker.path)?.strip_prefix('.')?;
                Some((path.to_owned(), *place))
            })
            .collect(),
    };
    Some((pod, maker))
}

/// A StatefulSet's claims are volumes of its pods, each under the name that its first pod's claim gets.
fn add_claims(workload: &Value, name: &str, spec: &mut Value) {
    let claims = workload.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
    for claim in claims.into_iter().flatten() {
        let Some(own) = claim.pointer("/metadata/name").and_then(Value::as_str) else {
            continue;
        };
        let volume = json!({"name": own, "persistentVolumeClaim": {"claimName": format!("{own}-{name}-0")}});
        match spec.get_mut("volumes").and_then(Value::as_array_mut) {
            Some(volumes) => {
                // A claim takes the place of a volume of its name.
                volumes.retain(|other| other["name"] != own);
                volumes.push(volume);
            }
            None => spec["volumes"] = json!([volume]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Source, documents};

    fn made(text: &str) -> (Document, Maker) {
        let source = Source {
            name: "file.yaml".into(),
            text: text.into(),
        };
        pod_of(&documents(&source).unwrap().remove(0)).unwrap()
    }

    #[test]
    fn a_template_is_a_pod_with_the_places_of_the_file() {
        let (pod, maker) = made(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec:\n  selector: {}\n  template:\n    \
             metadata: {labels: {app: web}}\n    spec:\n      containers:\n      - name: app\n        image: a:1\n",
        );
        assert_eq!(pod.value["metadata"]["name"], "web");
        assert_eq!(pod.value["metadata"]["namespace"], "shop");
        assert_eq!(pod.node.place_of("spec.containers[0].image").line, 11);
        assert_eq!(
            (maker.kind.as_str(), maker.path.as_str()),
            ("Deployment", "spec.template")
        );
    }

    #[test]
    fn restart_policy_must_fit_kind_of_workload() {
        let fault = |kind: &str, policy: Option<&str>| {
            let maker = Maker {
                kind: kind.into(),
                name: "w".into(),
                path: "spec.template".into(),
            };
            let spec = PodSpec {
                restart_policy: policy.map(str::to_owned),
                ..PodSpec::default()
            };
            restart_policy_fault(&maker, &spec).map(|fault| fault.body())
        };
        assert_eq!(
            fault("Deployment", Some("Never")).unwrap(),
            "Unsupported value: \"Never\": supported values: \"Always\""
        );
        assert_eq!(
            fault("Job", None).unwrap(),
            "Required value: valid values: \"OnFailure\", \"Never\""
        );
        for (kind, policy) in [
            ("Deployment", None),
            ("Job", Some("Never")),
            ("PodTemplate", Some("Never")),
        ] {
            assert_eq!(fault(kind, policy), None, "{kind}");
        }
    }

    #[test]
    fn the_template_of_a_schedule_lies_deep() {
        let (pod, maker) = made(
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: often}\nspec:\n  schedule: '0 0 * * *'\n  jobTemplate:\n    spec:\n      \
             template:\n        spec: {restartPolicy: Never, containers: [{name: c, image: i}]}\n",
        );
        assert_eq!(pod.value["spec"]["restartPolicy"], "Never");
        assert_eq!(maker.path, "spec.jobTemplate.spec.template");
    }

    #[test]
    fn a_set_with_claims_has_them_as_volumes() {
        let (pod, _) = made(
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec:\n  serviceName: db\n  selector: {}\n  \
             volumeClaimTemplates: [{metadata: {name: data}, spec: {}}]\n  template:\n    spec: {containers: [{name: c, image: i, \
             volumeMounts: [{name: data, mountPath: /data}]}], volumes: [{name: data, persistentVolumeClaim: {claimName: x}}]}\n",
        );
        assert_eq!(pod.value["spec"]["volumes"].as_array().unwrap().len(), 1);
        assert_eq!(
            pod.value["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"],
            "data-db-0"
        );
    }
}
