//! What an emulator could leave behind: processes, mounts, network devices, namespaces, cgroups.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What there is on the machine, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    things: BTreeSet<String>,
}

impl Machine {
    /// What there is now.
    #[must_use]
    pub fn now() -> Self {
        let mut things = BTreeSet::new();
        for process in processes() {
            things.extend(
                process
                    .emulators()
                    .then(|| format!("process {} {}", process.pid, process.line)),
            );
        }
        things.extend(mounts().into_iter().map(|mount| format!("mount {mount}")));
        for link in names("/sys/class/net") {
            things.insert(format!("link {link}"));
        }
        for namespace in names("/run/netns") {
            things.insert(format!("network namespace {namespace}"));
        }
        folders(Path::new("/sys/fs/cgroup"), 4, &mut |path| {
            things.insert(format!("cgroup {}", path.display()));
        });
        Self { things }
    }

    /// What is here and was not there before.
    #[must_use]
    pub fn beyond(&self, before: &Self) -> Vec<String> {
        self.things.difference(&before.things).cloned().collect()
    }

    /// Processes and mounts that use a folder.
    #[must_use]
    pub fn uses_of(folder: &Path) -> Vec<String> {
        let folder = folder.to_string_lossy();
        let running = processes()
            .into_iter()
            .filter(|process| process.line.contains(&*folder));
        let running = running.map(|process| format!("process {} {}", process.pid, process.line));
        let mounted = mounts().into_iter().filter(|mount| mount.contains(&*folder));
        running.chain(mounted.map(|mount| format!("mount {mount}"))).collect()
    }
}

struct Process {
    pid: String,
    line: String,
}

impl Process {
    /// Whether it is an emulator's own, and no container's: containers' names are anybody's.
    fn emulators(&self) -> bool {
        self.line.contains("kubectl-pod") || self.line.starts_with("/pause") || self.line.starts_with("pause")
    }
}

fn processes() -> Vec<Process> {
    let own = std::process::id().to_string();
    names("/proc")
        .into_iter()
        .filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()) && *pid != own)
        .filter_map(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            (!line.is_empty()).then_some(Process { pid, line })
        })
        .collect()
}

/// Where something is mounted, in this mount namespace.
fn mounts() -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(str::to_owned)
        .collect()
}

fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn folders(path: &Path, depth: usize, see: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            see(&entry.path());
            if depth > 1 {
                folders(&entry.path(), depth - 1, see);
            }
        }
    }
}
