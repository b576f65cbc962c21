//! Reads a log to its end, and with `follow` to the container's end.

use std::{io, path::PathBuf, time::Duration};

use axum::body::Bytes;
use tokio::{
    fs::File,
    io::{AsyncBufReadExt as _, AsyncSeekExt as _, BufReader, SeekFrom},
    sync::mpsc,
};

use super::{
    file::{files, tail},
    line::Printer,
    options::LogOptions,
};
use crate::runtime::{ContainerId, ContainerState, PodRef, SharedRuntime};

/// Lines are handed on together once they are this many bytes.
const CHUNK: usize = 32 * 1024;
/// The longest line that a log file has: the runtime cuts at 16 KiB, and adds its head.
const LONGEST_LINE: u64 = 64 * 1024;
/// How long to wait for more of the log: at first, and at most.
const WAITS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// Reads one log for one client.
pub(super) struct Follower {
    path: PathBuf,
    options: LogOptions,
    runtime: SharedRuntime,
    pod: PodRef,
    id: ContainerId,
}

/// The client has gone, or has all it asked for.
struct Done;

impl Follower {
    pub(super) fn new(
        path: PathBuf,
        options: LogOptions,
        runtime: SharedRuntime,
        pod: PodRef,
        id: ContainerId,
    ) -> Self {
        Self {
            path,
            options,
            runtime,
            pod,
            id,
        }
    }

    /// Sends the log until it ends or the client goes.
    pub(super) async fn run(self, sender: mpsc::Sender<Bytes>) {
        let mut printer = Printer::new(&self.options);
        let Ok(mut open) = self.open().await else { return };
        let mut waits = WAITS.0;
        // Read once more after the container was seen to have ended: it may have written in between.
        let mut last_round = !self.options.follow;
        loop {
            let read = match read_all(&mut open, &mut printer, &sender).await {
                Ok(read) => read,
                Err(Done) => return,
            };
            if self.has_rotated(&open).await {
                if let Ok(file) = File::open(&self.path).await {
                    open = vec![BufReader::new(file)];
                }
                continue;
            }
            if last_round || sender.is_closed() {
                return;
            }
            waits = if read { WAITS.0 } else { (waits * 2).min(WAITS.1) };
            if !self.is_running().await {
                last_round = true;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(waits) => {}
                () = sender.closed() => return,
            }
        }
    }

    /// The files to read, each at the place to begin.
    async fn open(&self) -> io::Result<Vec<BufReader<File>>> {
        let mut wanted = self.options.tail_lines;
        let mut open = Vec::new();
        for path in files(&self.path).await.into_iter().rev() {
            if wanted == Some(0) && !open.is_empty() {
                break;
            }
            let mut file = File::open(path).await?;
            if let Some(lines) = wanted {
                let (start, found) = tail(&mut file, lines).await?;
                file.seek(SeekFrom::Start(start)).await?;
                wanted = Some(lines.saturating_sub(found));
            }
            open.insert(0, BufReader::new(file));
        }
        Ok(open)
    }

    /// Whether the log's name now stands for another file than the one that is read.
    async fn has_rotated(&self, open: &[BufReader<File>]) -> bool {
        let Some(current) = open.last().filter(|_| self.options.follow) else {
            return false;
        };
        match (
            current.get_ref().metadata().await,
            tokio::fs::metadata(&self.path).await,
        ) {
            (Ok(read), Ok(named)) => !is_same(&read, &named),
            _ => false,
        }
    }

    async fn is_running(&self) -> bool {
        let Ok(status) = self.runtime.pod_status(&self.pod).await else {
            return false;
        };
        let container = status.containers.iter().find(|one| one.id == self.id);
        container.is_some_and(|one| matches!(one.state, ContainerState::Running | ContainerState::Created))
    }
}

#[cfg(unix)]
fn is_same(one: &std::fs::Metadata, other: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    one.ino() == other.ino() && one.dev() == other.dev()
}

#[cfg(not(unix))]
fn is_same(one: &std::fs::Metadata, other: &std::fs::Metadata) -> bool {
    one.created().ok() == other.created().ok()
}

/// Sends all complete lines that are there; whether there were any.
async fn read_all(
    open: &mut Vec<BufReader<File>>,
    printer: &mut Printer,
    sender: &mpsc::Sender<Bytes>,
) -> Result<bool, Done> {
    let mut any = false;
    let mut out = Vec::new();
    while let Some(file) = open.first_mut() {
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = read_line(file, &mut line).await.map_err(|_| Done)?;
            if !read {
                break;
            }
            any = true;
            printer.print(&line, &mut out);
            if out.len() >= CHUNK || printer.is_full() {
                send(&mut out, sender).await?;
            }
            if printer.is_full() {
                return Err(Done);
            }
        }
        if open.len() == 1 {
            break;
        }
        open.remove(0);
    }
    send(&mut out, sender).await?;
    Ok(any)
}

async fn send(out: &mut Vec<u8>, sender: &mpsc::Sender<Bytes>) -> Result<(), Done> {
    if out.is_empty() {
        return Ok(());
    }
    sender.send(std::mem::take(out).into()).await.map_err(|_| Done)
}

/// The next complete line without its break; a line that is still being written stays in the file.
async fn read_line(file: &mut BufReader<File>, line: &mut Vec<u8>) -> io::Result<bool> {
    use tokio::io::AsyncReadExt as _;
    (&mut *file).take(LONGEST_LINE).read_until(b'\n', line).await?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(true);
    }
    if line.len() as u64 == LONGEST_LINE {
        // Not a line that the runtime wrote: what is there is skipped, so that it can't hold up the rest.
        return Ok(true);
    }
    let back = i64::try_from(line.len()).unwrap_or_default();
    if back > 0 {
        file.seek(SeekFrom::Current(-back)).await?;
    }
    Ok(false)
}
