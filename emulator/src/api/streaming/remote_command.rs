//! One command (or attachment) between a client's messages and the runtime's streams, whatever carries them.

use std::time::Duration;

use axum::body::Bytes;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
};

use super::outcome;
use crate::runtime::{ContainerId, Session, SharedRuntime, StreamRequest};

/// How much is read from a stream at once.
const CHUNK: usize = 32 * 1024;

/// How long a client with a terminal may take to say how large it is.
const FIRST_SIZE: Duration = Duration::from_millis(100);

/// What the client connects to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A command of its own.
    Exec,
    /// The container's first process.
    Attach,
}

/// What to run, and where.
pub(super) struct Command {
    pub(super) target: Target,
    /// Where; or why there is no such container now, which this client learns over the connection.
    pub(super) container: Result<ContainerId, String>,
    pub(super) request: StreamRequest,
    pub(super) runtime: SharedRuntime,
}

/// What a client sends.
#[derive(Debug)]
pub(super) enum Input {
    /// Bytes for its standard input.
    Stdin(Bytes),
    /// No more of them.
    EndOfStdin,
    /// The terminal's new size, as the client wrote it.
    Resize(Bytes),
}

/// What a client gets.
#[derive(Debug)]
pub(super) enum Output {
    /// Standard output.
    Stdout(Bytes),
    /// Standard error.
    Stderr(Bytes),
    /// How it ended; the last message.
    Status(Value),
}

impl Command {
    /// Runs until the command has ended and its output is through, or the client has gone.
    pub(super) async fn run(self, mut input: mpsc::Receiver<Input>, output: mpsc::Sender<Output>) {
        let container = match self.container {
            Ok(container) => container,
            Err(why) => {
                let _ = output.send(Output::Status(outcome::internal_error(&why))).await;
                return;
            }
        };
        // A program looks at its terminal's size when it starts: the client's first message says it.
        let first = match self.request.tty {
            true => tokio::time::timeout(FIRST_SIZE, input.recv()).await.ok().flatten(),
            false => None,
        };
        let session = match self.runtime.stream(&container, &self.request).await {
            Ok(session) => session,
            Err(error) => {
                let what = match self.target {
                    Target::Exec => "error executing command in container",
                    Target::Attach => "error attaching to container",
                };
                let status = outcome::internal_error(&format!("{what}: {error}"));
                let _ = output.send(Output::Status(status)).await;
                return;
            }
        };
        let Session {
            stdin,
            stdout,
            stderr,
            resize,
            exit,
        } = session;
        let feeding = tokio::spawn(feed(first, input, stdin, resize));
        let has_output = stdout.is_some() || stderr.is_some();
        let reading = async {
            tokio::join!(
                forward(stdout, Output::Stdout, &output),
                forward(stderr, Output::Stderr, &output)
            )
        };
        let ending = async {
            match self.target {
                // A process that the command has left behind may still write: its output is waited for, as by containerd
                // (`container_execsync.go`, `drainExecSyncIO`).
                Target::Exec => tokio::join!(exit, reading).0.ok(),
                // An attachment lasts as long as there may be output, whatever is known of the process.
                Target::Attach if has_output => {
                    reading.await;
                    None
                }
                Target::Attach => exit.await.ok(),
            }
        };
        let code = tokio::select! {
            // The client has gone: the session's streams go with this function.
            () = output.closed() => {
                feeding.abort();
                return;
            }
            code = ending => code,
        };
        feeding.abort();
        let status = match (self.target, code) {
            (Target::Attach, _) => outcome::success(),
            (Target::Exec, Some(code)) => outcome::exit_code(&self.request.command, code),
            (Target::Exec, None) => outcome::internal_error("the command's exit code is not known"),
        };
        let _ = output.send(Output::Status(status)).await;
    }
}

/// Hands the client's messages to the process, until either goes.
async fn feed(
    mut first: Option<Input>,
    mut input: mpsc::Receiver<Input>,
    mut stdin: Option<Box<dyn tokio::io::AsyncWrite + Send + Unpin>>,
    resize: Option<mpsc::Sender<(u16, u16)>>,
) {
    loop {
        let message = match first.take() {
            Some(message) => message,
            None => match input.recv().await {
                Some(message) => message,
                None => return,
            },
        };
        match message {
            Input::Stdin(bytes) => {
                if let Some(pipe) = &mut stdin
                    && (pipe.write_all(&bytes).await.is_err() || pipe.flush().await.is_err())
                {
                    // The process reads no more; what the client still sends goes nowhere, as in a pipe.
                    stdin = None;
                }
            }
            Input::EndOfStdin => {
                if let Some(mut pipe) = stdin.take() {
                    let _ = pipe.shutdown().await;
                }
            }
            Input::Resize(text) => {
                if let (Some(sender), Some(size)) = (&resize, terminal_size(&text)) {
                    let _ = sender.send(size).await;
                }
            }
        }
    }
}

/// `{"Width":80,"Height":24}`.
fn terminal_size(text: &[u8]) -> Option<(u16, u16)> {
    let size: Value = serde_json::from_slice(text).ok()?;
    let side = |name: &str| u16::try_from(size[name].as_u64()?).ok();
    Some((side("Width")?, side("Height")?))
}

async fn forward(
    stream: Option<Box<dyn AsyncRead + Send + Unpin>>,
    wrap: impl Fn(Bytes) -> Output,
    output: &mpsc::Sender<Output>,
) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; CHUNK];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(length) => {
                let bytes = Bytes::copy_from_slice(&buffer[..length]);
                if output.send(wrap(bytes)).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::streaming::echo_runtime::Echo;

    #[tokio::test(start_paused = true)]
    async fn output_after_the_commands_end_is_awaited() {
        let command = Command {
            target: Target::Exec,
            container: Ok(ContainerId("c".into())),
            request: StreamRequest {
                command: vec!["leave".into()],
                stdout: true,
                ..StreamRequest::default()
            },
            runtime: Arc::new(Echo::at(0)),
        };
        let (output, mut outputs) = mpsc::channel(8);
        tokio::spawn(command.run(mpsc::channel(1).1, output));
        let first = outputs.recv().await;
        assert!(
            matches!(&first, Some(Output::Stdout(bytes)) if bytes == "late"),
            "{first:?}"
        );
        let last = outputs.recv().await;
        assert!(matches!(&last, Some(Output::Status(_))), "{last:?}");
    }

    #[test]
    fn a_terminals_size_is_read() {
        assert_eq!(terminal_size(br#"{"Width":80,"Height":24}"#), Some((80, 24)));
        assert_eq!(terminal_size(br#"{"Width":-1,"Height":24}"#), None);
        assert_eq!(terminal_size(b"x"), None);
    }
}
