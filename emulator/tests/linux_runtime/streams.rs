//! Commands, terminals and attaching.

use std::time::Duration;

use emulator::runtime::{ContainerConfig, Runtime, RuntimeError, StreamRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::machine::{Machine, output, pod};

/// Tells the terminal's size, once it has one: the size and what is typed come on ways of their own.
const SIZE: &str = "until stty size 2>/dev/null | grep ' '; do sleep 0.05; done";

#[tokio::test]
async fn a_command_runs_in_a_container_with_its_code_output_and_time_limit() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let id = machine.start(&sandbox, &machine.container("sleep 1000")).await;
    let run = |text: &str| ["sh", "-c", text].map(str::to_owned).to_vec();
    let result = machine
        .runtime
        .exec(&id, &run("echo out; echo err >&2; exit 7"), None)
        .await
        .unwrap();
    assert_eq!(
        (result.exit_code, result.output().as_slice()),
        (7, b"out\nerr\n".as_slice())
    );
    let limit = Some(Duration::from_millis(200));
    let error = machine.runtime.exec(&id, &run("sleep 100"), limit).await.unwrap_err();
    assert!(matches!(error, RuntimeError::TimedOut(_)), "{error}");
    let error = machine
        .runtime
        .exec(&id, &["nope".to_owned()], None)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("exec: \"nope\": executable file not found in $PATH"),
        "{error}"
    );
    machine.close().await;
}

#[tokio::test]
async fn command_is_over_when_its_output_is_closed() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let id = machine.start(&sandbox, &machine.container("sleep 1000")).await;
    let run = |text: &str| ["sh", "-c", text].map(str::to_owned).to_vec();
    let late = "(until test -e /go; do sleep 0.05; done; echo late) & echo early";
    let (left, go) = (run(late), run("touch /go"));
    {
        let mut command = std::pin::pin!(machine.runtime.exec(&id, &left, None));
        let early = tokio::time::timeout(Duration::from_millis(700), &mut command).await;
        assert!(early.is_err(), "a process in the background holds the output");
        machine.runtime.exec(&id, &go, None).await.unwrap();
        let result = command.await.unwrap();
        assert_eq!(
            (result.exit_code, result.output().as_slice()),
            (0, b"early\nlate\n".as_slice())
        );
    }
    // What closes its output is not waited for, and a time limit holds for all of it.
    machine
        .runtime
        .exec(&id, &run("sleep 1000 >/dev/null 2>&1 & exit 0"), None)
        .await
        .unwrap();
    let limit = Some(Duration::from_millis(500));
    let error = machine
        .runtime
        .exec(&id, &run("sleep 1000 & exit 0"), limit)
        .await
        .unwrap_err();
    assert!(matches!(error, RuntimeError::TimedOut(_)), "{error}");
    machine.close().await;
}

#[tokio::test]
async fn streams_and_terminals_reach_a_command() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let id = machine.start(&sandbox, &machine.container("sleep 1000")).await;
    let request = StreamRequest {
        command: vec!["cat".into()],
        stdin: true,
        stdout: true,
        stderr: true,
        tty: false,
    };
    let mut session = machine.runtime.stream(&id, &request).await.unwrap();
    let mut stdin = session.stdin.take().unwrap();
    stdin.write_all(b"over there").await.unwrap();
    drop(stdin);
    let mut text = String::new();
    session.stdout.unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!((text.as_str(), session.exit.await), ("over there", Ok(0)));

    let command = ["sh", "-c", &format!("read line; {SIZE}; tty; exit 9")]
        .map(str::to_owned)
        .to_vec();
    let request = StreamRequest {
        command,
        tty: true,
        stderr: false,
        ..request
    };
    let mut session = machine.runtime.stream(&id, &request).await.unwrap();
    session.resize.as_ref().unwrap().send((132, 43)).await.unwrap();
    session.stdin.as_mut().unwrap().write_all(b"go\n").await.unwrap();
    let mut text = String::new();
    session.stdout.unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!(
        (text.as_str(), session.exit.await),
        ("go\r\n43 132\r\n/dev/pts/0\r\n", Ok(9))
    );
    machine.close().await;
}

#[tokio::test]
async fn attaching_takes_part_in_the_containers_own_streams() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let config = ContainerConfig {
        stdin: true,
        stdin_once: true,
        ..machine.container("cat; echo end >&2; exit 4")
    };
    let id = machine.start(&sandbox, &config).await;
    let request = StreamRequest {
        stdin: true,
        stdout: true,
        stderr: true,
        ..StreamRequest::default()
    };
    let mut session = machine.runtime.stream(&id, &request).await.unwrap();
    let mut stdin = session.stdin.take().unwrap();
    stdin.write_all(b"typed\n").await.unwrap();
    drop(stdin);
    let (mut out, mut err) = (String::new(), String::new());
    session.stdout.unwrap().read_to_string(&mut out).await.unwrap();
    session.stderr.unwrap().read_to_string(&mut err).await.unwrap();
    assert_eq!(
        (out.as_str(), err.as_str(), session.exit.await),
        ("typed\n", "end\n", Ok(4))
    );
    machine.close().await;
}

#[tokio::test]
async fn a_containers_own_terminal_is_attached_to_and_logged() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let config = ContainerConfig {
        tty: true,
        stdin: true,
        ..machine.container(&format!("read line; {SIZE}; test -t 0 && echo terminal; exit 2"))
    };
    let id = machine.start(&sandbox, &config).await;
    let request = StreamRequest {
        stdin: true,
        stdout: true,
        tty: true,
        ..StreamRequest::default()
    };
    let mut session = machine.runtime.stream(&id, &request).await.unwrap();
    session.resize.as_ref().unwrap().send((100, 30)).await.unwrap();
    session.stdin.as_mut().unwrap().write_all(b"go\n").await.unwrap();
    let mut text = String::new();
    session.stdout.unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!(
        (text.as_str(), session.exit.await),
        ("go\r\n30 100\r\nterminal\r\n", Ok(2))
    );
    assert_eq!(machine.ended(&id).await.exit_code, Some(2));
    assert_eq!(
        output(&config.log_path),
        "go\r\n30 100\r\nterminal\r\n".replace('\r', "")
    );
    machine.close().await;
}

#[tokio::test]
async fn much_output_is_logged_whole_and_in_order() {
    let machine = Machine::new().await;
    let (_, output) = machine
        .run(&machine.container("i=0; while test $i -lt 20000; do echo line $i; i=$((i+1)); done"))
        .await;
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[19999]), (20000, "line 0", "line 19999"));
    machine.close().await;
}
