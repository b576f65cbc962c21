//! A real Kubernetes 1.20 node and its control plane, with our pause below every pod.
//!
//! `tests/cluster/build` makes the programs, `tests/cluster/run` runs them in namespaces of their own. All tests share one
//! cluster, also those of other processes: the first one starts it, and it goes a while after the last one has ended.

use std::fs::{self, File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::kubectl::{Kubectl, Version};
use crate::output::Output;
use crate::tools;

/// Longer than `tests/cluster/run` waits for the node.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running cluster, which does not go while this is held.
///
/// Objects outlive a test: give them names of their own, or a namespace, and delete them.
#[derive(Debug)]
pub struct Cluster {
    /// The first process inside.
    pid: u64,
    folder: PathBuf,
    _users: File,
}

impl Cluster {
    /// The cluster that all tests share, ready.
    ///
    /// # Panics
    /// Where it does not become ready: with the ends of its programs' logs.
    #[must_use]
    pub fn shared() -> Self {
        let programs = tools::prepared(tools::cache().join("cluster-1.20"));
        let state = state();
        fs::create_dir_all(&state).expect("the target folder can be written");
        let starting = lock_file(&state.join("starting"));
        starting.lock().expect("locks work");
        let users = lock_file(&state.join("users"));
        users.lock_shared().expect("locks work");
        let (pid, folder) = running(&state).unwrap_or_else(|| start(&programs, &state));
        Self {
            pid,
            folder,
            _users: users,
        }
    }

    /// Its kubeconfig; the address in it is one inside the cluster's network.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The folder that the kubelet reads static pods from.
    #[must_use]
    pub fn static_pods(&self) -> PathBuf {
        self.folder.join("manifests")
    }

    /// A file that the cluster's own programs see by the same path; it goes with the cluster.
    #[must_use]
    pub fn path_inside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A command that runs `program` in the cluster's network, with its kubeconfig.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.network()))
            .arg("--")
            .arg(program)
            .env("KUBECONFIG", self.kubeconfig());
        command
    }

    /// The file of the cluster's network namespace.
    #[must_use]
    pub fn network(&self) -> String {
        format!("/proc/{}/ns/net", self.pid)
    }

    /// `kubectl pod …` on this cluster.
    #[must_use]
    pub fn plugin(&self, words: &[&str]) -> Output {
        Output::of(self.command(tools::plugin()).args(words))
    }

    /// A kubectl that talks to it.
    #[must_use]
    pub fn kubectl(&self, version: Version) -> Kubectl {
        Kubectl::new(version, &self.kubeconfig()).in_network(&self.network())
    }

    /// A namespace of the test's own.
    #[must_use]
    pub fn namespace(&self) -> Namespace<'_> {
        Namespace::new(self)
    }

    /// What `ctr`, containerd's own client, prints.
    #[must_use]
    #[track_caller]
    pub fn ctr(&self, words: &[&str]) -> String {
        let program = tools::cache().join("cluster-1.20").join("ctr");
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.pid))
            .args(["--mount", "--"])
            .arg(program)
            .args(["--namespace", "k8s.io"])
            .args(words);
        Output::of(&mut command).succeeded()
    }
}

/// A namespace of a test's own, deleted when the test ends.
#[derive(Debug)]
pub struct Namespace<'a> {
    cluster: &'a Cluster,
    /// Its name.
    pub name: String,
    folder: TempDir,
}

impl<'a> Namespace<'a> {
    fn new(cluster: &'a Cluster) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test-{}-{count}", std::process::id());
        let folder = tempfile::tempdir().expect("a folder");
        let text = fs::read_to_string(cluster.kubeconfig()).expect("the cluster has a kubeconfig");
        let mut config: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        config["contexts"][0]["context"]["namespace"] = name.clone().into();
        fs::write(folder.path().join("kubeconfig"), config.to_string()).expect("the folder can be written");
        let namespace = Self { cluster, name, folder };
        let kubectl = namespace.kubectl(Version::Current);
        kubectl.does(&format!("create namespace {}", namespace.name));
        // Pods are refused before it is there.
        kubectl.until("get serviceaccount default -o name", |_| true);
        namespace
    }

    /// A kubeconfig whose context names the namespace.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// A kubectl that works in it.
    #[must_use]
    pub fn kubectl(&self, version: Version) -> Kubectl {
        Kubectl::new(version, &self.kubeconfig()).in_network(&self.cluster.network())
    }

    /// `kubectl pod …` in it.
    #[must_use]
    pub fn plugin(&self, words: &[&str]) -> Output {
        let mut command = self.cluster.command(tools::plugin());
        Output::of(command.args(words).env("KUBECONFIG", self.kubeconfig()))
    }
}

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        let delete = format!("delete namespace {} --wait=false", self.name);
        let _ = self.kubectl(Version::Current).run(&delete);
    }
}

/// Where the locks are: one cluster for each build of the pause image, as it is part of the cluster.
fn state() -> PathBuf {
    static STATE: OnceLock<PathBuf> = OnceLock::new();
    STATE
        .get_or_init(|| {
            let digest = pause::image::Image::new(pause::BINARIES).index.digest;
            let digest = digest.trim_start_matches("sha256:");
            tools::target().join(format!("cluster-{}", &digest[..12]))
        })
        .clone()
}

fn lock_file(path: &Path) -> File {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.expect("the target folder can be written")
}

/// The running cluster: its first process and its folder.
fn running(state: &Path) -> Option<(u64, PathBuf)> {
    let text = fs::read_to_string(state.join("cluster")).ok()?;
    let told: serde_json::Value = serde_json::from_str(&text).ok()?;
    let pid = told["pid"].as_u64()?;
    let folder = PathBuf::from(told["folder"].as_str()?);
    // A keeper that was killed leaves the file; its number may be another's by now.
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    String::from_utf8_lossy(&line)
        .contains(&*folder.to_string_lossy())
        .then_some((pid, folder))
}

/// Starts it, and waits until it is ready.
fn start(programs: &Path, state: &Path) -> (u64, PathBuf) {
    let archive = state.join("pause.tar");
    let image = pause::image::Image::new(pause::BINARIES);
    fs::write(&archive, image.archive("localhost/pause:test")).expect("the target folder can be written");
    let log = state.join("log");
    let output = File::create(&log).expect("the target folder can be written");
    let mut run = Command::new(tools::checkout().join("tests/cluster/run"));
    run.arg(programs).arg(state).arg(&archive);
    run.args([tools::busybox_archive(), tools::simple_app_archive()]);
    // A process group of its own: it outlives this test, and sees for itself when nobody uses it any more.
    run.process_group(0)
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a descriptor"))
        .stderr(output);
    #[expect(clippy::zombie_processes, reason = "it outlives this process")]
    let mut keeper = run.spawn().expect("python3 is there");
    let begin = Instant::now();
    loop {
        if let Some(found) = running(state) {
            return found;
        }
        let ended = keeper.try_wait().expect("a child");
        assert!(
            ended.is_none() && begin.elapsed() < PATIENCE,
            "no cluster: {ended:?}\n{}",
            fs::read_to_string(&log).unwrap_or_default()
        );
        thread::sleep(Duration::from_millis(100));
    }
}
