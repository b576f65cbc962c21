//! kubectl, old and new.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::output::Output;
use crate::tools::{cache, prepared};

/// Longer than anything takes on a busy machine, and shorter than a test may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Which kubectl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Today's: WebSocket, aggregated discovery, OpenAPI v3.
    Current,
    /// 1.20: SPDY, legacy discovery, OpenAPI v2.
    Old,
}

impl Version {
    /// The program.
    ///
    /// # Panics
    /// Where `tests/run` has not fetched it.
    #[must_use]
    pub fn program(self) -> PathBuf {
        let folder = match self {
            Self::Current => "kubectl-1.37",
            Self::Old => "kubectl-1.20",
        };
        prepared(cache().join(folder).join("kubectl"))
    }
}

/// A kubectl that talks to one server.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    /// The file of the network namespace to run in, where it is not the test's own.
    network: Option<String>,
    /// Which one it is.
    pub version: Version,
}

impl Kubectl {
    /// The kubectl of `version` with `kubeconfig`.
    #[must_use]
    pub fn new(version: Version, kubeconfig: &Path) -> Self {
        Self {
            program: version.program(),
            kubeconfig: kubeconfig.to_owned(),
            network: None,
            version,
        }
    }

    /// One that runs in the network namespace of that file.
    #[must_use]
    pub fn in_network(mut self, namespace: &str) -> Self {
        self.network = Some(namespace.to_owned());
        self
    }

    /// The command that `line` says, split at spaces.
    #[must_use]
    pub fn command(&self, line: &str) -> Command {
        self.command_of(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// The command with these words.
    #[must_use]
    pub fn command_of(&self, words: &[&str]) -> Command {
        let mut command = match &self.network {
            None => Command::new(&self.program),
            Some(namespace) => {
                let mut enter = Command::new("nsenter");
                enter.arg(format!("--net={namespace}")).arg("--").arg(&self.program);
                enter
            }
        };
        // Its cache of what the server offers would be one of another emulator that had the same port.
        let cache = self.kubeconfig.with_file_name("kubectl-cache");
        command
            .args(words)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("KUBECACHEDIR", &cache)
            .env("HOME", &cache);
        command
    }

    /// Runs what `line` says, split at spaces.
    #[must_use]
    pub fn run(&self, line: &str) -> Output {
        Output::of(&mut self.command(line))
    }

    /// Runs what `line` says with `input` on its standard input: most often a manifest, for `-f -`.
    #[must_use]
    pub fn feed(&self, line: &str, input: &str) -> Output {
        Output::with_input(&mut self.command(line), input)
    }

    /// What `line` prints; it has to succeed.
    #[must_use]
    #[track_caller]
    pub fn says(&self, line: &str) -> String {
        self.run(line).succeeded()
    }

    /// Runs what `line` says; it has to succeed.
    #[track_caller]
    pub fn does(&self, line: &str) {
        let _ = self.says(line);
    }

    /// Starts what `line` says, its output piped.
    ///
    /// # Panics
    /// Where it does not start.
    #[must_use]
    pub fn start(&self, line: &str) -> Child {
        let mut command = self.command(line);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("kubectl starts")
    }

    /// Waits until what `line` prints satisfies `condition`, and returns it.
    ///
    /// # Panics
    /// Where it does not in time.
    #[track_caller]
    pub fn until(&self, line: &str, condition: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let output = self.run(line);
            if output.code == 0 && condition(&output.stdout) {
                return output.stdout;
            }
            assert!(start.elapsed() < PATIENCE, "in vain: {output:#?}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until the pod is ready.
    #[track_caller]
    pub fn until_ready(&self, pod: &str) {
        let seconds = PATIENCE.as_secs();
        self.does(&format!("wait --for=condition=Ready pod/{pod} --timeout={seconds}s"));
    }
}
