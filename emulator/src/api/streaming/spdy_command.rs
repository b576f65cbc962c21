//! Exec and attach over SPDY/3.1: one stream for each of error, stdin, stdout, stderr and resize.

use std::{collections::HashMap, time::Duration};

use axum::{
    body::Body,
    http::{Request, Response},
};
use tokio::sync::mpsc;

use super::{
    remote_command::{Command, Input, Output},
    spdy::{self, Outgoing, Stream},
    upgrade::{self, Upgraded},
};
use crate::{api::admission::Rejection, runtime::StreamRequest};

/// From which on an exit code is told as a Status.
const V4: &str = "v4.channel.k8s.io";
/// How long the client may take to open its streams.
const PATIENCE: Duration = Duration::from_secs(30);
const QUEUE: usize = 8;

/// Answers the request and serves the connection behind it.
pub(super) fn serve(mut request: Request<Body>, command: Command) -> Result<Response<Body>, Rejection> {
    let protocol = upgrade::choose(request.headers(), "x-stream-protocol-version", &[V4])
        .ok_or_else(|| Rejection::BadRequest(format!("unable to upgrade: the client must offer {V4}")))?;
    let connection = upgrade::connection(&mut request)?;
    tokio::spawn(async move {
        if let Ok(connection) = connection.await {
            run(Upgraded::new(connection), command).await;
        }
    });
    Ok(upgrade::spdy(protocol))
}

async fn run(connection: Upgraded, command: Command) {
    let (mut opened, guard) = spdy::serve(connection);
    let wanted = kinds(&command.request);
    let collect = async {
        let mut streams = HashMap::new();
        while streams.len() < wanted.len() {
            let stream = opened.recv().await?;
            let kind = stream.headers.get("streamtype").unwrap_or_default();
            match wanted.iter().find(|wanted| **wanted == kind) {
                Some(kind) => drop(streams.insert(*kind, stream)),
                None => stream.outgoing.reset().await,
            }
        }
        Some(streams)
    };
    let Ok(Some(mut streams)) = tokio::time::timeout(PATIENCE, collect).await else {
        return;
    };
    let (input, inputs) = mpsc::channel(QUEUE);
    let (output, outputs) = mpsc::channel(QUEUE);
    let error = streams.remove("error").map(|stream| stream.outgoing);
    let stdout = streams.remove("stdout").map(|stream| stream.outgoing);
    let stderr = streams.remove("stderr").map(|stream| stream.outgoing);
    for stream in streams.into_values() {
        tokio::spawn(read(stream, input.clone()));
    }
    drop(input);
    let running = tokio::spawn(command.run(inputs, output));
    let writing = write(outputs, stdout, stderr, error);
    // No more streams may come, and their receiver ends with the connection.
    let gone = async { while opened.recv().await.is_some() {} };
    tokio::select! {
        () = gone => {}
        () = writing => guard.linger().await,
    }
    running.abort();
}

/// Which streams the client opens for a request.
fn kinds(request: &StreamRequest) -> Vec<&'static str> {
    let mut kinds = vec!["error"];
    kinds.extend(request.stdin.then_some("stdin"));
    kinds.extend(request.stdout.then_some("stdout"));
    kinds.extend((request.stderr && !request.tty).then_some("stderr"));
    kinds.extend(request.tty.then_some("resize"));
    kinds
}

async fn read(mut stream: Stream, input: mpsc::Sender<Input>) {
    let is_resize = stream.headers.get("streamtype") == Some("resize");
    while let Some(data) = stream.incoming.recv().await {
        let message = if is_resize {
            Input::Resize(data)
        } else {
            Input::Stdin(data)
        };
        if input.send(message).await.is_err() {
            return;
        }
    }
    if !is_resize {
        let _ = input.send(Input::EndOfStdin).await;
    }
    // This side's half stays open until the command has ended: the client waits for that.
    stream.outgoing.closed().await;
}

async fn write(
    mut outputs: mpsc::Receiver<Output>,
    stdout: Option<Outgoing>,
    stderr: Option<Outgoing>,
    error: Option<Outgoing>,
) {
    while let Some(message) = outputs.recv().await {
        let (stream, data) = match message {
            Output::Stdout(data) => (&stdout, data),
            Output::Stderr(data) => (&stderr, data),
            Output::Status(status) => (&error, status.to_string().into()),
        };
        if let Some(stream) = stream
            && stream.send(data).await.is_err()
        {
            return;
        }
    }
    for stream in [stdout, stderr, error].into_iter().flatten() {
        stream.end().await;
    }
}
