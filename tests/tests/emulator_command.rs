//! `emulator start` and `stop`, and `lifecycle --emulate`, where something is in the way or they are cut off.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where something that it needs fails")]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tests::{emulator::Emulator, leftovers::uses_of};

const RUNS: &str = "apiVersion: v1
kind: Pod
metadata: {name: runs}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: main, image: localhost/host, command: [sleep, '1000']}
";

/// A disk of a size, at a folder, for as long as it is kept.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn at(folder: &'a Path, options: &str) -> Self {
        fs::create_dir_all(folder).unwrap();
        mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), Some(options)).unwrap();
        Self(folder)
    }

    fn remount_read_only(&self) {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(None::<&str>, self.0, None::<&str>, flags, None::<&str>).unwrap();
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = umount2(self.0, MntFlags::MNT_DETACH);
    }
}

#[test]
fn a_command_that_is_killed_leaves_nothing_behind() {
    let emulator = Emulator::prepare();
    let manifest = emulator.file("pod.yaml", RUNS);
    let temporary = emulator.folder().join("tmp");
    fs::create_dir(&temporary).unwrap();
    // While it starts, while the pod does, and while it runs.
    for (signal, after) in [
        (Signal::SIGKILL, 5),
        (Signal::SIGKILL, 40),
        (Signal::SIGKILL, 120),
        (Signal::SIGKILL, 700),
        (Signal::SIGINT, 20),
        (Signal::SIGHUP, 700),
        (Signal::SIGTERM, 700),
    ] {
        let mut command = emulator.plugin_command(&["lifecycle", "--emulate", "-f", &manifest]);
        command.env("TMPDIR", &temporary);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        thread::sleep(Duration::from_millis(after));
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        child.wait().unwrap();
        let began = Instant::now();
        let left = || (fs::read_dir(&temporary).unwrap().count(), uses_of(&temporary));
        while left() != (0, Vec::new()) {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "{signal} after {after} ms: {:#?}",
                left()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_second_start_says_that_it_runs_and_leads_another_kubeconfig_there() {
    let emulator = Emulator::start();
    let again = emulator.start_again(&[]).succeeded();
    assert!(
        again.starts_with("The emulator already runs: https://127.0.0.1:"),
        "{again}"
    );
    assert_eq!(again.lines().count(), 1, "{again}");
    let other = emulator.folder().join("missing/folder/config");
    let data = emulator.data();
    let words = ["emulator", "start", "--data-dir", data.to_str().unwrap()];
    let elsewhere = tests::output::Output::of(emulator.plugin_command(&words).env("KUBECONFIG", &other));
    assert!(elsewhere.succeeded().contains("Switched to context"));
    let refused = emulator.command(&["start", "--port", "1"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("to start it on port 1, stop it first"),
        "{refused:?}"
    );
    emulator.stop();
    assert!(!other.exists() && !emulator.kubeconfig().exists(), "a context is left");
}

#[test]
fn starts_at_the_same_time_are_one_start() {
    let emulator = Emulator::prepare();
    let outputs: Vec<_> = thread::scope(|scope| {
        let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| emulator.start_again(&[]))).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    let text: Vec<String> = outputs.into_iter().map(tests::output::Output::succeeded).collect();
    let ran = text
        .iter()
        .filter(|text| text.starts_with("The emulator runs:"))
        .count();
    assert_eq!(ran, 1, "{text:?}");
}

#[test]
fn a_stop_while_it_starts_leaves_nothing_running() {
    let emulator = Emulator::prepare();
    let kubectl = emulator.kubectl(tests::kubectl::Version::Current);
    for after in [0, 2, 5, 10, 20] {
        let _ = emulator.start_again(&[]).succeeded();
        // One that was stopped before would wait for its back-off.
        let name = format!("runs-{after}");
        let manifest = RUNS.replace("name: runs", &format!("name: {name}"));
        let _ = kubectl.feed("apply -f -", &manifest).succeeded();
        kubectl.until_ready(&name);
        let lock = fs::read(emulator.data().join("emulator.lock")).unwrap();
        let running: serde_json::Value = serde_json::from_slice(&lock).unwrap();
        let pid = i32::try_from(running["pid"].as_i64().unwrap()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        thread::scope(|scope| {
            // Whether it comes up or not is not asked here.
            scope.spawn(|| emulator.start_again(&[]));
            thread::sleep(Duration::from_millis(after));
            let _ = emulator.command(&["stop", "--now"]).succeeded();
        });
        let _ = emulator.command(&["stop", "--now"]).succeeded();
        let left = uses_of(&emulator.data());
        assert!(left.is_empty(), "after {after} ms: {left:#?}");
    }
}

/// The one line in which a start says why it is none.
fn refusal(emulator: &Emulator, words: &[&str]) -> String {
    let data = emulator.data();
    let output = emulator.plugin(&[&["emulator", "start", "--data-dir", data.to_str().unwrap()], words].concat());
    assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    output.stderr
}

#[test]
fn a_disk_that_is_in_the_way_of_a_start_is_said() {
    let emulator = Emulator::prepare();
    let data = emulator.data();
    {
        let disk = Disk::at(&data, "size=4m,mode=700");
        disk.remount_read_only();
        assert!(refusal(&emulator, &[]).contains("Read-only file system"));
    }
    let _disk = Disk::at(&data, "size=64k,mode=700");
    assert!(refusal(&emulator, &[]).contains("No space left on device"));
    assert!(
        uses_of(&data).iter().all(|use_| use_.starts_with("mount")),
        "{:?}",
        uses_of(&data)
    );
}

#[test]
fn what_is_in_the_way_of_a_start_is_said() {
    let emulator = Emulator::prepare();
    let data = emulator.data();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let start = |words: &[&str]| refusal(&emulator, words);
    assert!(start(&["--port", &port]).contains("Address already in use"));
    assert!(start(&["--static-pod-path", "/no/such"]).contains("/no/such: there is no such directory"));
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("store.redb"), "no database").unwrap();
    assert!(start(&[]).contains("if it is damaged, remove it"));
    fs::remove_file(data.join("store.redb")).unwrap();
    fs::write(emulator.kubeconfig(), "users: [").unwrap();
    assert!(start(&[]).contains("cannot read the kubeconfig"));
    assert_eq!(emulator.command(&["status"]).code, 1, "nothing runs half-done");
    fs::remove_file(emulator.kubeconfig()).unwrap();
    drop(taken);
    let _ = emulator.start_again(&[]).succeeded();
}

/// Says in a file of the machine when its preStop hook has run, and when its handler of SIGTERM has.
const ENDS: &str = "apiVersion: v1
kind: Pod
metadata: {name: ends}
spec:
  terminationGracePeriodSeconds: 20
  volumes:
  - {name: out, hostPath: {path: FOLDER}}
  containers:
  - name: main
    image: busybox:1
    imagePullPolicy: Never
    command: ['sh', '-c', \"trap 'sleep 2; echo handler >> /out/said; exit 0' TERM; echo started; while :; do sleep 0.1; done\"]
    lifecycle: {preStop: {exec: {command: [sh, -c, 'sleep 1; echo hook >> /out/said']}}}
    volumeMounts: [{name: out, mountPath: /out}]
";

/// An emulator with that pod, ready to end, and the file that it writes.
fn with_pod_that_ends() -> (Emulator, tests::kubectl::Kubectl, std::path::PathBuf) {
    let emulator = Emulator::start();
    let kubectl = emulator.kubectl(tests::kubectl::Version::Current);
    let out = emulator.folder().join("out");
    fs::create_dir(&out).unwrap();
    let manifest = ENDS.replace("FOLDER", &out.to_string_lossy());
    let _ = kubectl.feed("create -f -", &manifest).succeeded();
    kubectl.until_ready("ends");
    kubectl.until("logs ends", |log| log == "started\n");
    (emulator, kubectl, out.join("said"))
}

#[test]
fn stop_runs_pre_stop_hooks_and_sigterm_handlers() {
    let (emulator, kubectl, said) = with_pod_that_ends();
    let began = Instant::now();
    let _ = emulator.command(&["stop"]).succeeded();
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(fs::read_to_string(&said).unwrap(), "hook\nhandler\n");
    assert!(uses_of(&emulator.data()).is_empty());
    let _ = emulator.start_again(&[]).succeeded();
    let status = kubectl.says("get pod ends -o jsonpath={.status.phase}/{.status.reason}");
    assert_eq!(status, "Failed/Terminated");
}

#[test]
fn stop_within_a_timeout_or_at_once_cuts_pods_short() {
    let deaf = RUNS.replace("Seconds: 0", "Seconds: 600");
    let emulator = Emulator::start();
    let kubectl = emulator.kubectl(tests::kubectl::Version::Current);
    let _ = kubectl.feed("create -f -", &deaf).succeeded();
    kubectl.until_ready("runs");
    let began = Instant::now();
    let _ = emulator.command(&["stop", "--timeout=3s"]).succeeded();
    let took = began.elapsed();
    assert!((3..30).contains(&took.as_secs()), "{took:?}");
    let _ = emulator.start_again(&[]).succeeded();
    let _ = kubectl
        .feed("create -f -", &deaf.replace("name: runs", "name: other"))
        .succeeded();
    kubectl.until_ready("other");
    let began = Instant::now();
    let mut stop = emulator.plugin_command(&["emulator", "stop", "--timeout=10m", "--data-dir"]);
    let mut stop = stop.arg(emulator.data()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(stop.id()).unwrap());
    let mut notes = BufReader::new(stop.stderr.take().unwrap()).lines();
    // The command listens from when it has asked the emulator to stop.
    kubectl.until("get events", |events| events.contains("Stopping container main"));
    kill(pid, Signal::SIGINT).unwrap();
    let note = notes.next().unwrap().unwrap();
    assert!(note.contains("press Ctrl-C again"), "{note}");
    kill(pid, Signal::SIGINT).unwrap();
    assert!(stop.wait().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert!(uses_of(&emulator.data()).is_empty());
    let _ = emulator.start_again(&[]).succeeded();
    let phase = kubectl.says("get pod other -o jsonpath={.status.phase}");
    assert_eq!(phase, "Running", "what is killed at once runs again");
}
