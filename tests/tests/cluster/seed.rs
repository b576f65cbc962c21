//! The pods of the examples, and a static one, held by our pause.

use std::fs;

use tests::cluster::Cluster;
use tests::kubectl::Version;
use tests::tools::checkout;

/// An example, with an image that is on the node and cannot be pulled there.
fn example(file: &str) -> String {
    let text = fs::read_to_string(checkout().join("examples").join(file)).unwrap();
    let image = "image: arisu1000/simple-container-app:latest\n";
    assert!(text.contains(image), "{text}");
    text.replace(image, &format!("{image}    imagePullPolicy: IfNotPresent\n"))
}

#[test]
fn the_simple_pod_serves() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    let kubectl = namespace.kubectl(Version::Current);
    let _ = kubectl.feed("apply -f -", &example("simple-pod.yaml")).succeeded();
    kubectl.until_ready("kubernetes-simple-pod");
    // The API server reaches it by the address that pause holds.
    let path = format!(
        "/api/v1/namespaces/{}/pods/kubernetes-simple-pod:8080/proxy/etc/passwd",
        namespace.name
    );
    // It is ready once it runs, which its port needs a moment more for.
    kubectl.until(&format!("get --raw {path}"), |answer| answer.starts_with("root:"));
}

#[test]
fn the_init_containers_run_in_order_and_then_the_app() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    let kubectl = namespace.kubectl(Version::Old);
    let _ = kubectl.feed("apply -f -", &example("init-containers.yaml")).succeeded();
    kubectl.until_ready("kubernetes-simple-pod");
    let log = |container: &str| kubectl.says(&format!("logs kubernetes-simple-pod -c {container}"));
    assert_eq!(log("init-myservice"), "helloworld01\n");
    assert_eq!(log("init-mydb"), "helloworld02\n");
    kubectl.until("logs kubernetes-simple-pod -c kubernetes-simple-pod", |log| {
        log == "The app is running!\n"
    });
}

/// A file that goes with the test.
struct Manifest(std::path::PathBuf);

impl Drop for Manifest {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_static_pod_runs_while_its_file_is_there() {
    let cluster = Cluster::shared();
    let kubectl = cluster.kubectl(Version::Current);
    let pod = "apiVersion: v1
kind: Pod
metadata: {name: static, namespace: default}
spec:
  containers:
  - name: main
    image: busybox:1
    imagePullPolicy: Never
    command: ['sh', '-c', \"trap 'exit 0' TERM; while :; do sleep 0.1; done\"]
";
    let manifest = Manifest(cluster.static_pods().join("static.yaml"));
    fs::write(&manifest.0, pod).unwrap();
    kubectl.until("get pods -o name", |pods| pods.contains("pod/static-node"));
    kubectl.until_ready("static-node");
    drop(manifest);
    kubectl.until("get pods -o name", |pods| !pods.contains("pod/static-node"));
}
