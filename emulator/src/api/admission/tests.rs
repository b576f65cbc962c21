//! Every recorded pod, as its author wrote it, becomes what a real API server stored.

use super::*;

/// What a pod that is made by the tests may refer to.
fn context(lookup: &dyn Fn(&Key) -> Option<Arc<Value>>) -> AdmissionContext<'_> {
    AdmissionContext {
        namespace: "default",
        now: Timestamp::UNIX_EPOCH,
        lookup,
        priority_classes: &[],
        limit_ranges: &[],
    }
}

fn account(key: &Key) -> Option<Arc<Value>> {
    (key.name == "default").then(|| Arc::new(json!({"metadata": {"name": "default"}})))
}

fn create(pod: Value) -> Result<Value, Rejection> {
    let decoded = decode(
        Resource::Pods,
        pod.to_string().as_bytes(),
        "application/json",
        FieldValidation::Strict,
    );
    let mut pod = decoded.map_err(Rejection::BadRequest)?.object;
    admit_create(Resource::Pods, &mut pod, &context(&account))?;
    Ok(pod)
}

#[test]
fn a_small_pod_gets_all_its_defaults() {
    let pod = create(json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "busybox:1"}]}}))
        .unwrap();
    let volume = pod["spec"]["volumes"][0]["name"].as_str().unwrap();
    assert_eq!(
        pod["spec"],
        json!({
            "containers": [{
                "name": "a",
                "image": "busybox:1",
                "imagePullPolicy": "IfNotPresent",
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "resources": {},
                "volumeMounts": [
                    {"name": volume, "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
                ],
            }],
            "dnsPolicy": "ClusterFirst",
            "restartPolicy": "Always",
            "securityContext": {},
            "terminationGracePeriodSeconds": 30,
            "schedulerName": "default-scheduler",
            "enableServiceLinks": true,
            "serviceAccountName": "default",
            "serviceAccount": "default",
            "volumes": [{"name": volume, "projected": {"defaultMode": 420, "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [
                    {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
                ]}},
            ]}}],
            "tolerations": [
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            ],
            "priority": 0,
            "preemptionPolicy": "PreemptLowerPriority",
        })
    );
    assert_eq!(pod["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
    assert_eq!(
        pod["metadata"],
        json!({"name": "p", "namespace": "default", "generation": 1})
    );
}

#[test]
fn an_account_that_is_missing_forbids_the_pod() {
    let error = create(json!({"metadata": {"name": "p"}, "spec": {"serviceAccountName": "sa",
        "containers": [{"name": "a", "image": "b"}]}}))
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "pods \"p\" is forbidden: error looking up service account default/sa: serviceaccount \"sa\" not found"
    );
}

#[test]
fn a_generated_name_keeps_its_prefix() {
    let pod =
        create(json!({"metadata": {"generateName": "p-"}, "spec": {"containers": [{"name": "a", "image": "b"}]}}))
            .unwrap();
    let name = pod["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("p-") && name.len() == 7, "{name}");
}

#[test]
fn another_namespace_is_refused() {
    let error = create(json!({"metadata": {"name": "p", "namespace": "other"}})).unwrap_err();
    assert_eq!(
        error,
        Rejection::BadRequest(
            "the namespace of the provided object does not match the namespace sent on the request".into()
        )
    );
}

#[test]
fn a_gated_pod_says_so_at_once() {
    let pod = create(
        json!({"metadata": {"name": "p"}, "spec": {"schedulingGates": [{"name": "example.com/quota"}],
        "containers": [{"name": "a", "image": "b"}]}}),
    )
    .unwrap();
    assert_eq!(pod["status"]["conditions"][0]["reason"], "SchedulingGated");
    assert_eq!(
        pod["status"]["conditions"][0]["lastTransitionTime"],
        "1970-01-01T00:00:00Z"
    );
}

/// The manifest of a recorded case (without its comments) and the pod that a real API server kept of it.
fn recorded(path: &std::path::Path) -> Option<(Value, Value)> {
    let name = path.file_name()?;
    let saved = path.parent()?.with_file_name("saved").join(name);
    let case = Document::from_yaml(&first_document(&std::fs::read(path).ok()?))
        .unwrap()
        .value;
    let saved = Document::from_yaml(&std::fs::read(saved).ok()?).unwrap().value;
    let pod = saved["items"].as_array()?.iter().find(|item| item["kind"] == "Pod")?;
    Some((case, pod.clone()))
}

/// A case may bring the objects that its pod refers to: the pod is wanted alone.
fn first_document(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text).into_owned();
    let pod = text.split("\n---").find(|document| document.contains("kind: Pod"));
    pod.unwrap_or_default().as_bytes().to_vec()
}

/// Takes out what differs from cluster to cluster: names, the node, and openshift's addition to the token volume.
fn comparable(mut spec: Value) -> Value {
    spec.as_object_mut().unwrap().shift_remove("nodeName");
    for volume in tree::items(&mut spec, "volumes") {
        if let Some(sources) = volume["projected"]["sources"].as_array_mut() {
            sources.retain(|source| source["configMap"]["name"] != "openshift-service-ca.crt");
        }
    }
    let text = spec.to_string();
    let Some(at) = text.find("kube-api-access-") else {
        return spec;
    };
    let name = &text[at..at + "kube-api-access-".len() + 5];
    serde_json::from_str(&text.replace(name, "kube-api-access")).unwrap()
}

#[test]
fn every_recorded_pod_gets_the_spec_that_a_real_server_stored() {
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/conformance/cases");
    let mut compared = 0;
    for entry in std::fs::read_dir(cases).unwrap() {
        let path = entry.unwrap().path();
        let Some((mut case, saved)) = recorded(&path) else {
            continue;
        };
        if !saved["metadata"]["deletionTimestamp"].is_null() {
            continue;
        }
        // A gate that was taken away in the meantime is not in the record.
        if saved["spec"]["schedulingGates"].is_null() {
            case["spec"].as_object_mut().unwrap().shift_remove("schedulingGates");
        }
        let pod = create(case).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(
            comparable(pod["spec"].clone()),
            comparable(saved["spec"].clone()),
            "{}",
            path.display()
        );
        assert_eq!(
            pod["status"]["qosClass"],
            saved["status"]["qosClass"],
            "{}",
            path.display()
        );
        compared += 1;
    }
    assert!(compared > 20, "only {compared} records were found");
}

/// Objects of any shape, whose fields have names that mean something.
fn any_tree() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    let names = "metadata|name|labels|annotations|spec|containers|initContainers|image|env|valueFrom|fieldRef|fieldPath|ports|\
        containerPort|resources|limits|requests|cpu|memory|volumes|projected|sources|secret|items|livenessProbe|httpGet|exec|\
        tolerations|affinity|nodeAffinity|securityContext|runAsUser|restartPolicy|schedulingGates|emptyDir|volumeMounts|x";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,12}|metadata.labels\\[.{0,3}|-?1[KMG]?i?".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((names, inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest::proptest! {
    #[test]
    fn no_object_makes_it_panic(spec in any_tree(), metadata in any_tree(), old in any_tree()) {
        for resource in Resource::ALL {
            let read = |spec: &Value| {
                let value = json!({"metadata": metadata, "spec": spec, "data": spec});
                let document = Document { value, duplicates: Vec::new() };
                decode_document(resource, document, FieldValidation::Ignore).map(|decoded| decoded.object)
            };
            let (Ok(object), Ok(old)) = (read(&spec), read(&old)) else { continue };
            let _ = admit_create(resource, &mut object.clone(), &context(&account));
            let _ = admit_update(resource, &old, &mut object.clone(), &context(&account));
            let _ = admit_status(resource, &old, &mut object.clone());
            let _ = admit_ephemeral_containers(&old, &mut object.clone(), &context(&account));
            let resizing = Resizing {
                node: Some(&old),
                of_pods: true,
                limit_ranges: &[],
            };
            let _ = admit_resize(&old, &mut object.clone(), &resizing);
            let _ = warnings(resource, &object);
        }
    }
}

#[test]
fn a_profile_of_apparmor_by_annotation_and_by_field_is_the_same() {
    let pod = |field: Value| {
        let key = "container.apparmor.security.beta.kubernetes.io/a";
        let made = create(json!({"metadata": {"name": "p", "annotations": {key: "localhost/one"}},
            "spec": {"containers": [{"name": "a", "image": "b", "securityContext": {"appArmorProfile": field}}]}}));
        made.map_or_else(|refused| refused.to_string(), |_| String::new())
    };
    let path = "Pod \"p\" is invalid: spec.containers[0].securityContext.appArmorProfile";
    assert_eq!(
        pod(json!({"type": "Unconfined"})),
        format!("{path}.type: Forbidden: apparmor type in annotation and field must match")
    );
    assert_eq!(
        pod(json!({"type": "Localhost", "localhostProfile": "two"})),
        format!("{path}.localhostProfile: Forbidden: apparmor profile in annotation and field must match")
    );
    assert_eq!(pod(json!({"type": "Localhost", "localhostProfile": "one"})), "");
}
