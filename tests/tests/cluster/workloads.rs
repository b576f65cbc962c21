//! Pods of a real cluster, found through what they belong to.

use std::fs;

use tests::cluster::Cluster;
use tests::kubectl::Version;

const WORKLOADS: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchExpressions: [{key: app, operator: In, values: [web]}]}
  template:
    metadata: {labels: {app: web}}
    spec: {schedulerName: nobody, containers: [{name: c, image: i}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {schedulerName: nobody, containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Service
metadata: {name: front}
spec:
  selector: {app: web}
  ports: [{port: 80}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  template:
    spec: {restartPolicy: Never, schedulerName: nobody, containers: [{name: c, image: i}]}
---
apiVersion: batch/v1beta1
kind: CronJob
metadata: {name: often}
spec:
  schedule: '0 0 1 1 *'
  jobTemplate:
    spec:
      template:
        spec: {restartPolicy: Never, schedulerName: nobody, containers: [{name: c, image: i}]}
";

#[test]
fn pods_are_found_through_their_workloads() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    let kubectl = namespace.kubectl(Version::Current);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("workloads.yaml");
    fs::write(&file, WORKLOADS).unwrap();
    kubectl.does(&format!("create -f {}", file.display()));
    // What the schedule would make, made now: kubectl 1.20 knows this version's own way.
    namespace
        .kubectl(Version::Old)
        .does("create job now --from=cronjob/often");
    kubectl.until("get pods -o name", |names| names.lines().count() == 5);

    let found = |target: &str| {
        let said = cluster.plugin(&["describe", target, "-n", &namespace.name, "-o", "name"]);
        let mut names: Vec<String> = said.succeeded().lines().map(str::to_owned).collect();
        names.sort();
        names
    };
    let named = |selector: &str| {
        let mut names: Vec<String> = kubectl
            .says(&format!("get pods -o name -l {selector}"))
            .lines()
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    };
    let web = named("app=web");
    assert_eq!(web.len(), 2);
    let set = kubectl.says("get rs -o name -l app=web");
    let set = set.trim().rsplit('/').next().unwrap().to_owned();
    for target in ["deploy/web", "deployments.apps/web", "svc/front", &format!("rs/{set}")] {
        assert_eq!(found(target), web, "{target}");
    }
    assert_eq!(found("sts/db"), ["pod/db-0"]);
    assert_eq!(found("job/once"), named("job-name=once"));
    assert_eq!(found("cronjob/often"), named("job-name=now"));
    assert_eq!(
        cluster
            .plugin(&["describe", "deploy/nope", "-n", &namespace.name])
            .failed(),
        "Error from server (NotFound): deployments.apps \"nope\" not found\n"
    );
}

#[test]
fn errors_of_a_real_server_are_those_of_kubectl() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    for arguments in [
        vec!["nope"],
        vec!["nope", "--as", "alice"],
        vec!["-A", "--as", "alice"],
        vec!["nope", "--token", "bad"],
        vec!["-l", "a in ("],
        vec!["nope", "--as", "alice", "--as-group", "system:masters"],
        vec!["nope", "-n", "nowhere"],
    ] {
        let mut kubectl = namespace
            .kubectl(Version::Current)
            .command_of(&[&["describe", "pod"], &arguments[..]].concat());
        let kubectl = tests::output::Output::of(&mut kubectl);
        let here = if arguments.contains(&"-n") || arguments.contains(&"-A") {
            vec![]
        } else {
            vec!["-n", namespace.name.as_str()]
        };
        let plugin = cluster.plugin(&[&["describe"], &arguments[..], &here[..]].concat());
        let expected: Vec<&str> = kubectl.stderr.lines().filter(|line| !line.contains(".go:")).collect();
        assert_eq!(plugin.stderr.lines().collect::<Vec<_>>(), expected, "{arguments:?}");
        assert_eq!(plugin.code, kubectl.code, "{arguments:?}");
    }
}
