//! What the emulator and a shim say to each other: one JSON document a packet, with descriptors beside it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    cgroup::Cgroup,
    record::{Holder, Record, SandboxFolder},
};
use crate::{image::Image, pod_ids::PodIds, runtime::SandboxConfig};

/// From the emulator to a shim.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Request {
    /// Comes back with the answer.
    pub(super) id: u64,
    pub(super) ask: Ask,
}

/// What a shim can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    /// The first request: make the sandbox. With the socket that the shim listens on, and with the pod's network
    /// namespace, unless it has the host's.
    Begin(Box<Begin>),
    /// The first request of an emulator that comes after another one: cut off the one before, whatever it still had to
    /// say, and answer when nothing is on its way any more.
    Settle,
    /// Start a container whose folder is made.
    Start { container: String },
    /// Send a signal to a container's first process.
    Signal { container: String, signal: i32 },
    /// Run a command. With the descriptors that `stdio` names, or the socket that takes the terminal.
    Exec {
        container: String,
        session: u64,
        command: Vec<String>,
        stdio: Stdio,
    },
    /// Kill the command of a session.
    Kill { session: u64 },
    /// Take part in a container's own streams. With the descriptors that `stdio` names.
    Attach {
        container: String,
        session: u64,
        stdio: Stdio,
    },
    /// Set the size of a container's own terminal.
    Resize { container: String, columns: u16, rows: u16 },
    /// Kill everything, write down how it ended, answer and end.
    Stop,
}

/// Which descriptors come with a request, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stdio {
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    pub(super) stderr: bool,
    /// One socket instead of the three, over which the terminal is sent.
    pub(super) terminal: bool,
}

/// All that a shim needs to know of its pod.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Begin {
    pub(super) folder: SandboxFolder,
    pub(super) config: SandboxConfig,
    /// The pod's, below which each container has its own.
    pub(super) cgroup: Cgroup,
    /// Of a pod with a user namespace of its own, which comes after its network namespace.
    pub(super) ids: Option<PodIds>,
    /// The network that has the pods' bridge comes as the last descriptor, to be kept for a later emulator.
    pub(super) keeps_node: bool,
    /// Runs instead of the built-in pause.
    pub(super) infra: Option<Image>,
    /// The folder that no container may see.
    pub(super) hidden: std::path::PathBuf,
}

/// From a shim to the emulator.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Tell {
    /// The answer to a request.
    Answer { id: u64, result: Result<Answer, String> },
    /// A container has a new record.
    Changed { container: String, record: Box<Record> },
    /// A session's command has ended.
    Ended { session: u64, exit_code: i32 },
    /// The pause process has ended.
    Unready,
}

/// What an answer brings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Done,
    Begun(Holder),
    Settled {
        holder: Holder,
        /// What became of containers whose records the disk did not take.
        unsaved: BTreeMap<String, Record>,
    },
}
