//! port-forward, and the pod's address from the node.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use tests::kubectl::Version;

use crate::World;

crate::with_either_kubectl! { forwarded_ports the_pods_address }

pub(crate) const SERVER: &str = "apiVersion: v1
kind: Pod
metadata:
  name: server
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox:1
    imagePullPolicy: Never
    command: ['sh', '-c', 'mkdir /www; echo hello > /www/index.html; exec httpd -f -p 8080 -h /www']
    readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
";

/// What an HTTP server answers.
pub(crate) fn get(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn serving(version: Version) -> World {
    let world = World::new(version);
    let _ = world.kubectl.feed("apply -f -", SERVER).succeeded();
    world.kubectl.until_ready("server");
    world
}

fn forwarded_ports(version: Version) {
    let world = serving(version);
    let mut forward = world.kubectl.start("port-forward pod/server :8080");
    let mut line = String::new();
    BufReader::new(forward.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line
        .strip_prefix("Forwarding from ")
        .and_then(|rest| rest.split(' ').next())
        .unwrap();
    let answers = [get(address), get(address)];
    forward.kill().unwrap();
    forward.wait().unwrap();
    assert!(answers.iter().all(|answer| answer.ends_with("hello\n")), "{answers:?}");
}

fn the_pods_address(version: Version) {
    let world = serving(version);
    let address = world.kubectl.says("get pod server -o jsonpath={.status.podIP}");
    if tests::user::is_root() {
        assert!(get(&format!("{address}:8080")).ends_with("hello\n"));
    } else {
        // The machine's programs do not reach it, but its neighbours do.
        let line =
            format!("run asks --image=busybox:1 --image-pull-policy=Never --restart=Never -- wget -qO- {address}:8080");
        world.kubectl.does(&line);
        let answer = world.kubectl.until("logs asks", |answer| !answer.is_empty());
        assert_eq!(answer, "hello\n");
    }
}
