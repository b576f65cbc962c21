//! Config maps and secrets in pods, as files and in the environment.

use tests::kubectl::Version;

use crate::World;

crate::with_either_kubectl! { config_maps_and_secrets_reach_the_container }

const READER: &str = "apiVersion: v1
kind: Pod
metadata:
  name: reader
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox:1
    imagePullPolicy: Never
    command: ['sleep', '1000']
    env:
    - {name: COLOUR, valueFrom: {configMapKeyRef: {name: looks, key: colour}}}
    - {name: TOKEN, valueFrom: {secretKeyRef: {name: keys, key: token}}}
    - {name: GREETING, value: 'it is $(COLOUR)'}
    volumeMounts:
    - {name: looks, mountPath: /looks}
    - {name: keys, mountPath: /keys}
  volumes:
  - {name: looks, configMap: {name: looks}}
  - {name: keys, secret: {secretName: keys}}
";

fn config_maps_and_secrets_reach_the_container(version: Version) {
    let world = World::new(version);
    world.kubectl.does("create configmap looks --from-literal=colour=blue");
    world
        .kubectl
        .does("create secret generic keys --from-literal=token=s3cret");
    let _ = world.kubectl.feed("apply -f -", READER).succeeded();
    world.kubectl.until_ready("reader");
    let script = "echo $COLOUR $TOKEN $GREETING; cat /looks/colour /keys/token";
    let mut read = world.kubectl.command_of(&["exec", "reader", "--", "sh", "-c", script]);
    let said = tests::output::Output::of(&mut read).succeeded();
    assert_eq!(said, "blue s3cret it is blue\nblues3cret");
}
