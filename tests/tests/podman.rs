//! The pause image below podman: as the infra container of pods.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where something that it needs fails")]

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tests::output::Output;
use tests::tools::{busybox_archive, prepared};
use tests::turn::Turn;

/// A podman with storage, state and configuration of its own, whose pods are held by our pause.
struct Podman {
    folder: TempDir,
    _turn: Turn,
}

impl Podman {
    fn new() -> Self {
        let podman = Self {
            folder: tempfile::Builder::new()
                .prefix("kubectl-pod-podman-")
                .tempdir()
                .unwrap(),
            _turn: Turn::shared(),
        };
        // The limits are for machines on which nobody may raise them, runc for hybrid cgroups.
        let configuration = "[containers]
default_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]
[engine]
runtime = \"runc\"
cgroup_manager = \"cgroupfs\"
infra_image = \"localhost/pause:test\"
infra_command = \"/pause\"
";
        fs::write(podman.path("containers.conf"), configuration).unwrap();
        let image = pause::image::Image::new(pause::BINARIES);
        fs::write(podman.path("pause.tar"), image.archive("localhost/pause:test")).unwrap();
        podman.says(&["load", "-i", &podman.path("pause.tar")]);
        podman
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    fn says(&self, words: &[&str]) -> String {
        let mut command = Command::new(prepared("/usr/bin/podman".into()));
        for folder in ["root", "runroot", "tmpdir"] {
            command.arg(format!("--{folder}")).arg(self.path(folder));
        }
        command
            .args(["--storage-driver", "vfs"])
            .args(words)
            .env("CONTAINERS_CONF", self.path("containers.conf"));
        Output::of(&mut command).succeeded().trim().to_owned()
    }

    /// The process of a pod's infra container.
    fn infra(&self, pod: &str) -> String {
        let id = self.says(&["pod", "inspect", "--format", "{{.InfraContainerID}}", pod]);
        self.says(&["inspect", "--format", "{{.State.Pid}}", &id])
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        self.says(&["pod", "rm", "--all", "--force", "--time", "1"]);
    }
}

#[test]
fn it_holds_a_pod_and_ends_at_once() {
    let podman = Podman::new();
    podman.says(&["pod", "create", "--name", "held", "--network", "none"]);
    podman.says(&["pod", "start", "held"]);
    let pid = podman.infra("held");
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(line.starts_with("/pause"), "{line}");
    let start = Instant::now();
    podman.says(&["pod", "stop", "--time", "30", "held"]);
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "the stop took the grace period: {:?}",
        start.elapsed()
    );
}

#[test]
fn it_is_pid_1_of_a_shared_pid_namespace_and_reaps_there() {
    let podman = Podman::new();
    podman.says(&["load", "-i", &busybox_archive().to_string_lossy()]);
    podman.says(&[
        "pod",
        "create",
        "--name",
        "shared",
        "--network",
        "none",
        "--share",
        "pid,ipc,uts",
    ]);
    let busybox = "docker.io/library/busybox:1";
    // Each child of the inner shell outlives it, and so becomes pause's.
    let script = "i=0; while [ $i -lt 200 ]; do (sh -c 'sleep 0.1 &'); i=$((i+1)); done; sleep 1; cat /proc/1/cmdline; echo; \
                  ps -o stat | grep -c Z; true";
    let said = podman.says(&["run", "--rm", "--pod", "shared", busybox, "sh", "-c", script]);
    let lines: Vec<&str> = said.lines().map(|line| line.trim_matches('\0')).collect();
    assert_eq!(lines, ["/pause", "0"], "{said}");
}
