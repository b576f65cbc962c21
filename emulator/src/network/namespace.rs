//! Network namespaces: the node's and the pods'.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use nix::sched::{CloneFlags, setns, unshare};
use tokio::sync::OnceCell;

/// The network namespace of the pods' bridge. It is never the machine's own: there the machine's filter rules would
/// apply between pods (with `br_netfilter`, as Docker and Kubernetes leave it), and network managers would take up the
/// pods' links.
#[derive(Debug)]
pub struct NodeNamespace {
    namespace: OnceCell<OwnedFd>,
    linked: bool,
}

impl NodeNamespace {
    /// The namespace that pods of an earlier run live in, or one that is created when the first pod needs it.
    /// `linked`: whether it gets a link to the machine's network, which only root of that network may create.
    pub fn new(existing: Option<OwnedFd>, linked: bool) -> Self {
        Self {
            namespace: OnceCell::new_with(existing),
            linked,
        }
    }

    /// Whether the machine's programs reach pods through a link.
    pub fn is_linked(&self) -> bool {
        self.linked
    }

    /// The namespace, once it exists.
    ///
    /// # Errors
    /// When no descriptor is free.
    pub fn descriptor(&self) -> io::Result<Option<OwnedFd>> {
        self.namespace.get().map(OwnedFd::try_clone).transpose()
    }

    /// Runs `act` there, creating the namespace if it does not exist.
    ///
    /// # Errors
    /// When it can't be created or entered, or `act` fails.
    pub async fn run<T: Send + 'static>(&self, act: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
        let namespace = self.namespace.get_or_try_init(new_namespace).await?;
        in_namespace(namespace.try_clone()?, act).await
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
pub(crate) async fn on_a_thread<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
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
