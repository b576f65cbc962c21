//! Programs that can't be run, and what becomes of a container then.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use emulator::runtime::{ContainerConfig, Runtime, User};

use crate::machine::{Machine, output, pod};

fn write(path: &Path, content: impl AsRef<[u8]>, mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Files of the image that the kernel refuses to execute, and its words.
fn refused_files(machine: &Machine) -> Vec<(&'static str, &'static str)> {
    let layer = machine.data.path().join("layer");
    // The header of an ELF file for a machine that was never built.
    let mut foreign = fs::read("/bin/busybox").unwrap()[..64].to_vec();
    foreign[18..20].copy_from_slice(&[0xfe, 0xfe]);
    write(&layer.join("foreign"), foreign, 0o755);
    write(&layer.join("text"), "echo hello\n", 0o755);
    write(&layer.join("script"), "#!/no/interpreter\n", 0o755);
    write(&layer.join("closed"), "#!/etc/passwd\n", 0o755);
    vec![
        ("/foreign", "exec /foreign: exec format error\n"),
        ("/text", "exec /text: exec format error\n"),
        ("/script", "exec /script: no such file or directory\n"),
        ("/closed", "exec /closed: permission denied\n"),
    ]
}

#[tokio::test]
async fn refused_program_starts_and_ends_with_255() {
    let machine = Machine::new().await;
    for (program, words) in refused_files(&machine) {
        for tty in [false, true] {
            let mut config = ContainerConfig {
                command: vec![program.into()],
                tty,
                ..machine.container("")
            };
            config.security.no_new_privileges = tty;
            let (status, output) = machine.run(&config).await;
            assert_eq!((status.exit_code, status.reason.as_str()), (Some(255), ""), "{program}");
            assert!(status.started_at.is_some() && status.message.is_empty());
            assert_eq!(output, words);
        }
    }
    machine.close().await;
}

#[tokio::test]
async fn missing_or_unexecutable_program_is_a_start_error() {
    let machine = Machine::new().await;
    write(&machine.data.path().join("layer/bin/private"), "#!/bin/sh\n", 0o700);
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    for (program, words) in [
        ("/no/such/file", "stat /no/such/file: no such file or directory"),
        ("/etc/passwd/x", "stat /etc/passwd/x: not a directory"),
        ("/etc/passwd", "permission denied"),
        ("/etc", "is a directory"),
        ("/bin/private", "permission denied"),
        ("private", "executable file not found in $PATH"),
    ] {
        let config = ContainerConfig {
            command: vec![program.into()],
            user: User {
                uid: 1000,
                ..User::default()
            },
            ..machine.container("")
        };
        let id = machine.runtime.create_container(&sandbox, &config).await.unwrap();
        let error = machine.runtime.start_container(&id).await.unwrap_err().to_string();
        assert!(error.starts_with("failed to create containerd task: "), "{error}");
        assert!(error.ends_with(&format!("exec: {program:?}: {words}")), "{error}");
        let status = machine.status(&id).await;
        assert_eq!((status.exit_code, status.reason.as_str()), (Some(128), "StartError"));
        assert_eq!((status.message, status.started_at), (error, None));
    }
    machine.close().await;
}

#[tokio::test]
async fn refused_command_of_exec_ends_with_255() {
    let machine = Machine::new().await;
    let refused = refused_files(&machine);
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let id = machine.start(&sandbox, &machine.container("sleep 1000")).await;
    for (program, words) in refused {
        let result = machine.runtime.exec(&id, &[program.to_owned()], None).await.unwrap();
        let said = String::from_utf8_lossy(&result.stderr).into_owned();
        assert_eq!(
            (result.exit_code, said.as_str(), result.stdout),
            (255, words, Vec::new())
        );
    }
    machine.close().await;
}

#[tokio::test]
async fn working_directory_for_root_alone_is_entered_for_a_user() {
    let machine = Machine::new().await;
    let private = machine.data.path().join("layer/private");
    fs::create_dir(&private).unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).unwrap();
    let mut config = machine.container("pwd; ls . 2>/dev/null || echo closed");
    config.working_dir = "/private".into();
    config.user.uid = 1000;
    let (_, output) = machine.run(&config).await;
    assert_eq!(output, "/private\nclosed\n");
    machine.close().await;
}

#[tokio::test]
async fn terminal_of_exec_is_an_xterm() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let mut config = machine.container("echo $TERM; sleep 1000");
    config.env.push(("TERM".into(), "dumb".into()));
    let id = machine.start(&sandbox, &config).await;
    let command = ["sh", "-c", "echo $TERM"].map(str::to_owned).to_vec();
    for (tty, expected) in [(false, "dumb\n"), (true, "xterm\r\n")] {
        let request = emulator::runtime::StreamRequest {
            command: command.clone(),
            stdout: true,
            tty,
            ..Default::default()
        };
        let session = machine.runtime.stream(&id, &request).await.unwrap();
        let mut text = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut session.stdout.unwrap(), &mut text)
            .await
            .unwrap();
        assert_eq!(text, expected);
    }
    machine.until(|| output(&config.log_path) == "dumb\n").await;
    machine.close().await;
}
