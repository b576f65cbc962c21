//! Network namespaces: the node's and the pods'.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use nix::sched::{CloneFlags, setns, unshare};

/// Where the node's end of the pods' links is: this process's own network, or, without root, one apart.
#[derive(Clone, Debug, Default)]
pub struct NodeNamespace(Option<Arc<OwnedFd>>);

impl NodeNamespace {
    /// The network of this process.
    pub fn own() -> Self {
        Self(None)
    }

    /// A network apart.
    pub fn apart(namespace: OwnedFd) -> Self {
        Self(Some(Arc::new(namespace)))
    }

    /// It is not this process's own.
    pub fn is_apart(&self) -> bool {
        self.0.is_some()
    }

    /// Runs `act` there.
    ///
    /// # Errors
    /// When it can't be entered, or `act` fails.
    pub async fn run<T: Send + 'static>(&self, act: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
        match &self.0 {
            None => act(),
            Some(namespace) => in_namespace(namespace.try_clone()?, act).await,
        }
    }
}

/// Runs `act` on a thread of its own in a network namespace. A socket made there stays there.
///
/// # Errors
/// When the namespace can't be entered, or `act` fails.
pub async fn in_namespace<T: Send + 'static>(
    namespace: OwnedFd,
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    on_a_thread(move || {
        setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)?;
        act()
    })
    .await
}

/// A new network namespace, which lives as long as the descriptor or a process in it.
///
/// # Errors
/// When the kernel refuses.
pub async fn new_namespace() -> io::Result<OwnedFd> {
    on_a_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET)?;
        Ok(File::open("/proc/thread-self/ns/net")?.into())
    })
    .await
}

/// The thread ends with the call, so that no other work ever runs in the namespace that it has entered.
async fn on_a_thread<T: Send + 'static>(act: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let handle = tokio::runtime::Handle::current();
    std::thread::Builder::new().name("namespace".into()).spawn(move || {
        // Sockets made here belong to the runtime of the caller.
        let _inside = handle.enter();
        drop(sender.send(act()));
    })?;
    receiver.await.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}

/// Opens a process's network namespace.
pub(crate) fn of_process(pid: i32) -> io::Result<OwnedFd> {
    Ok(File::open(format!("/proc/{pid}/ns/net"))?.into())
}

/// Reads a descriptor as the number that netlink wants.
pub(super) fn number(namespace: BorrowedFd<'_>) -> i32 {
    std::os::fd::AsRawFd::as_raw_fd(&namespace)
}
