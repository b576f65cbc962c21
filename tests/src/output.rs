//! What a program said and how it ended.

use std::process::{Command, Stdio};

/// What a program said and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The command line, for messages.
    pub line: String,
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Runs `command` to its end, with nothing to read.
    ///
    /// # Panics
    /// Where it does not start.
    #[must_use]
    pub fn of(command: &mut Command) -> Self {
        Self::with_input(command, "")
    }

    /// Runs `command` to its end, with `input` to read.
    ///
    /// # Panics
    /// Where it does not start.
    #[must_use]
    pub fn with_input(command: &mut Command, input: &str) -> Self {
        let line = format!("{command:?}");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{line}: {error}"));
        let mut stdin = child.stdin.take().expect("piped");
        // A program that does not read its input may close it.
        let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("the program can be waited for");
        Self {
            line,
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output, where the program succeeded.
    ///
    /// # Panics
    /// Where it failed: with all it said.
    #[must_use]
    #[track_caller]
    pub fn succeeded(self) -> String {
        assert_eq!(self.code, 0, "{self:#?}");
        self.stdout
    }

    /// Standard error, where the program failed with exit code 1.
    ///
    /// # Panics
    /// Where it did not: with all it said.
    #[must_use]
    #[track_caller]
    pub fn failed(self) -> String {
        assert_eq!(self.code, 1, "{self:#?}");
        self.stderr
    }
}
