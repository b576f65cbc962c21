//! Static pods through the API: a request for the mirror pod reaches the containers of the static pod.

use std::fs;
use std::io::{BufRead, BufReader};

use tests::emulator::Emulator;
use tests::kubectl::Version;

use crate::serving::get;

crate::with_either_kubectl! { static_pod_is_reached_through_its_mirror }

const SERVER: &str = "apiVersion: v1
kind: Pod
metadata: {name: server}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox:1
    imagePullPolicy: Never
    command:
    - sh
    - -c
    - mkdir /www; echo hello > /www/index.html; httpd -p 8080 -h /www; while :; do echo tick; sleep 0.1; done
    readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
";

fn static_pod_is_reached_through_its_mirror(version: Version) {
    let emulator = Emulator::prepare();
    let manifests = emulator.folder().join("manifests");
    fs::create_dir(&manifests).unwrap();
    emulator.up(&["--static-pod-path", &manifests.to_string_lossy()]);
    let kubectl = emulator.kubectl(version);
    fs::write(manifests.join("server.yaml"), SERVER).unwrap();
    kubectl.until("get pods -o name", |pods| pods == "pod/server-emulator\n");
    kubectl.until_ready("server-emulator");

    assert!(kubectl.says("logs server-emulator").starts_with("tick\n"));
    let exec = kubectl.says("exec server-emulator -- cat /www/index.html");
    assert_eq!(exec, "hello\n");
    let mut attached = kubectl.start("attach server-emulator");
    let line = BufReader::new(attached.stdout.take().unwrap()).lines().next();
    attached.kill().unwrap();
    attached.wait().unwrap();
    assert_eq!(line.unwrap().unwrap(), "tick");
    let mut forward = kubectl.start("port-forward pod/server-emulator :8080");
    // Its output stays open: kubectl writes a line for each connection.
    let mut line = String::new();
    let mut said = BufReader::new(forward.stdout.as_mut().unwrap());
    said.read_line(&mut line).unwrap();
    let address = line
        .strip_prefix("Forwarding from ")
        .and_then(|rest| rest.split(' ').next());
    let answer = get(address.unwrap());
    forward.kill().unwrap();
    forward.wait().unwrap();
    assert!(answer.ends_with("hello\n"), "{answer}");
    kubectl.until("top pod server-emulator --no-headers", |used| {
        used.starts_with("server-emulator ")
    });
    let described = kubectl.says("describe pod server-emulator");
    assert!(described.contains("Container started"), "{described}");

    fs::remove_file(manifests.join("server.yaml")).unwrap();
    kubectl.until("get pods -o name", str::is_empty);
}
