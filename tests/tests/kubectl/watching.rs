//! get -w, wait.

use std::io::{BufRead, BufReader};

use tests::kubectl::Version;

use crate::{SLEEPER, World};

crate::with_either_kubectl! { watches waits raw_watches }

fn watches(version: Version) {
    let world = World::with_sleeper(version);
    let mut watch = world.kubectl.start("get pods -w --no-headers");
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    // Once it has listed what there is, it sees all that comes.
    let listed = lines.next().unwrap().unwrap();
    assert!(listed.starts_with("sleeper"), "{listed}");
    let later = SLEEPER.replace("sleeper", "later");
    let _ = world.kubectl.feed("apply -f -", &later).succeeded();
    let mut seen = Vec::new();
    for line in lines.map(Result::unwrap).filter(|line| line.starts_with("later")) {
        let status = line.split_whitespace().nth(2).unwrap().to_owned();
        if seen.last() != Some(&status) {
            seen.push(status);
        }
        if seen.last().is_some_and(|status| status == "Running") {
            break;
        }
    }
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert_eq!(seen.first().map(String::as_str), Some("Pending"), "{seen:?}");
    assert_eq!(seen.last().map(String::as_str), Some("Running"), "{seen:?}");
}

fn waits(version: Version) {
    let world = World::new(version);
    let _ = world.kubectl.feed("apply -f -", SLEEPER).succeeded();
    assert_eq!(
        world
            .kubectl
            .says("wait --for=condition=Ready pod/sleeper --timeout=120s"),
        "pod/sleeper condition met\n"
    );
    let late = world
        .kubectl
        .run("wait --for=condition=Never pod/sleeper --timeout=1s")
        .failed();
    assert!(late.contains("timed out waiting for the condition"), "{late}");
    // Its log says when it watches: where the pod is gone before, an old kubectl finds nothing to wait for.
    let mut wait = world.kubectl.start("wait --for=delete pod/sleeper --timeout=120s -v=6");
    let mut log = BufReader::new(wait.stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("watch=true")));
    world.kubectl.does("delete pod sleeper");
    log.for_each(drop);
    assert!(wait.wait().unwrap().success());
    if version == Version::Current {
        let _ = world.kubectl.feed("apply -f -", SLEEPER).succeeded();
        world
            .kubectl
            .does("wait --for=jsonpath={.status.phase}=Running pod/sleeper --timeout=120s");
    }
}

fn raw_watches(version: Version) {
    let world = World::with_sleeper(version);
    let path = "/api/v1/namespaces/default/pods";
    let list: serde_json::Value = serde_json::from_str(&world.kubectl.says(&format!("get --raw {path}"))).unwrap();
    let newest = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    world.kubectl.does("label pod sleeper tier=back");
    let query = format!("{path}?watch=1&resourceVersion={newest}");
    let mut watch = world.kubectl.start(&format!("get --raw {query}"));
    let first = BufReader::new(watch.stdout.take().unwrap()).lines().next().unwrap();
    let first: serde_json::Value = serde_json::from_str(&first.unwrap()).unwrap();
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert_eq!(
        (&first["type"], &first["object"]["metadata"]["labels"]["tier"]),
        (&"MODIFIED".into(), &"back".into())
    );
}
