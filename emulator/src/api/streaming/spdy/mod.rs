//! SPDY/3.1, as much of it as Kubernetes' clients use: streams with headers, data in both directions, no flow
//! control and no priorities.

mod frame;
mod headers;

use std::collections::HashMap;

use axum::body::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::mpsc,
};

pub(super) use self::headers::Headers;
#[cfg(test)]
pub(super) use self::headers::compressed;
use self::{
    frame::{Head, Kind},
    headers::{Compressor, Decompressor},
};

/// The most streams that are open at once.
const MOST_STREAMS: usize = 256;
/// The largest control frame: a block of headers.
const LARGEST_CONTROL: u32 = 64 * 1024;
/// Data is handed on in pieces of this size, however large its frame.
const CHUNK: usize = 32 * 1024;
/// Pieces that wait for a stream's reader, and frames that wait for the connection.
const QUEUE: usize = 8;

/// A stream that the client has opened.
pub(super) struct Stream {
    /// What it is for.
    pub(super) headers: Headers,
    /// What the client sends; ends with its half of the stream.
    pub(super) incoming: mpsc::Receiver<Bytes>,
    /// What the client gets.
    pub(super) outgoing: Outgoing,
}

/// This side's half of a stream.
#[derive(Clone)]
pub(super) struct Outgoing {
    id: u32,
    frames: mpsc::Sender<Frame>,
}

enum Frame {
    Reply(u32),
    Data(u32, Bytes),
    End(u32),
    Reset(u32),
    Ping(u32),
    GoAway(u32),
}

/// The connection is gone.
#[derive(Debug)]
pub(super) struct Gone;

impl Outgoing {
    /// Sends data.
    pub(super) async fn send(&self, data: Bytes) -> Result<(), Gone> {
        self.frame(Frame::Data(self.id, data)).await
    }

    /// Ends this half.
    pub(super) async fn end(&self) {
        let _ = self.frame(Frame::End(self.id)).await;
    }

    /// Ends both halves.
    pub(super) async fn reset(&self) {
        let _ = self.frame(Frame::Reset(self.id)).await;
    }

    /// Waits until the connection is gone.
    pub(super) async fn closed(&self) {
        self.frames.closed().await;
    }

    async fn frame(&self, frame: Frame) -> Result<(), Gone> {
        self.frames.send(frame).await.map_err(|_| Gone)
    }
}

/// Serves a connection; the streams that the client opens come out of the receiver, which ends with the connection.
///
/// The connection closes when every [`Outgoing`] has been dropped, and with it the returned guard.
pub(super) fn serve<C>(connection: C) -> (mpsc::Receiver<Stream>, Guard)
where
    C: AsyncRead + AsyncWrite + Send + 'static,
{
    let (reader, writer) = tokio::io::split(connection);
    let (frames, queue) = mpsc::channel(QUEUE);
    let (streams, opened) = mpsc::channel(1);
    let writing = tokio::spawn(write(writer, queue));
    let reading = tokio::spawn(async move {
        let _ = read(reader, frames, streams).await;
        writing.abort();
    });
    (opened, Guard(reading))
}

/// Ends the connection when it is dropped.
pub(super) struct Guard(tokio::task::JoinHandle<()>);

impl Guard {
    /// Lets the client take what was sent: waits for it to close, but not for ever.
    pub(super) async fn linger(mut self) {
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), &mut self.0).await;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn write<W: AsyncWrite + Unpin>(mut writer: W, mut queue: mpsc::Receiver<Frame>) {
    let Ok(mut compressor) = Compressor::new() else { return };
    while let Some(next) = queue.recv().await {
        let (bytes, data) = match next {
            Frame::Reply(id) => match compressor.empty() {
                Ok(block) => (frame::reply(id, &block), Bytes::new()),
                Err(_) => return,
            },
            Frame::Data(id, data) => (frame::data(id, data.len(), false), data),
            Frame::End(id) => (frame::data(id, 0, true), Bytes::new()),
            Frame::Reset(id) => (frame::reset(id), Bytes::new()),
            Frame::Ping(id) => (frame::ping(id), Bytes::new()),
            Frame::GoAway(last) => (frame::go_away(last), Bytes::new()),
        };
        let written = async {
            writer.write_all(&bytes).await?;
            writer.write_all(&data).await?;
            writer.flush().await
        };
        if written.await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}

/// Reads frames until the connection ends or breaks the protocol.
async fn read<R: AsyncRead + Unpin>(
    mut reader: R,
    frames: mpsc::Sender<Frame>,
    streams: mpsc::Sender<Stream>,
) -> std::io::Result<()> {
    let mut decompressor = Decompressor::new();
    let mut open: HashMap<u32, mpsc::Sender<Bytes>> = HashMap::new();
    let mut last = 0;
    let broken = |why: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, why.to_owned());
    loop {
        let mut head = [0; 8];
        reader.read_exact(&mut head).await?;
        match Head::parse(head) {
            Head::Data { stream, end, length } => {
                let mut left = length as usize;
                while left > 0 {
                    let mut chunk = vec![0; left.min(CHUNK)];
                    reader.read_exact(&mut chunk).await?;
                    left -= chunk.len();
                    // A stream that nobody reads any more takes nothing.
                    if let Some(sender) = open.get(&stream)
                        && sender.send(chunk.into()).await.is_err()
                    {
                        open.remove(&stream);
                    }
                }
                if end {
                    open.remove(&stream);
                }
            }
            Head::Control { length, .. } if length > LARGEST_CONTROL => return Err(broken("frame too large")),
            Head::Control { kind, flags, length } => {
                let mut body = vec![0; length as usize];
                reader.read_exact(&mut body).await?;
                match kind {
                    Kind::SynStream => {
                        let (id, block) = frame::syn_stream(&body).ok_or_else(|| broken("short frame"))?;
                        let headers = decompressor.read(block).ok_or_else(|| broken("bad headers"))?;
                        // A client's streams have odd numbers that grow.
                        if id % 2 == 0 || id <= last {
                            return Err(broken("bad stream number"));
                        }
                        last = id;
                        open.retain(|_, sender| !sender.is_closed());
                        if open.len() >= MOST_STREAMS {
                            let _ = frames.send(Frame::Reset(id)).await;
                            continue;
                        }
                        let (sender, incoming) = mpsc::channel(QUEUE);
                        if flags & frame::END == 0 {
                            open.insert(id, sender);
                        }
                        let outgoing = Outgoing {
                            id,
                            frames: frames.clone(),
                        };
                        let stream = Stream {
                            headers,
                            incoming,
                            outgoing,
                        };
                        let _ = frames.send(Frame::Reply(id)).await;
                        if streams.send(stream).await.is_err() {
                            let _ = frames.send(Frame::Reset(id)).await;
                        }
                    }
                    Kind::Headers => {
                        // Nothing to learn from it, but the compression's state goes on.
                        let block = body.get(4..).ok_or_else(|| broken("short frame"))?;
                        decompressor.read(block).ok_or_else(|| broken("bad headers"))?;
                    }
                    Kind::Reset => {
                        if let Some(id) = frame::stream_of(&body) {
                            open.remove(&id);
                        }
                    }
                    Kind::Ping => {
                        if let Some(id) = frame::number(&body) {
                            let _ = frames.send(Frame::Ping(id)).await;
                        }
                    }
                    Kind::GoAway => {
                        let _ = frames.send(Frame::GoAway(last)).await;
                    }
                    Kind::Other => {}
                }
            }
        }
    }
}
