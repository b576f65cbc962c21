//! A podman of a test's own, whose pods are held by our pause.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::output::Output;
use crate::tools::{plugin, prepared};

/// The name of the pause image there.
const IMAGE: &str = "localhost/pause:test";

/// A podman with storage, state and configuration of its own, whose pods are held by our pause.
#[derive(Debug)]
pub struct Podman {
    folder: TempDir,
}

impl Podman {
    /// One with the pause image, and the setting for it that `pause-image configure podman` prints.
    ///
    /// # Panics
    /// Where podman is missing or refuses.
    #[must_use]
    pub fn new() -> Self {
        let podman = Self {
            folder: tempfile::Builder::new()
                .prefix("kubectl-pod-podman-")
                .tempdir()
                .expect("a folder"),
        };
        // The limits are for machines on which nobody may raise them, runc for hybrid cgroups.
        let machine = "[containers]
default_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]
";
        let mut configure = Command::new(plugin());
        configure.args(["pause-image", "configure", "podman", "--image", IMAGE]);
        let configuration = format!(
            "{machine}{}runtime = \"runc\"\ncgroup_manager = \"cgroupfs\"\n",
            Output::of(&mut configure).succeeded()
        );
        fs::write(podman.path("containers.conf"), configuration).expect("the folder can be written");
        let image = pause::image::Image::new(pause::BINARIES);
        fs::write(podman.path("pause.tar"), image.archive(IMAGE)).expect("the folder can be written");
        let _ = podman.says(&["load", "-i", &podman.path("pause.tar")]);
        podman
    }

    /// A file of the test's own.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    /// What `podman WORDS…` prints; it has to succeed.
    #[must_use]
    #[track_caller]
    pub fn says(&self, words: &[&str]) -> String {
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
    #[must_use]
    pub fn infra(&self, pod: &str) -> String {
        let id = self.says(&["pod", "inspect", "--format", "{{.InfraContainerID}}", pod]);
        self.pause(&id)
    }

    /// The process of a container that pause runs in, once it is asleep: podman knows it before it has come to pause.
    ///
    /// # Panics
    /// Where it does not.
    #[must_use]
    pub fn pause(&self, container: &str) -> String {
        let pid = self.says(&["inspect", "--format", "{{.State.Pid}}", container]);
        let start = Instant::now();
        loop {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            if status.starts_with("Name:\tpause\n") && status.contains("\nState:\tS ") {
                return pid;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "no pause: {status}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Default for Podman {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.says(&["rm", "--all", "--force", "--time", "1"]);
        let _ = self.says(&["pod", "rm", "--all", "--force", "--time", "1"]);
    }
}
