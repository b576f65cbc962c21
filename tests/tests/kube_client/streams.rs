//! What runs: logs, exec, attach, port-forward.

use futures::{AsyncBufReadExt, TryStreamExt};
use kube::api::{AttachParams, AttachedProcess, LogParams, TerminalSize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{SLEEP, World};

async fn output(process: &mut AttachedProcess) -> String {
    let mut text = String::new();
    process.stdout().unwrap().read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn logs_are_read_and_followed() {
    let world = World::new().await;
    let command = "for i in 1 2 3; do echo line $i; sleep 0.2; done; read end";
    world.run("talker", command).await;
    let pods = world.pods();
    let follow = LogParams {
        follow: true,
        ..LogParams::default()
    };
    let mut lines = pods.log_stream("talker", &follow).await.unwrap().lines();
    for expected in ["line 1", "line 2", "line 3"] {
        assert_eq!(lines.try_next().await.unwrap().unwrap(), expected);
    }
    let last = LogParams {
        tail_lines: Some(1),
        timestamps: true,
        ..LogParams::default()
    };
    let last = pods.logs("talker", &last).await.unwrap();
    assert!(last.ends_with("Z line 3\n"), "{last}");
}

#[tokio::test]
async fn commands_run_with_their_streams_and_codes() {
    let world = World::new().await;
    world.run("sleeper", SLEEP).await;
    let pods = world.pods();
    let input = AttachParams::default().stdin(true);
    let mut cat = pods.exec("sleeper", ["cat"], &input).await.unwrap();
    let mut stdin = cat.stdin().unwrap();
    stdin.write_all(b"hello\n").await.unwrap();
    stdin.shutdown().await.unwrap();
    drop(stdin);
    assert_eq!(output(&mut cat).await, "hello\n");
    let status = cat.take_status().unwrap().await.unwrap();
    assert_eq!(status.status.as_deref(), Some("Success"));

    let mut fails = pods
        .exec("sleeper", ["sh", "-c", "exit 3"], &AttachParams::default())
        .await
        .unwrap();
    let status = fails.take_status().unwrap().await.unwrap();
    assert_eq!(status.reason.as_deref(), Some("NonZeroExitCode"));
    let cause = &status.details.unwrap().causes.unwrap()[0];
    assert_eq!(
        (cause.reason.as_deref(), cause.message.as_deref()),
        (Some("ExitCode"), Some("3"))
    );
}

#[tokio::test]
async fn a_terminal_has_the_size_that_the_client_says() {
    let world = World::new().await;
    world.run("sleeper", SLEEP).await;
    let terminal = AttachParams::default().stdin(true).tty(true).stderr(false);
    // The size has a channel of its own: it may come after what is typed.
    let size = "read start; until stty size 2>/dev/null | grep ' '; do sleep 0.1; done";
    let command = ["sh", "-c", size];
    let mut process = world.pods().exec("sleeper", command, &terminal).await.unwrap();
    let mut size = process.terminal_size().unwrap();
    futures::SinkExt::send(&mut size, TerminalSize { height: 33, width: 77 })
        .await
        .unwrap();
    let mut stdin = process.stdin().unwrap();
    stdin.write_all(b"\n").await.unwrap();
    let said = output(&mut process).await;
    assert!(said.contains("33 77"), "{said:?}");
}

#[tokio::test]
async fn an_attached_client_talks_to_the_first_process() {
    let world = World::new().await;
    world
        .run(
            "echo",
            "while read line; do echo \"heard $line\"; [ $line = end ] && exit 0; done",
        )
        .await;
    let mut process = world
        .pods()
        .attach("echo", &AttachParams::default().stdin(true))
        .await
        .unwrap();
    let mut stdin = process.stdin().unwrap();
    stdin.write_all(b"one\nend\n").await.unwrap();
    assert_eq!(output(&mut process).await, "heard one\nheard end\n");
}

#[tokio::test]
async fn ports_are_forwarded() {
    let world = World::new().await;
    world
        .run(
            "server",
            "mkdir /www; echo hello > /www/index.html; httpd -f -p 8080 -h /www",
        )
        .await;
    let pods = world.pods();
    // The server needs a moment from its start to its port.
    let mut probe = pods
        .exec(
            "server",
            ["sh", "-c", "until wget -qO- localhost:8080; do sleep 0.1; done"],
            &AttachParams::default(),
        )
        .await
        .unwrap();
    assert!(output(&mut probe).await.ends_with("hello\n"));
    let mut forward = pods.portforward("server", &[8080]).await.unwrap();
    let mut stream = forward.take_stream(8080).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("hello\n"), "{answer}");
}
