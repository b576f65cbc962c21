//! What the server says about itself.

use tests::kubectl::Version;

use crate::{SLEEPER, World};

crate::with_either_kubectl! { versions resources explanations permissions classes_of_priority events_of_either_group }

fn versions(version: Version) {
    let world = World::new(version);
    let said = world.kubectl.says("version -o json");
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["serverVersion"]["minor"], "36");
}

fn resources(version: Version) {
    let kubectl = World::new(version);
    let said = kubectl.kubectl.says("api-resources --no-headers -o name");
    let names: Vec<&str> = said.lines().collect();
    for name in [
        "configmaps",
        "events",
        "limitranges",
        "namespaces",
        "nodes",
        "pods",
        "podtemplates",
        "resourcequotas",
        "secrets",
        "serviceaccounts",
        "events.events.k8s.io",
        "leases.coordination.k8s.io",
        "pods.metrics.k8s.io",
        "priorityclasses.scheduling.k8s.io",
        "runtimeclasses.node.k8s.io",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
}

fn explanations(version: Version) {
    let world = World::new(version);
    let said = world.kubectl.says("explain pod.spec.containers.image");
    assert!(
        said.contains("image") && said.contains("Container image name"),
        "{said}"
    );
    let pod = world.kubectl.says("explain pod");
    assert!(pod.contains("metadata") && !pod.contains("-required-"), "{pod}");
}

fn permissions(version: Version) {
    let world = World::new(version);
    assert_eq!(world.kubectl.says("auth can-i create pods"), "yes\n");
    assert_eq!(world.kubectl.says("auth can-i delete pods --namespace other"), "yes\n");
}

fn classes_of_priority(version: Version) {
    let world = World::new(version);
    let system = world.kubectl.says("get priorityclasses -o name");
    assert_eq!(
        system,
        "priorityclass.scheduling.k8s.io/system-cluster-critical\npriorityclass.scheduling.k8s.io/system-node-critical\n"
    );
    let guarded = world.kubectl.run("delete priorityclass system-node-critical").failed();
    assert!(
        guarded.contains("this is a system priority class and cannot be deleted"),
        "{guarded}"
    );
    world
        .kubectl
        .does("create priorityclass high --value=1000 --description=test");
    let pod = SLEEPER.replace("spec:", "spec:\n  priorityClassName: high");
    let _ = world.kubectl.feed("create -f -", &pod).succeeded();
    assert_eq!(
        world.kubectl.says("get pod sleeper -o jsonpath={.spec.priority}"),
        "1000"
    );
    let other = SLEEPER.replace("spec:", "spec:\n  priorityClassName: other");
    let refused = world
        .kubectl
        .feed("create -f -", &other.replace("name: sleeper", "name: second"))
        .failed();
    assert!(
        refused.contains("pods \"second\" is forbidden: no PriorityClass with name other was found"),
        "{refused}"
    );
}

fn events_of_either_group(version: Version) {
    let world = World::with_sleeper(version);
    let newer = world
        .kubectl
        .says("get events.events.k8s.io -o jsonpath={.items[*].note}");
    assert!(
        newer.contains("Successfully assigned default/sleeper to emulator"),
        "{newer}"
    );
    let table = world.kubectl.says("get events.v1.events.k8s.io --no-headers");
    assert!(table.contains("pod/sleeper"), "{table}");
    let said = world
        .kubectl
        .says("explain events.regarding --api-version=events.k8s.io/v1");
    assert!(said.contains("regarding"), "{said}");
}
