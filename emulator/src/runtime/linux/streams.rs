//! Commands in containers, from the emulator's side.

use std::{
    fmt::Display,
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, unix::AsyncFd},
    net::unix::pipe,
    sync::{mpsc, oneshot},
};

use super::{
    packets,
    protocol::{Ask, Stdio},
    sandbox::Sandbox,
};
use crate::runtime::{ExecResult, RuntimeError, Session, StreamRequest};

/// How much of a probe's or hook's output is kept.
const MOST_OUTPUT: usize = 10 * 1024;

fn failed(error: io::Error) -> RuntimeError {
    RuntimeError::Failed(format!("failed to exec in container: {error}"))
}

fn not_started(error: impl Display) -> RuntimeError {
    RuntimeError::Failed(format!("failed to exec in container: failed to start exec: {error}"))
}

fn pipe_to_read() -> io::Result<(pipe::Receiver, OwnedFd)> {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    Ok((pipe::Receiver::from_owned_fd(read)?, write))
}

fn pipe_to_write() -> io::Result<(OwnedFd, pipe::Sender)> {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    Ok((read, pipe::Sender::from_owned_fd(write)?))
}

/// Runs a command until it has ended and no process holds its output any more: what it leaves in the background is waited
/// for (containerd's `drainExecSyncIO`, which has no limit as shipped). The timeout holds for both.
pub(super) async fn exec(
    sandbox: &Sandbox,
    container: &str,
    command: &[String],
    timeout: Option<Duration>,
) -> Result<ExecResult, RuntimeError> {
    let (mut stdout, stdout_end) = pipe_to_read().map_err(failed)?;
    let (mut stderr, stderr_end) = pipe_to_read().map_err(failed)?;
    let ends = [stdout_end, stderr_end];
    let (session, exit) = sandbox.session();
    let stdio = Stdio {
        stdout: true,
        stderr: true,
        ..Stdio::default()
    };
    let ask = Ask::Exec {
        container: container.to_owned(),
        session,
        command: command.to_vec(),
        stdio,
    };
    let run = async {
        sandbox.ask(ask, &ends).await.map_err(not_started)?;
        drop(ends);
        let mut result = ExecResult::default();
        let (code, (), ()) = tokio::join!(
            exit,
            collect(&mut stdout, &mut result.stdout),
            collect(&mut stderr, &mut result.stderr)
        );
        result.exit_code = code.map_err(|_| RuntimeError::Failed("the container's shim is gone".into()))?;
        Ok(result)
    };
    let Some(limit) = timeout else { return run.await };
    match tokio::time::timeout(limit, run).await {
        Ok(result) => result,
        Err(_) => {
            // It may have ended by itself just now.
            let _ = sandbox.ask(Ask::Kill { session }, &[]).await;
            Err(RuntimeError::TimedOut(limit))
        }
    }
}

/// Reads to the end, and keeps what there is room for.
async fn collect(reader: &mut pipe::Receiver, output: &mut Vec<u8>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = reader.read(&mut buffer).await {
        let room = MOST_OUTPUT.saturating_sub(output.len()).min(length);
        output.extend_from_slice(&buffer[..room]);
    }
}

/// Runs a command, or attaches, with streams. `terminal`: the container's own first process has one.
pub(super) async fn stream(
    sandbox: &Arc<Sandbox>,
    container: &str,
    request: &StreamRequest,
    terminal: bool,
) -> Result<Session, RuntimeError> {
    let (session, exit) = sandbox.session();
    if request.command.is_empty() {
        return attach(sandbox, container, request, session, exit, terminal).await;
    }
    let ask = |stdio| Ask::Exec {
        container: container.to_owned(),
        session,
        command: request.command.clone(),
        stdio,
    };
    if request.tty {
        let (ours, theirs) = packets::pair().map_err(failed)?;
        sandbox
            .ask(
                ask(Stdio {
                    terminal: true,
                    ..Stdio::default()
                }),
                &[theirs],
            )
            .await
            .map_err(not_started)?;
        let packet = packets::receive(ours.as_fd()).map_err(failed)?;
        let fd = packet.and_then(|(_, mut descriptors)| descriptors.pop());
        let fd = fd.ok_or_else(|| RuntimeError::Failed("the container made no terminal".into()))?;
        return with_terminal(fd, request, exit).map_err(failed);
    }
    let (ends, stdio, mut made) = pipes(request, exit).map_err(failed)?;
    sandbox.ask(ask(stdio), &ends).await.map_err(not_started)?;
    made.resize = None;
    Ok(made)
}

async fn attach(
    sandbox: &Arc<Sandbox>,
    container: &str,
    request: &StreamRequest,
    session: u64,
    exit: oneshot::Receiver<i32>,
    terminal: bool,
) -> Result<Session, RuntimeError> {
    let (ends, stdio, mut made) = pipes(request, exit).map_err(failed)?;
    sandbox
        .ask(
            Ask::Attach {
                container: container.to_owned(),
                session,
                stdio,
            },
            &ends,
        )
        .await?;
    if terminal {
        let (sender, mut sizes) = mpsc::channel(4);
        let (sandbox, container) = (Arc::clone(sandbox), container.to_owned());
        tokio::spawn(async move {
            while let Some((columns, rows)) = sizes.recv().await {
                let ask = Ask::Resize {
                    container: container.clone(),
                    columns,
                    rows,
                };
                if sandbox.ask(ask, &[]).await.is_err() {
                    return;
                }
            }
        });
        made.resize = Some(sender);
    }
    Ok(made)
}

type Pipes = (Vec<OwnedFd>, Stdio, Session);

fn pipes(request: &StreamRequest, exit: oneshot::Receiver<i32>) -> io::Result<Pipes> {
    let mut ends = Vec::new();
    let stderr = request.stderr && !request.tty;
    let stdio = Stdio {
        stdin: request.stdin,
        stdout: request.stdout,
        stderr,
        terminal: false,
    };
    let mut session = Session {
        stdin: None,
        stdout: None,
        stderr: None,
        resize: None,
        exit,
    };
    if stdio.stdin {
        let (end, sender) = pipe_to_write()?;
        ends.push(end);
        session.stdin = Some(Box::new(sender));
    }
    for (wanted, place) in [(stdio.stdout, &mut session.stdout), (stdio.stderr, &mut session.stderr)] {
        if wanted {
            let (receiver, end) = pipe_to_read()?;
            ends.push(end);
            *place = Some(Box::new(receiver));
        }
    }
    Ok((ends, stdio, session))
}

fn with_terminal(fd: OwnedFd, request: &StreamRequest, exit: oneshot::Receiver<i32>) -> io::Result<Session> {
    packets::do_not_block(fd.as_fd())?;
    // SAFETY: an `OwnedFd` keeps its number until it is dropped, which is after it is taken out again.
    let terminal = Terminal(Arc::new(unsafe { AsyncFd::register(fd) }?));
    let (sender, mut sizes) = mpsc::channel::<(u16, u16)>(4);
    let sized = Arc::downgrade(&terminal.0);
    tokio::spawn(async move {
        while let Some((columns, rows)) = sizes.recv().await {
            let Some(fd) = sized.upgrade() else { return };
            let size = libc::winsize {
                ws_row: rows,
                ws_col: columns,
                ws_xpixel: 0,
                ws_ypixel: 0,
            };
            // SAFETY: the descriptor is open and the pointer is to a structure that outlives the call.
            unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        }
    });
    Ok(Session {
        stdin: request.stdin.then(|| Box::new(terminal.clone()) as Box<_>),
        stdout: Some(Box::new(terminal)),
        stderr: None,
        resize: Some(sender),
        exit,
    })
}

/// The outer end of a terminal.
#[derive(Clone)]
struct Terminal(Arc<AsyncFd<OwnedFd>>);

impl AsyncRead for Terminal {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(context))?;
            let free = buffer.initialize_unfilled();
            match guard.try_io(|fd| Ok(nix::unistd::read(fd.get_ref(), free)?)) {
                Ok(Ok(length)) => {
                    buffer.advance(length);
                    return Poll::Ready(Ok(()));
                }
                // The last user of the terminal has closed it.
                Ok(Err(error)) if error.raw_os_error() == Some(libc::EIO) => return Poll::Ready(Ok(())),
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_) => {}
            }
        }
    }
}

impl AsyncWrite for Terminal {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(context))?;
            if let Ok(result) = guard.try_io(|fd| Ok(nix::unistd::write(fd.get_ref(), bytes)?)) {
                return Poll::Ready(result);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
