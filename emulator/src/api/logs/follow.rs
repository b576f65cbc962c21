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
            let newer = self.newer(&open).await;
            if !newer.is_empty() {
                open = newer;
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

    /// The files that came after the one that is read: it was set aside in the meantime.
    async fn newer(&self, open: &[BufReader<File>]) -> Vec<BufReader<File>> {
        let Some(current) = open.last().filter(|_| self.options.follow) else {
            return Vec::new();
        };
        let Ok(read) = current.get_ref().metadata().await else {
            return Vec::new();
        };
        // The usual case first: nothing has changed.
        if tokio::fs::metadata(&self.path)
            .await
            .map_or(true, |named| is_same(&read, &named))
        {
            return Vec::new();
        }
        let mut newer = Vec::new();
        for path in files(&self.path).await.into_iter().rev() {
            let Ok(file) = File::open(path).await else { break };
            let Ok(metadata) = file.metadata().await else { break };
            if is_same(&read, &metadata) {
                break;
            }
            newer.insert(0, BufReader::new(file));
        }
        newer
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

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        sync::{Arc, atomic::Ordering},
    };

    use super::*;
    use crate::api::streaming::echo_runtime::Echo;

    fn line(text: &str) -> String {
        format!("2026-01-01T00:00:00Z stdout F {text}\n")
    }

    fn start(path: &std::path::Path, options: LogOptions) -> (Arc<Echo>, mpsc::Receiver<Bytes>) {
        let mut runtime = Echo::at(0);
        runtime.log_path = path.to_owned();
        let runtime = Arc::new(runtime);
        let pod = PodRef {
            namespace: "n".into(),
            name: "p".into(),
            uid: "u".into(),
        };
        let shared: SharedRuntime = runtime.clone();
        let follower = Follower::new(path.to_owned(), options, shared, pod, ContainerId("c".into()));
        let (sender, receiver) = mpsc::channel(8);
        tokio::spawn(follower.run(sender));
        (runtime, receiver)
    }

    async fn next(receiver: &mut mpsc::Receiver<Bytes>) -> Option<String> {
        let read = tokio::time::timeout(Duration::from_secs(120), receiver.recv());
        Some(String::from_utf8(read.await.unwrap()?.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn following_goes_on_over_rotations_until_the_container_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.log");
        std::fs::write(&path, line("one") + &line("two")).unwrap();
        let options = LogOptions {
            follow: true,
            tail_lines: Some(1),
            ..LogOptions::default()
        };
        let (runtime, mut receiver) = start(&path, options);
        assert_eq!(next(&mut receiver).await.unwrap(), "two\n");
        // Half a line is not sent before its end is there.
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        let text = line("three");
        file.write_all(&text.as_bytes()[..10]).unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
        file.write_all(&text.as_bytes()[10..]).unwrap();
        assert_eq!(next(&mut receiver).await.unwrap(), "three\n");
        std::fs::rename(&path, folder.path().join("0.log.1")).unwrap();
        std::fs::write(&path, line("four")).unwrap();
        assert_eq!(next(&mut receiver).await.unwrap(), "four\n");
        runtime.ended.store(true, Ordering::SeqCst);
        assert_eq!(next(&mut receiver).await, None);
    }

    #[tokio::test]
    async fn without_follow_it_ends_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.log");
        std::fs::write(folder.path().join("0.log.1"), line("one")).unwrap();
        std::fs::write(&path, line("two")).unwrap();
        let (_runtime, mut receiver) = start(&path, LogOptions::default());
        let mut all = String::new();
        while let Some(text) = next(&mut receiver).await {
            all.push_str(&text);
        }
        assert_eq!(all, "one\ntwo\n");
    }
}
