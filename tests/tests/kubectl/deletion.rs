//! delete: graceful, forced, many at once.

use std::time::{Duration, Instant};

use tests::kubectl::{Kubectl, Version};

use crate::{SLEEPER, World};

crate::with_either_kubectl! { graceful forced with_a_grace_period many with_any_cascade drained tainted pods_of_a_missing_node_are_collected }

/// The sleeper, with a grace period that nobody waits out.
fn patient() -> String {
    SLEEPER.replace("PeriodSeconds: 5", "PeriodSeconds: 600")
}

/// The same, deaf to TERM.
fn deaf() -> String {
    patient().replace("trap 'exit 0' TERM; ", "trap '' TERM; ")
}

/// Runs the pod until it is ready to end, or not to.
fn run(kubectl: &Kubectl, pod: &str) {
    let _ = kubectl.feed("apply -f -", pod).succeeded();
    kubectl.until_ready("sleeper");
    kubectl.until("logs sleeper", |log| log == "started\n");
}

fn graceful(version: Version) {
    let world = World::new(version);
    run(&world.kubectl, &patient());
    // A pod that ends on TERM is not waited for.
    world.kubectl.does("delete pod sleeper --timeout=120s");
    let gone = world.kubectl.run("get pod sleeper").failed();
    assert_eq!(gone, "Error from server (NotFound): pods \"sleeper\" not found\n");
}

fn forced(version: Version) {
    let world = World::new(version);
    run(&world.kubectl, &deaf());
    world
        .kubectl
        .does("delete pod sleeper --grace-period=0 --force --timeout=120s");
    assert_eq!(world.kubectl.says("get pods -o name"), "");
}

fn with_a_grace_period(version: Version) {
    let world = World::new(version);
    run(&world.kubectl, &deaf());
    let start = Instant::now();
    world.kubectl.does("delete pod sleeper --grace-period=2 --timeout=120s");
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(1900), "{took:?}");
}

fn many(version: Version) {
    let world = World::new(version);
    for name in ["a", "b", "c"] {
        let pod = SLEEPER.replace("name: sleeper", &format!("name: {name}"));
        let pod = if name == "c" {
            pod.replace("app: sleeper", "app: other")
        } else {
            pod
        };
        let _ = world.kubectl.feed("apply -f -", &pod).succeeded();
    }
    world.kubectl.does("delete pods -l app=sleeper");
    assert_eq!(world.kubectl.says("get pods -o name"), "pod/c\n");
    world.kubectl.does("delete pods --all");
    assert_eq!(world.kubectl.says("get pods -o name"), "");
}

fn with_any_cascade(version: Version) {
    let world = World::new(version);
    for cascade in ["background", "foreground", "orphan"] {
        let _ = world.kubectl.feed("create -f -", SLEEPER).succeeded();
        world.kubectl.until_ready("sleeper");
        world.kubectl.does(&format!("delete pod sleeper --cascade={cascade}"));
        assert_eq!(world.kubectl.says("get pods -o name"), "", "{cascade}");
    }
}

fn tainted(version: Version) {
    let world = World::with_sleeper(version);
    let tolerant = SLEEPER
        .replace("name: sleeper", "name: tolerant")
        .replace("spec:", "spec:\n  tolerations: [{key: maintenance, operator: Exists}]");
    let _ = world.kubectl.feed("create -f -", &tolerant).succeeded();
    world.kubectl.does("taint node emulator maintenance=now:NoExecute");
    world.kubectl.until("get pods -o name", |pods| pods == "pod/tolerant\n");
    let events = world.kubectl.says("get events");
    assert!(events.contains("Marking for deletion Pod default/sleeper"), "{events}");
    world.kubectl.does("taint node emulator maintenance-");
}

fn drained(version: Version) {
    let world = World::with_sleeper(version);
    let said = world.kubectl.says("drain emulator --force --timeout=120s");
    assert!(said.contains("pod/sleeper evicted\n"), "{said}");
    assert_eq!(world.kubectl.says("get pods -o name"), "");
    let node = world.kubectl.says("get node emulator --no-headers");
    assert!(node.contains("Ready,SchedulingDisabled"), "{node}");
    let _ = world.kubectl.feed("create -f -", SLEEPER).succeeded();
    let why = "get pod sleeper -o jsonpath={.status.conditions[0].message}";
    world
        .kubectl
        .until(why, |why| why.contains("1 node(s) were unschedulable"));
    world.kubectl.does("uncordon emulator");
    world.kubectl.until_ready("sleeper");
}

fn pods_of_a_missing_node_are_collected(version: Version) {
    let world = World::new(version);
    let kubectl = &world.kubectl;
    let began = Instant::now();
    kubectl.does("create namespace shop");
    kubectl.until("-n shop get serviceaccounts -o name", |accounts| !accounts.is_empty());
    let orphan = SLEEPER.replace("spec:", "spec:\n  nodeName: nowhere");
    for namespace in ["default", "shop"] {
        let _ = kubectl
            .feed(&format!("-n {namespace} create -f -"), &orphan)
            .succeeded();
    }
    let deleted = kubectl.says("delete pod sleeper --wait=false");
    assert!(deleted.contains("\"sleeper\" deleted"), "{deleted}");
    kubectl.does("delete namespace shop --timeout=120s");
    kubectl.until("get pods -A -o name", str::is_empty);
    let took = began.elapsed();
    assert!(
        (Duration::from_secs(35)..Duration::from_secs(110)).contains(&took),
        "{took:?}"
    );
}
