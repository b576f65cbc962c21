//! The emulator's end of the connection to a shim.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{io::unix::AsyncFd, sync::oneshot};

use super::{
    packets,
    protocol::{Answer, Ask, Request, Tell},
};

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Result<Answer, String>>>>>;

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// The shim is gone.
    #[error("the pod's shim is gone")]
    Lost,
    /// The shim's words.
    #[error("{0}")]
    Refused(String),
}

pub(super) struct Client {
    socket: Arc<AsyncFd<OwnedFd>>,
    last: AtomicU64,
    waiting: Waiting,
    reader: tokio::task::JoinHandle<()>,
}

impl Client {
    /// Everything that is no answer goes to `listener`, in the order in which it was said: whoever has an answer finds
    /// what was told before it done. Nothing comes when the shim is gone.
    pub(super) fn new(socket: OwnedFd, listener: impl Fn(Option<Tell>) + Send + 'static) -> io::Result<Self> {
        packets::do_not_block(socket.as_fd())?;
        // SAFETY: an `OwnedFd` keeps its number until it is dropped, which is after it is taken out again.
        let socket = Arc::new(unsafe { AsyncFd::register(socket) }?);
        let waiting = Waiting::default();
        let reader = tokio::spawn(read(Arc::clone(&socket), Arc::clone(&waiting), listener));
        Ok(Self {
            socket,
            last: AtomicU64::new(0),
            waiting,
            reader,
        })
    }

    /// Asks and waits for the answer.
    pub(super) async fn ask(&self, ask: Ask, descriptors: &[OwnedFd]) -> Result<Answer, AskError> {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let bytes = serde_json::to_vec(&Request { id, ask }).map_err(|_| AskError::Lost)?;
        let (sender, receiver) = oneshot::channel();
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, sender);
        if self.reader.is_finished() {
            return Err(AskError::Lost);
        }
        loop {
            let mut ready = self.socket.writable().await.map_err(|_| AskError::Lost)?;
            let send = |socket: &AsyncFd<OwnedFd>| {
                packets::send(socket.get_ref().as_fd(), &bytes, &packets::borrow(descriptors))
            };
            match ready.try_io(send) {
                Ok(Ok(())) => break,
                Ok(Err(error)) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                    return Err(AskError::Refused("argument list too long".into()));
                }
                Ok(Err(_)) => return Err(AskError::Lost),
                Err(_) => {}
            }
        }
        receiver.await.map_err(|_| AskError::Lost)?.map_err(AskError::Refused)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read(socket: Arc<AsyncFd<OwnedFd>>, waiting: Waiting, listener: impl Fn(Option<Tell>)) {
    while let Ok(mut ready) = socket.readable().await {
        let packet = match ready.try_io(|socket| packets::receive(socket.get_ref().as_fd())) {
            Err(_) => continue,
            Ok(Ok(Some((bytes, _)))) => bytes,
            Ok(Ok(None) | Err(_)) => break,
        };
        match serde_json::from_slice(&packet) {
            Ok(Tell::Answer { id, result }) => {
                let sender = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                if let Some(sender) = sender {
                    let _ = sender.send(result);
                }
            }
            Ok(tell) => listener(Some(tell)),
            Err(_) => break,
        }
    }
    listener(None);
    // Whoever still waits learns that there will be no answer.
    waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
}
