//! What can be said to the program on its command line.

use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::init::{Running, command};

#[test]
fn the_version_is_asked_for_with_either_case_anywhere() {
    for arguments in [vec!["-v"], vec!["-V"], vec!["first", "-v"], vec!["--", "-V", "last"]] {
        let output = command()
            .args(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            format!("pause {}\n", pause::VERSION),
            "{arguments:?}"
        );
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn other_arguments_are_ignored() {
    let mut command = command();
    command
        .args(["", "-", "v", "--version", "-vv", "-w", "-v ", "/bin/sh"])
        .stderr(Stdio::piped());
    let (status, complaints) = Running::init(command).end_with(Signal::SIGTERM);
    assert_eq!(status.code(), Some(0));
    assert_eq!(complaints, "Shutting down, got signal: Terminated\n");
}
