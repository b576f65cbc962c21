//! Small files that say what was made and what became of it; they outlive every process.

use std::{
    fs,
    io::{self, Write},
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    pod_ids::PodIds,
    runtime::{ContainerConfig, ContainerState, SandboxConfig},
};

/// What a sandbox was made from: `sandbox.json`, written once by the emulator.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SandboxMade {
    pub(super) config: SandboxConfig,
    pub(super) created_at: Timestamp,
    /// The pod's own address; none with the host's network.
    pub(super) address: Option<std::net::Ipv4Addr>,
    /// The node's end of the pod's link.
    pub(super) link: Option<String>,
}

impl SandboxMade {
    /// What the users of a pod with a user namespace of its own are on the machine.
    pub(super) fn ids(&self) -> Option<PodIds> {
        self.address.filter(|_| self.config.user_namespace).map(PodIds::of)
    }
}

/// Which processes hold a sandbox: `holder.json`, written by the shim.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Holder {
    pub(super) shim: ProcessName,
    pub(super) pause: ProcessName,
    /// The pause process runs.
    pub(super) ready: bool,
    /// The shim's descriptor of the network that has the pods' bridge.
    #[serde(default)]
    pub(super) node: Option<i32>,
}

impl Holder {
    /// Opens the network that has the pods' bridge, where the shim holds it.
    pub(super) fn network(&self) -> io::Result<Option<OwnedFd>> {
        let open = |node| fs::File::open(format!("/proc/{}/fd/{node}", self.shim.pid));
        Ok(self.node.map(open).transpose()?.map(OwnedFd::from))
    }
}

/// A process, told apart from a later one of the same number by when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessName {
    pub(super) pid: i32,
    /// Clock ticks since boot.
    pub(super) started: u64,
}

impl ProcessName {
    /// The process that has this number now.
    pub(super) fn of(pid: i32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let started = start_time(&stat).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(Self { pid, started })
    }

    /// It still runs (a zombie does not).
    pub(super) fn is_alive(self) -> bool {
        let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", self.pid)) else {
            return false;
        };
        let zombie = stat
            .rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']));
        !zombie && start_time(&stat) == Some(self.started)
    }

    /// SIGKILL, where it still is the same process.
    pub(super) fn kill(self) {
        if self.is_alive() {
            let pid = nix::unistd::Pid::from_raw(self.pid);
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
    }
}

/// The 22nd field of /proc/PID/stat, counted after the command name, which may hold anything.
fn start_time(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// What a container was made from: `made.json`, written once by the emulator.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ContainerMade {
    pub(super) config: ContainerConfig,
    pub(super) created_at: Timestamp,
}

/// What became of a container: `record.json`, written by the shim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) state: ContainerState,
    pub(super) process: Option<ProcessName>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) exit_code: Option<i32>,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Record {
    /// Made, not started.
    pub(super) fn created() -> Self {
        Self {
            state: ContainerState::Created,
            process: None,
            started_at: None,
            finished_at: None,
            exit_code: None,
            reason: String::new(),
            message: String::new(),
        }
    }

    /// It could not be started, for what `message` says.
    pub(super) fn start_failed(message: String, at: Timestamp) -> Self {
        Self {
            state: ContainerState::Exited,
            finished_at: Some(at),
            exit_code: Some(128),
            reason: "StartError".into(),
            message,
            ..Self::created()
        }
    }

    /// Whether it says more of the container's life than `other`.
    pub(super) fn is_later_than(&self, other: &Self) -> bool {
        let age = |record: &Self| match record.state {
            ContainerState::Created | ContainerState::Unknown => 0,
            ContainerState::Running => 1,
            ContainerState::Exited => 2,
        };
        age(self) > age(other)
    }

    /// Its end was not seen: the shim that would have seen it is gone.
    pub(super) fn lost(mut self, at: Timestamp) -> Self {
        if self.state == ContainerState::Running {
            self.state = ContainerState::Exited;
            self.finished_at = Some(at);
            self.exit_code = Some(137);
            self.reason = "Error".into();
            self.message = "the process that held the pod's containers was lost".into();
            self.process = None;
        }
        self
    }
}

/// The files of one sandbox, below `DATA/sandboxes/ID`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SandboxFolder(pub(super) PathBuf);

impl SandboxFolder {
    pub(super) fn made(&self) -> PathBuf {
        self.0.join("sandbox.json")
    }
    pub(super) fn holder(&self) -> PathBuf {
        self.0.join("holder.json")
    }
    pub(super) fn socket_name() -> &'static str {
        "shim.sock"
    }
    /// There once the sandbox is whole: an emulator that was killed while it made one leaves none.
    pub(super) fn whole(&self) -> PathBuf {
        self.0.join("whole")
    }
    /// Where the pause process's root is mounted, seen by nobody else.
    pub(super) fn root(&self) -> PathBuf {
        self.0.join("root")
    }
    /// The folder's own name: the sandbox's ID.
    pub(super) fn name(&self) -> &str {
        self.0.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }
    pub(super) fn containers(&self) -> PathBuf {
        self.0.join("containers")
    }
    pub(super) fn container(&self, id: &str) -> ContainerFolder {
        ContainerFolder(self.containers().join(id))
    }
}

/// The files of one container, below its sandbox's.
#[derive(Clone, Debug)]
pub(super) struct ContainerFolder(pub(super) PathBuf);

impl ContainerFolder {
    pub(super) fn made(&self) -> PathBuf {
        self.0.join("made.json")
    }
    pub(super) fn record(&self) -> PathBuf {
        self.0.join("record.json")
    }
    pub(super) fn upper(&self) -> PathBuf {
        self.0.join("upper")
    }
    pub(super) fn work(&self) -> PathBuf {
        self.0.join("work")
    }
    pub(super) fn root(&self) -> PathBuf {
        self.0.join("root")
    }
    pub(super) fn volumes(&self) -> PathBuf {
        self.0.join("volumes")
    }
}

/// What most records take, and more.
const RESERVED: usize = 4096;

/// Writes a file with room to spare, so that `rewrite` needs no more of the disk.
pub(super) fn reserve<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(value)?;
    // Space behind a JSON document is nothing.
    bytes.resize(bytes.len().max(RESERVED), b' ');
    write_bytes(path, &bytes)
}

/// Writes a file anew where it is, also on a full disk, if `reserve` made it and the value fits; else as `write`.
///
/// A process that is killed has written all of it or nothing. Whoever reads at the same moment may see half of it.
pub(super) fn rewrite<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let mut bytes = serde_json::to_vec(value)?;
    let reserved = fs::OpenOptions::new().write(true).open(path);
    match reserved {
        Ok(file) if file.metadata()?.len() == RESERVED as u64 && bytes.len() <= RESERVED => {
            bytes.resize(RESERVED, b' ');
            file.write_all_at(&bytes, 0)
        }
        _ => write_bytes(path, &bytes),
    }
}

/// Replaces a file as a whole: a reader sees the old content or the new.
pub(super) fn write<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    write_bytes(path, &serde_json::to_vec(value)?)
}

fn write_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(bytes)?;
    fs::rename(&new, path)
}

/// Reads what `write` wrote; nothing where there is no such file.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_a_hostile_command_name() {
        let stat = "7 (a) b ) S 1 7 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 1";
        assert_eq!(start_time(stat), Some(4711));
    }

    #[test]
    fn this_process_is_alive_and_one_with_another_start_time_is_not() {
        let me = ProcessName::of(std::process::id() as i32).expect("own stat");
        assert!(me.is_alive());
        assert!(
            !ProcessName {
                started: me.started + 1,
                ..me
            }
            .is_alive()
        );
    }

    #[test]
    fn a_records_age_goes_by_the_containers_life() {
        let of = |state| Record {
            state,
            ..Record::created()
        };
        assert!(of(ContainerState::Exited).is_later_than(&of(ContainerState::Running)));
        assert!(of(ContainerState::Running).is_later_than(&Record::created()));
        assert!(!of(ContainerState::Running).is_later_than(&of(ContainerState::Running)));
    }

    #[test]
    fn a_record_is_rewritten_in_its_place_while_it_fits() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("record.json");
        reserve(&path, &Record::created()).expect("reserve");
        let place = fs::metadata(&path).expect("metadata").ino();
        let ended = Record::start_failed("no such file".into(), Timestamp::UNIX_EPOCH);
        rewrite(&path, &ended).expect("rewrite");
        assert_eq!(fs::metadata(&path).expect("metadata").ino(), place);
        assert_eq!(read(&path).expect("read"), Some(ended));
        let long = Record::start_failed("x".repeat(RESERVED), Timestamp::UNIX_EPOCH);
        rewrite(&path, &long).expect("rewrite");
        assert_eq!(read(&path).expect("read"), Some(long));
    }

    #[test]
    fn a_lost_container_ends_with_137_and_an_ended_one_keeps_its_code() {
        let at = Timestamp::UNIX_EPOCH;
        let running = Record {
            state: ContainerState::Running,
            ..Record::created()
        };
        assert_eq!(running.lost(at).exit_code, Some(137));
        let ended = Record {
            state: ContainerState::Exited,
            exit_code: Some(3),
            ..Record::created()
        };
        assert_eq!(ended.clone().lost(at), ended);
    }
}
