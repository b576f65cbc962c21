//! exec and logs.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use tests::kubectl::Version;
use tests::output::Output;

use crate::World;

crate::with_either_kubectl! { exec_streams exec_codes exec_on_a_terminal logs_of_now logs_that_go_on logs_of_before }

/// A pod that counts, and ends at once where it is asked to. Each container writes into one stream: which of two is read
/// first, nobody knows.
const COUNTER: &str = "apiVersion: v1
kind: Pod
metadata:
  name: counter
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: one
    image: busybox:1
    imagePullPolicy: Never
    command: ['sh', '-c', 'for i in 1 2 3 4 5; do echo one $i; done; while [ ! -e /end ]; do sleep 0.1; done; exit 3']
  - name: two
    image: busybox:1
    imagePullPolicy: Never
    command: ['sh', '-c', 'echo two >&2; while :; do sleep 0.1; done']
";

fn counting(version: Version) -> World {
    let world = World::new(version);
    let _ = world.kubectl.feed("apply -f -", COUNTER).succeeded();
    world.kubectl.until_ready("counter");
    world
        .kubectl
        .until("logs counter -c one", |log| log.lines().count() == 5);
    world.kubectl.until("logs counter -c two", |log| log == "two\n");
    world
}

fn exec_streams(version: Version) {
    let world = World::with_sleeper(version);
    let mut both = world
        .kubectl
        .command_of(&["exec", "sleeper", "--", "sh", "-c", "echo out; echo err >&2"]);
    let output = Output::of(&mut both);
    assert_eq!(
        (output.code, output.stdout.as_str(), output.stderr.as_str()),
        (0, "out\n", "err\n")
    );
    let input = "0123456789".repeat(100_000);
    assert_eq!(world.kubectl.feed("exec -i sleeper -- cat", &input).succeeded(), input);
    assert_eq!(
        world
            .kubectl
            .feed("exec -i sleeper -- wc -c", &input)
            .succeeded()
            .trim(),
        "1000000"
    );
}

fn exec_codes(version: Version) {
    let world = World::with_sleeper(version);
    let mut seven = world
        .kubectl
        .command_of(&["exec", "sleeper", "--", "sh", "-c", "exit 7"]);
    let output = Output::of(&mut seven);
    assert_eq!(output.code, 7, "{output:#?}");
    assert!(
        output.stderr.contains("command terminated with exit code 7"),
        "{output:#?}"
    );
    let missing = world.kubectl.run("exec sleeper -- no-such-program");
    assert_ne!(missing.code, 0, "{missing:#?}");
    let other = world.kubectl.run("exec sleeper -c other -- true").failed();
    assert!(
        other.contains("container other is not valid for pod sleeper") || other.contains("container not found"),
        "{other}"
    );
}

fn exec_on_a_terminal(version: Version) {
    let world = World::with_sleeper(version);
    let kubectl = version.program();
    // script(1) gives kubectl a terminal, whose size kubectl passes on: at once, and yet maybe after the start.
    let line = format!(
        "stty rows 33 cols 77; {} exec -it sleeper -- sh -c \
         'for i in $(seq 300); do stty size 2>/dev/null | grep \" \" && break; sleep 0.1; done; tty'",
        kubectl.display()
    );
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    let output = Output::of(
        script
            .env("KUBECONFIG", world.emulator.kubeconfig())
            .env("HOME", world.emulator.folder()),
    );
    assert_eq!(output.code, 0, "{output:#?}");
    assert!(
        output.stdout.contains("33 77") && output.stdout.contains("/dev/pts/"),
        "{output:#?}"
    );
}

fn logs_of_now(version: Version) {
    let world = counting(version);
    assert_eq!(world.kubectl.says("logs counter -c one --tail=2"), "one 4\none 5\n");
    assert_eq!(world.kubectl.says("logs counter -c two"), "two\n");
    assert_eq!(world.kubectl.says("logs counter -c one --limit-bytes=6"), "one 1\n");
    let stamped = world.kubectl.says("logs counter -c two --timestamps");
    let (time, text) = stamped.split_once(' ').unwrap();
    assert!(time.starts_with("20") && time.ends_with('Z'), "{stamped}");
    assert_eq!(text, "two\n");
    assert_eq!(world.kubectl.says("logs counter -c two --since=1h"), "two\n");
    let all = world.kubectl.says("logs counter --all-containers --prefix");
    assert!(all.contains("[pod/counter/two] two"), "{all}");
    let other = world.kubectl.run("logs counter -c other").failed();
    assert!(
        other.contains("container other is not valid for pod counter"),
        "{other}"
    );
}

fn logs_that_go_on(version: Version) {
    let world = counting(version);
    let mut follower = world.kubectl.start("logs -f counter -c two");
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "two");
    let mut write = world.kubectl.command_of(&[
        "exec",
        "counter",
        "-c",
        "two",
        "--",
        "sh",
        "-c",
        "echo more > /proc/1/fd/1",
    ]);
    let _ = Output::of(&mut write).succeeded();
    assert_eq!(lines.next().unwrap().unwrap(), "more");
    world.kubectl.does("delete pod counter");
    assert!(lines.next().is_none(), "the log ends with its container");
    assert!(follower.wait().unwrap().success());
}

fn logs_of_before(version: Version) {
    let world = counting(version);
    let none = world.kubectl.run("logs counter -c one --previous").failed();
    assert!(
        none.contains("previous terminated container \"one\" in pod \"counter\" not found"),
        "{none}"
    );
    // The container may end with the command in it, before that has told its end.
    let _ = world.kubectl.run("exec counter -c one -- touch /end");
    let restarts = "get pod counter -o jsonpath={.status.containerStatuses[?(@.name==\"one\")].restartCount}";
    world.kubectl.until(restarts, |count| count == "1");
    let before = world.kubectl.says("logs counter -c one --previous");
    assert!(before.starts_with("one 1\n"), "{before}");
    let code =
        "get pod counter -o jsonpath={.status.containerStatuses[?(@.name==\"one\")].lastState.terminated.exitCode}";
    assert_eq!(world.kubectl.says(code), "3");
}

#[test]
fn attach_reads_what_is_written_from_then_on() {
    let world = counting(Version::Current);
    let mut attached = world.kubectl.command("attach counter -c two");
    let mut attached = attached
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(attached.stdout.take().unwrap()).lines();
    // Written until it is seen: nothing says when kubectl is attached.
    let mut shell = world.kubectl.start("exec -i counter -c two -- sh -c cat>/proc/1/fd/1");
    let mut input = shell.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        while writeln!(input, "seen").and_then(|()| input.flush()).is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    });
    assert_eq!(lines.next().unwrap().unwrap(), "seen");
    attached.kill().unwrap();
    attached.wait().unwrap();
    shell.kill().unwrap();
    shell.wait().unwrap();
    writer.join().unwrap();
}
