//! `emulator start` and `stop`, and `lifecycle --emulate`, where something is in the way or they are cut off.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where something that it needs fails")]

use std::{
    fs,
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
            let _ = emulator.command(&["stop"]).succeeded();
        });
        let _ = emulator.command(&["stop"]).succeeded();
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
