//! debug: in the pod, in a copy of it, on the node; run and its end.

use tests::kubectl::Version;
use tests::output::Output;

use crate::World;

crate::with_either_kubectl! { a_container_joins_the_processes_of_another copies one_off_pods }

fn a_container_joins_the_processes_of_another(version: Version) {
    let world = World::with_sleeper(version);
    let debug = "debug sleeper --image=busybox:1 --image-pull-policy=Never --target=main --container=look -i --";
    // What is said before kubectl has attached is lost to it, as on any cluster: so each waits for a line.
    let line: Vec<&str> = debug
        .split(' ')
        .chain(["sh", "-c", "read line; cat /proc/1/cmdline"])
        .collect();
    let output = Output::with_input(&mut world.kubectl.command_of(&line), "go\n");
    assert!(output.stdout.contains("echo started"), "{output:#?}");
    let state = "get pod sleeper -o jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.reason}";
    world.kubectl.until(state, |reason| reason == "Completed");
    let missing = debug
        .replace("--target=main", "--target=other")
        .replace("--container=look", "--container=again");
    let refused = world.kubectl.run(&format!("{missing} true")).failed();
    assert!(
        refused.contains("spec.ephemeralContainers[1].targetContainerName: Not found: \"other\""),
        "{refused}"
    );
}

#[test]
fn the_node_is_looked_at_from_a_pod() {
    let world = World::new(Version::Current);
    let words = ["sh", "-c", "read line; ls /host/proc/1"];
    let line = "debug node/emulator --image=busybox:1 --image-pull-policy=Never -i --";
    let line: Vec<&str> = line.split(' ').chain(words).collect();
    let output = Output::with_input(&mut world.kubectl.command_of(&line), "go\n");
    assert!(output.stdout.contains("cmdline"), "{output:#?}");
}

fn copies(version: Version) {
    let world = World::with_sleeper(version);
    let words = ["sh", "-c", "read line; echo heard $line"];
    let line = "debug sleeper --copy-to=copy --image=busybox:1 --container=look -i --";
    let line: Vec<&str> = line.split(' ').chain(words).collect();
    let output = Output::with_input(&mut world.kubectl.command_of(&line), "this\n");
    assert!(output.stdout.contains("heard this"), "{output:#?}");
    let containers = world
        .kubectl
        .says("get pod copy -o jsonpath={.spec.containers[*].name}");
    assert_eq!(containers, "main look");
}

fn one_off_pods(version: Version) {
    let world = World::new(version);
    let line = "run one-off --image=busybox:1 --image-pull-policy=Never --restart=Never --rm -i --";
    let words = ["sh", "-c", "read line; echo heard $line; exit 3"];
    let line: Vec<&str> = line.split(' ').chain(words).collect();
    let output = Output::with_input(&mut world.kubectl.command_of(&line), "this\n");
    assert_eq!(output.code, 3, "{output:#?}");
    assert!(output.stdout.contains("heard this"), "{output:#?}");
    assert_eq!(world.kubectl.says("get pods -o name"), "");
}
