//! What stands around a pod of a real cluster: its controller, its Services, its disruption budget, its node; and what is
//! told where some of it may not be read.

use tests::cluster::{Cluster, Namespace};
use tests::kubectl::Version;

/// Two pods that run and never become ready, and what looks after them. 1.20 knows budgets in their older version alone.
const SHOP: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: app
        image: busybox:1
        imagePullPolicy: Never
        command: [sleep, '3600']
        readinessProbe: {exec: {command: [cat, /no/such/file]}, periodSeconds: 1, failureThreshold: 1}
---
apiVersion: v1
kind: Service
metadata: {name: front}
spec:
  selector: {app: web}
  ports: [{port: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: other}
spec:
  selector: {app: other}
  ports: [{port: 80}]
---
apiVersion: policy/v1beta1
kind: PodDisruptionBudget
metadata: {name: keep-two}
spec:
  minAvailable: 2
  selector: {matchLabels: {app: web}}
";

/// What bob may: read pods, and nothing else.
const BOB: &str = "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: pods}
rules: [{apiGroups: [''], resources: [pods], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: bob-reads-pods}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: pods}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: bob}]
";

/// The name of a pod whose probe has failed, and of the ReplicaSet that made it.
fn shop(namespace: &Namespace<'_>) -> (String, String) {
    let kubectl = namespace.kubectl(Version::Current);
    // kubectl 1.20 does not ask for what a later server would say of the older version.
    let _ = kubectl.feed("create -f -", SHOP).succeeded();
    kubectl.until("get events -o jsonpath={.items[*].reason}", |reasons| {
        reasons.contains("Unhealthy")
    });
    // Of both pods: each comes when its container runs.
    kubectl.until(
        "get endpointslices.v1beta1.discovery.k8s.io -o jsonpath={.items[*].endpoints[*].addresses[0]}",
        |addresses| addresses.split(' ').count() == 2,
    );
    kubectl.until(
        "get poddisruptionbudgets.v1beta1.policy keep-two -o jsonpath={.status.desiredHealthy}",
        |desired| desired == "2",
    );
    let unhealthy = "get events --field-selector reason=Unhealthy -o jsonpath={.items[0].involvedObject.name}";
    let pod = kubectl.says(unhealthy);
    let set = kubectl.says(&format!(
        "get pod {pod} -o jsonpath={{.metadata.ownerReferences[0].name}}"
    ));
    (pod, set)
}

#[test]
fn a_pod_that_is_not_ready_is_told_with_all_that_looks_after_it() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    let (pod, set) = shop(&namespace);
    for command in [&["describe", &pod][..], &["explain", &format!("pod/{pod}")]] {
        let said = namespace.plugin(command).succeeded();
        for part in [
            "container app is not ready: its readiness probe fails",
            &format!("ReplicaSet/{set} of Deployment/web"),
            "endpoints of service front: 0 of 2 ready",
            "poddisruptionbudget keep-two: disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 2",
        ] {
            assert!(said.contains(part), "{part}\n{said}");
        }
        assert!(!said.contains("service other"), "{said}");
        // The pod is the caller's own: nothing was kept from it.
        assert!(!said.contains("forbidden"), "{said}");
    }
}

#[test]
fn who_may_read_pods_alone_gets_the_verdict_and_a_line_for_each_thing_that_is_kept_back() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    let (pod, set) = shop(&namespace);
    let _ = namespace.kubectl(Version::Current).feed("create -f -", BOB).succeeded();
    for command in [
        &["describe", &pod, "--as", "bob"][..],
        &["explain", &format!("pod/{pod}"), "--as", "bob"],
    ] {
        let said = namespace.plugin(command);
        let text = said.succeeded();
        assert!(text.contains("broken"), "{text}");
        assert!(text.contains("events is forbidden: User \"bob\""), "{text}");
        for kept in [
            "services is forbidden".to_owned(),
            "poddisruptionbudgets.policy is forbidden".to_owned(),
            format!("replicasets.apps \"{set}\" is forbidden"),
        ] {
            // Without events nobody knows why it is not ready; what its state calls for is asked for all the same.
            assert!(text.contains(&kept), "{kept}\n{text}");
        }
    }
    let told = namespace.plugin(&["lifecycle", &pod, "--as", "bob"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.stderr.contains("note: events are not shown: "), "{told:?}");
    let listed = namespace.plugin(&["describe", "-o", "name", "--as", "bob"]).succeeded();
    assert_eq!(listed.lines().count(), 2, "{listed}");
}

#[test]
fn a_pod_of_a_node_that_is_gone_is_told_so() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    let kubectl = namespace.kubectl(Version::Current);
    let pod = "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"stranded\"}, \"spec\": {\"nodeName\": \
               \"lost\", \"containers\": [{\"name\": \"c\", \"image\": \"busybox:1\"}]}}";
    let _ = kubectl.feed("create -f -", pod).succeeded();
    let said = namespace.plugin(&["explain", "pod/stranded"]).succeeded();
    assert!(said.contains("node lost"), "{said}");
    assert!(said.contains("kubectl get nodes"), "{said}");
}
