//! An emulator of a test's own, which is gone when the test ends, however it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::kubectl::{Kubectl, Version};
use crate::leftovers::uses_of;
use crate::output::Output;
use crate::tools;

/// A running emulator.
///
/// Several run beside each other.
#[derive(Debug)]
pub struct Emulator {
    folder: TempDir,
}

impl Emulator {
    /// Starts one.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with further arguments.
    ///
    /// # Panics
    /// Where it does not start.
    #[must_use]
    pub fn start_with(arguments: &[&str]) -> Self {
        let emulator = Self::prepare();
        emulator.up(arguments);
        emulator
    }

    /// One that does not run yet.
    ///
    /// # Panics
    /// Where the machine has no room for its folder.
    #[must_use]
    pub fn prepare() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("kubectl-pod-test-")
            .tempdir()
            .expect("a folder");
        Self { folder }
    }

    /// Starts it, also anew, and loads the image of the cases.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn up(&self, arguments: &[&str]) {
        let _ = self.start_again(arguments).succeeded();
        let archive = tools::busybox_archive();
        let _ = self.command(&["load", &archive.to_string_lossy()]).succeeded();
    }

    /// Starts it.
    #[must_use]
    pub fn start_again(&self, arguments: &[&str]) -> Output {
        Output::of(&mut self.start_command(arguments))
    }

    /// The command that starts it.
    #[must_use]
    pub fn start_command(&self, arguments: &[&str]) -> Command {
        let data = self.data();
        let words = [
            "emulator",
            "start",
            "--port",
            "0",
            "--data-dir",
            &data.to_string_lossy(),
        ];
        self.plugin_command(&[&words, arguments].concat())
    }

    /// Starts it by way of another program, which runs the command behind its own words, and loads the image of the cases;
    /// what was said to the user.
    ///
    /// # Panics
    /// Where it does not start.
    #[must_use]
    pub fn up_within(&self, program: &[&str]) -> String {
        let started = Output::of(&mut within(program, &self.start_command(&[])));
        let said = started.stderr.clone();
        let _ = started.succeeded();
        let archive = tools::busybox_archive();
        let _ = self.command(&["load", &archive.to_string_lossy()]).succeeded();
        said
    }

    /// `emulator VERB …` on this emulator.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> Output {
        let data = self.data();
        self.plugin(&[&["emulator"], words, &["--data-dir", &data.to_string_lossy()]].concat())
    }

    /// `kubectl pod …` with this emulator's kubeconfig.
    #[must_use]
    pub fn plugin(&self, words: &[&str]) -> Output {
        Output::of(&mut self.plugin_command(words))
    }

    /// The command for `kubectl pod …` with this emulator's kubeconfig.
    #[must_use]
    pub fn plugin_command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(tools::plugin());
        command
            .args(words)
            .env("KUBECONFIG", self.kubeconfig())
            .env("HOME", self.folder());
        command
    }

    /// A folder for the test's own files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it keeps its data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// The kubeconfig that it writes its context into.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder().join("kubeconfig")
    }

    /// A kubectl that talks to it.
    #[must_use]
    pub fn kubectl(&self, version: Version) -> Kubectl {
        Kubectl::new(version, &self.kubeconfig())
    }

    /// Writes a file into the test's folder.
    ///
    /// # Panics
    /// Where the disk refuses.
    #[must_use]
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder().join(name);
        fs::write(&path, content).expect("the folder can be written");
        path.to_string_lossy().into_owned()
    }

    /// Stops it, without waiting for its pods.
    ///
    /// # Panics
    /// Where it does not stop, or leaves something behind.
    pub fn stop(&self) {
        let _ = self.command(&["stop", "--now"]).succeeded();
        let left = uses_of(&self.data());
        assert!(left.is_empty(), "left behind: {left:#?}");
    }
}

/// A command by way of another program, which runs the command behind its own words.
#[must_use]
pub fn within(program: &[&str], command: &Command) -> Command {
    let mut outer = Command::new(program[0]);
    outer
        .args(&program[1..])
        .arg(command.get_program())
        .args(command.get_args());
    outer.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.data().join("emulator.log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let shown = lines[lines.len().saturating_sub(40)..].join("\n");
            // The runner shows it beside the failure.
            #[expect(clippy::print_stderr, reason = "a failing test says what the emulator said")]
            {
                eprintln!("--- the emulator's log, at its end ---\n{shown}");
            }
            let _ = self.command(&["stop", "--now"]);
        } else {
            self.stop();
        }
    }
}
