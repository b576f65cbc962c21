//! get in all its forms, describe, events, selectors.

use tests::kubectl::Version;

use crate::World;

crate::with_either_kubectl! { tables machine_forms selectors pages descriptions every_namespace_has_its_defaults events_by_field }

fn columns(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn tables(version: Version) {
    let world = World::with_sleeper(version);
    let table = world.kubectl.says("get pods");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(columns(lines[0]), ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]);
    assert_eq!(columns(lines[1])[..4], ["sleeper", "1/1", "Running", "0"]);
    let wide = world.kubectl.says("get pod sleeper -o wide");
    let lines: Vec<&str> = wide.lines().collect();
    let head = ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"];
    assert_eq!(columns(lines[0])[..7], head);
    assert_eq!(columns(lines[1])[6], "emulator");
    let nodes = world.kubectl.says("get nodes --no-headers");
    assert_eq!(columns(&nodes)[..2], ["emulator", "Ready"]);
    let labelled = world.kubectl.says("get pods --show-labels --no-headers");
    assert!(labelled.contains("app=sleeper"), "{labelled}");
}

fn machine_forms(version: Version) {
    let world = World::with_sleeper(version);
    let json: serde_json::Value = serde_json::from_str(&world.kubectl.says("get pod sleeper -o json")).unwrap();
    assert_eq!(json["status"]["phase"], "Running");
    assert_eq!(json["spec"]["restartPolicy"], "Always");
    let yaml = world.kubectl.says("get pod sleeper -o yaml");
    assert!(yaml.contains("\n  phase: Running\n"), "{yaml}");
    assert_eq!(
        world
            .kubectl
            .says("get pod sleeper -o jsonpath={.spec.containers[*].name}"),
        "main"
    );
    assert_eq!(world.kubectl.says("get pods -o name"), "pod/sleeper\n");
    let custom = world
        .kubectl
        .says("get pods --no-headers -o custom-columns=N:.metadata.name,P:.status.phase");
    assert_eq!(columns(&custom), ["sleeper", "Running"]);
}

fn selectors(version: Version) {
    let world = World::with_sleeper(version);
    for (selector, found) in [
        ("-l app=sleeper", true),
        ("-l app!=sleeper", false),
        ("-l app", true),
        ("-l !app", false),
        ("--field-selector=status.phase=Running", true),
        ("--field-selector=spec.nodeName=emulator", true),
        ("--field-selector=metadata.name=other", false),
    ] {
        let names = world.kubectl.says(&format!("get pods -o name {selector}"));
        assert_eq!(names == "pod/sleeper\n", found, "{selector}: {names}");
    }
    let names = world
        .kubectl
        .command_of(&["get", "pods", "-o", "name", "-l", "app in (sleeper, other)"]);
    assert_eq!(tests::output::Output::of(&mut { names }).succeeded(), "pod/sleeper\n");
}

fn pages(version: Version) {
    let world = World::new(version);
    for number in 0..7 {
        world
            .kubectl
            .does(&format!("create configmap page-{number} --from-literal=n={number}"));
    }
    let names = world.kubectl.says("get configmaps --chunk-size=2 -o name");
    assert_eq!(
        names.lines().filter(|name| name.starts_with("configmap/page-")).count(),
        7,
        "{names}"
    );
}

fn descriptions(version: Version) {
    let world = World::with_sleeper(version);
    let said = world.kubectl.says("describe pod sleeper");
    for part in [
        "Name:",
        "sleeper",
        "Status:",
        "Running",
        "Events:",
        "Scheduled",
        "Started",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(world.kubectl.says("describe node emulator").contains("sleeper"));
    let events = world.kubectl.says("get events --no-headers");
    for reason in ["Scheduled", "Pulled", "Created", "Started"] {
        assert!(events.contains(reason), "{reason} in {events}");
    }
    if version == Version::Current {
        assert!(world.kubectl.says("events --for pod/sleeper").contains("Scheduled"));
    }
}

fn every_namespace_has_its_defaults(version: Version) {
    let world = World::new(version);
    world.kubectl.does("create namespace other");
    world.kubectl.until("-n other get serviceaccounts -o name", |names| {
        names == "serviceaccount/default\n"
    });
    world.kubectl.until("-n other get configmaps -o name", |names| {
        names == "configmap/kube-root-ca.crt\n"
    });
    world.kubectl.does("delete namespace other --timeout=120s");
    assert!(!world.kubectl.says("get namespaces -o name").contains("namespace/other"));
}

fn events_by_field(version: Version) {
    let world = World::new(version);
    let event = "apiVersion: v1
kind: Event
metadata: {name: own, namespace: default}
involvedObject: {kind: Pod, namespace: default, name: p, uid: u, fieldPath: 'spec.containers{c}'}
reason: Tried
message: m
type: Warning
reportingComponent: my-controller
reportingInstance: i
action: Try
eventTime: 2026-01-01T00:00:00.000000Z
";
    let _ = world.kubectl.feed("create -f -", event).succeeded();
    let selected = |kind: &str, fields: &str| {
        let line = format!("get {kind} --field-selector {fields} -o name");
        world.kubectl.says(&line).contains("/own\n")
    };
    for fields in [
        "source=my-controller",
        "reportingComponent=my-controller",
        "reason=Tried,type!=Normal",
        "involvedObject.name=p,involvedObject.kind=Pod,involvedObject.fieldPath=spec.containers{c}",
        "metadata.name=own,metadata.namespace=default",
    ] {
        assert!(selected("events.v1.", fields), "{fields}");
    }
    assert!(selected(
        "events.v1.events.k8s.io",
        "reportingController=my-controller,regarding.uid=u"
    ));
    assert!(!selected("events.v1.", "source=kubelet"));
    let refused = world
        .kubectl
        .run("get events.v1. --field-selector reportingController=x")
        .failed();
    assert!(
        refused.contains("field label not supported: reportingController"),
        "{refused}"
    );
}
