//! `kubectl pod pause-image`: what it writes, pushes and prints is taken by those it is for.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where something that it needs fails")]

use std::fs;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use tests::emulator::Emulator;
use tests::kubectl::Version;
use tests::output::Output;
use tests::podman::Podman;
use tests::registry::Registry;
use tests::tools::{cache, plugin, prepared};

/// `kubectl pod pause-image …` with a home of its own, in which docker's configuration may be.
struct PauseImage {
    home: TempDir,
}

impl PauseImage {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(plugin());
        command
            .arg("pause-image")
            .args(words)
            .current_dir(self.home.path())
            .env("HOME", self.home.path())
            .env_remove("DOCKER_CONFIG");
        Output::of(&mut command)
    }
}

#[test]
fn what_was_pushed_is_pulled_again_by_podman() {
    let registry = Registry::open();
    let name = registry.name("tools/pause:1");
    let said = PauseImage::new().run(&["push", &name]).succeeded();
    let (index, digest) = registry.manifest("tools/pause", "1").expect("it was pushed");
    assert!(said.starts_with(&format!("Pushed {name} (")), "{said}");
    assert!(said.trim_end().ends_with(&digest), "{said}");
    assert_eq!(index["mediaType"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(index["manifests"].as_array().unwrap().len(), pause::BINARIES.len());

    let podman = Podman::new();
    let _ = podman.says(&["pull", "--quiet", "--tls-verify=false", &name]);
    let image: Value = serde_json::from_str(&podman.says(&["image", "inspect", &name])).unwrap();
    let image = &image[0];
    assert_eq!(image["Config"]["User"], "65535:65535");
    assert_eq!(image["Config"]["Entrypoint"], serde_json::json!(["/pause"]));
    assert_eq!(image["Labels"]["org.opencontainers.image.licenses"], "Apache-2.0");
    assert!(image["Labels"]["org.opencontainers.image.source"].is_string());
    let _ = podman.says(&[
        "pod",
        "create",
        "--name",
        "pulled",
        "--network",
        "none",
        "--infra-image",
        &name,
    ]);
    let _ = podman.says(&["pod", "start", "pulled"]);
    let line = fs::read_to_string(format!("/proc/{}/cmdline", podman.infra("pulled"))).unwrap();
    assert!(line.starts_with("/pause"), "{line}");
}

#[test]
fn a_push_takes_the_credentials_of_docker_and_says_whose_are_missing() {
    let registry = Registry::closed("somebody", "a secret");
    let name = registry.name("tools/pause:1");
    let pause_image = PauseImage::new();
    let refused = pause_image.run(&["push", &name]).failed();
    assert!(refused.contains(&name), "{refused}");
    assert_eq!(refused.lines().count(), 1, "{refused}");

    let configure = |password: &str| {
        let folder = pause_image.home.path().join(".docker");
        fs::create_dir_all(&folder).unwrap();
        let login = serde_json::json!({"username": "somebody", "password": password});
        let config = serde_json::json!({"auths": {registry.host(): login}});
        fs::write(folder.join("config.json"), config.to_string()).unwrap();
    };
    configure("another secret");
    let refused = pause_image.run(&["push", &name]).failed();
    assert!(
        refused.contains(&name) && !refused.contains("another secret"),
        "{refused}"
    );
    assert!(registry.manifest("tools/pause", "1").is_none());

    configure("a secret");
    let said = pause_image.run(&["push", &name]).succeeded();
    assert!(
        registry.manifest("tools/pause", "1").is_some() && !said.contains("secret"),
        "{said}"
    );
}

#[test]
fn a_registry_that_is_not_there_is_one_line() {
    let refused = PauseImage::new().run(&["push", "127.0.0.1:1/pause:1"]).failed();
    assert!(refused.contains("127.0.0.1:1/pause:1"), "{refused}");
    assert!(refused.contains("refused"), "{refused}");
    assert_eq!(refused.lines().count(), 1, "{refused}");
}

#[test]
fn every_save_is_the_same_and_no_name_gets_around_its_quotes() {
    let pause_image = PauseImage::new();
    let said = pause_image.run(&["save", "one.tar"]).succeeded();
    let _ = pause_image.run(&["save", "two.tar"]).succeeded();
    let read = |file: &str| fs::read(pause_image.home.path().join(file)).unwrap();
    assert_eq!(read("one.tar"), read("two.tar"));
    let digest = pause::image::Image::new(pause::BINARIES).index.digest;
    let told = format!("{} bytes, {digest}\n", read("one.tar").len());
    assert!(said.ends_with(&told), "{said}");

    for command in [
        "save three.tar --name",
        "load --data-dir data --name",
        "push",
        "configure crio --image",
    ] {
        let mut words: Vec<&str> = command.split(' ').collect();
        words.push("a\"b\nc");
        let refused = pause_image.run(&words).failed();
        assert!(refused.contains("couldn't parse image name"), "{refused}");
        assert_eq!(refused.lines().count(), 1, "{refused}");
    }
    assert!(!pause_image.home.path().join("three.tar").exists());
}

#[test]
fn a_kubelet_without_the_flag_gets_none() {
    let pause_image = PauseImage::new();
    let flag = pause_image
        .run(&["configure", "kubelet", "--version", "1.20.2"])
        .succeeded();
    assert!(flag.contains("--pod-infra-container-image=localhost/pause:"), "{flag}");
    let refused = pause_image
        .run(&["configure", "kubelet", "--version", "1.35.0"])
        .failed();
    assert!(refused.contains("since 1.35"), "{refused}");
    let refused = pause_image
        .run(&["configure", "containerd", "--version", "two"])
        .failed();
    assert!(refused.contains("MAJOR.MINOR"), "{refused}");
}

#[test]
fn containerd_reads_its_setting() {
    let pause_image = PauseImage::new();
    let words = [
        "configure",
        "containerd",
        "--version",
        "1.6",
        "--image",
        "localhost/pause:mine",
    ];
    let file = pause_image.home.path().join("config.toml");
    fs::write(&file, pause_image.run(&words).succeeded()).unwrap();
    let mut dump = Command::new(prepared(cache().join("cluster-1.20/containerd")));
    dump.arg("--config").arg(&file).args(["config", "dump"]);
    let read = Output::of(&mut dump).succeeded();
    assert!(read.contains("sandbox_image = \"localhost/pause:mine\""), "{read}");
}

#[test]
fn the_emulator_holds_a_pod_with_what_was_loaded() {
    let emulator = Emulator::prepare();
    let data = emulator.data();
    let loaded = emulator
        .plugin(&[
            "pause-image",
            "load",
            "--name",
            "localhost/pause:mine",
            "--data-dir",
            &data.to_string_lossy(),
        ])
        .succeeded();
    assert!(loaded.starts_with("Loaded localhost/pause:mine ("), "{loaded}");
    emulator.up(&["--pod-infra-container-image", "localhost/pause:mine"]);
    let kubectl = emulator.kubectl(Version::Current);
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: held}, spec: {shareProcessNamespace: true, containers: [
        {name: main, image: 'busybox:1', imagePullPolicy: Never, command: [sleep, '1000']}], terminationGracePeriodSeconds: 0}}";
    let _ = kubectl.feed("apply -f -", pod).succeeded();
    kubectl.until_ready("held");
    assert_eq!(kubectl.says("exec held -- cat /proc/1/cmdline"), "/pause\0");
}

#[test]
fn below_the_emulator_a_thousand_orphans_leave_no_zombie() {
    let emulator = Emulator::start();
    let kubectl = emulator.kubectl(Version::Current);
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: held}, spec: {shareProcessNamespace: true, containers: [
        {name: main, image: 'busybox:1', imagePullPolicy: Never, command: [sleep, '1000']}], terminationGracePeriodSeconds: 0}}";
    let _ = kubectl.feed("apply -f -", pod).succeeded();
    kubectl.until_ready("held");
    let script = "i=0; while [ $i -lt 1000 ]; do (sleep 1000 &); i=$((i+1)); done; \
                  orphans=$(ps -o pid,ppid,comm | awk '$2 == 1 && $3 == \"sleep\" {print $1}'); \
                  echo $orphans | wc -w; kill $orphans";
    let mut command = kubectl.command("exec held -- sh -c");
    command.arg(script);
    let adopted: u32 = Output::of(&mut command).succeeded().trim().parse().unwrap();
    assert!(adopted > 0, "none of them was pause's");
    // One that nobody had buried would stay in the list.
    kubectl.until("exec held -- ps -o ppid,comm", |processes| {
        !processes.contains(" 1 sleep")
    });
}
