//! The emulator that is killed, its disk, and what is on the machine because of it.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tests::{emulator::Emulator, leftovers::uses_of};

use crate::random::Random;

pub(crate) struct World {
    emulator: Emulator,
    small_disk: bool,
}

impl World {
    pub(crate) fn on_the_disk() -> Self {
        Self::new(false)
    }

    /// Its data lies on a disk of 16 MB, which is full at times.
    pub(crate) fn on_a_small_disk() -> Self {
        Self::new(true)
    }

    fn new(small_disk: bool) -> Self {
        let emulator = Emulator::prepare();
        fs::create_dir(emulator.folder().join("shared")).unwrap();
        let world = Self { emulator, small_disk };
        if small_disk {
            let disk = world.disk();
            fs::create_dir(&disk).unwrap();
            mount(Some("tmpfs"), &disk, Some("tmpfs"), MsFlags::empty(), Some("size=16m")).unwrap();
            fs::create_dir(disk.join("data")).unwrap();
            std::os::unix::fs::symlink("disk/data", world.emulator.data()).unwrap();
        }
        world.emulator.up(&[]);
        world
    }

    fn disk(&self) -> PathBuf {
        self.emulator.folder().join("disk")
    }

    /// The folder, as the emulator sees it: without symlinks.
    pub(crate) fn data(&self) -> PathBuf {
        let data = self.emulator.data();
        data.canonicalize().unwrap_or(data)
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.emulator.kubeconfig()
    }

    /// A folder that containers write into, on a disk with room.
    pub(crate) fn shared(&self) -> PathBuf {
        self.emulator.folder().join("shared")
    }

    pub(crate) fn start(&self) {
        let _ = self.emulator.start_again(&[]).succeeded();
    }

    fn starting(&self) -> Child {
        let mut command = self.emulator.start_command(&[]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Starts it, and kills it before it can say that it runs, most of the time.
    pub(crate) fn kill_while_it_starts(&self, milliseconds: u64) {
        let mut starting = self.starting();
        std::thread::sleep(Duration::from_millis(milliseconds));
        self.kill();
        starting.wait().unwrap();
        // It may have come up after all.
        self.kill();
    }

    /// SIGKILL, and waits until it has let go of its folder.
    pub(crate) fn kill(&self) {
        let began = Instant::now();
        let lock = self.data().join("emulator.lock");
        while fs::File::open(&lock).is_ok_and(|lock| lock.try_lock_shared().is_err()) {
            // Killed, a process has its files for a moment longer than it shows them.
            for pid in holders(|target| target == lock) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            assert!(began.elapsed() < Duration::from_secs(60), "it outlives SIGKILL");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Takes what room the disk has, or most of it.
    pub(crate) fn squeeze(&self, random: &mut Random) {
        if !self.small_disk || random.below(3) == 0 {
            return;
        }
        let mut filler = fs::File::create(self.data().join("filler")).unwrap();
        // In pages, so that not only the last byte is missing.
        let leave = random.below(20);
        let page = [0; 4096];
        let mut pages = 0_u64;
        while filler.write_all(&page).is_ok() {
            pages += 1;
        }
        let _ = filler.set_len(pages.saturating_sub(leave) * 4096);
    }

    pub(crate) fn relieve(&self) {
        let _ = fs::remove_file(self.data().join("filler"));
    }

    /// The sandboxes whose shims run.
    pub(crate) fn shims(&self) -> BTreeSet<String> {
        let folder = self.data().join("sandboxes");
        let mut found = BTreeSet::new();
        for pid in processes() {
            let Ok(log) = fs::read_link(format!("/proc/{pid}/fd/2")) else {
                continue;
            };
            let id = log.strip_prefix(&folder).ok().and_then(|rest| rest.parent());
            found.extend(id.map(|id| id.to_string_lossy().into_owned()));
        }
        found
    }

    /// The UID of a sandbox's pod.
    pub(crate) fn pod_of(&self, sandbox: &str) -> String {
        let file = self.data().join("sandboxes").join(sandbox).join("sandbox.json");
        let made: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap_or_default()).unwrap_or_default();
        made["config"]["pod"]["uid"].as_str().unwrap_or(sandbox).to_owned()
    }

    /// Processes whose mounts come from the emulator's folder: containers and what holds sandboxes.
    pub(crate) fn contained(&self) -> Vec<String> {
        let folder = self.data();
        let folder = folder.to_string_lossy();
        let inside = |pid: &i32| {
            let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
            mounts
                .lines()
                .any(|line| line.contains("upperdir=") && line.contains(&*folder))
        };
        let pids = processes().into_iter().filter(inside);
        pids.map(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            format!("{pid} {}", String::from_utf8_lossy(&line).replace('\0', " "))
        })
        .collect()
    }

    /// Stops it and looks for what is left of it on the machine.
    pub(crate) fn stop(&self) {
        let data = self.data();
        self.emulator.stop();
        let mut left = self.contained();
        left.extend(uses_of(&data));
        assert!(left.is_empty(), "left behind: {left:#?}");
        let left = named_after(&data);
        assert!(left.is_empty(), "left behind: {left:#?}");
        let sandboxes = fs::read_dir(data.join("sandboxes")).unwrap().count();
        assert_eq!(sandboxes, 0, "folders of sandboxes");
        let volumes = fs::read_dir(data.join("volumes")).unwrap().count();
        assert_eq!(volumes, 0, "folders of volumes");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.small_disk {
            let _ = self.emulator.command(&["stop", "--now"]);
            let _ = umount2(&self.disk(), MntFlags::MNT_DETACH);
        }
    }
}

fn processes() -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// The processes that have a file open.
fn holders(is_it: impl Fn(&Path) -> bool) -> Vec<i32> {
    let own = i32::try_from(std::process::id()).unwrap();
    let has = |pid: &i32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.filter_map(|fd| fs::read_link(fd.path()).ok())
            .any(|target| is_it(&target))
    };
    processes().into_iter().filter(|pid| *pid != own).filter(has).collect()
}

/// Cgroups and network devices whose names come from the folder's.
fn named_after(data: &Path) -> Vec<String> {
    use std::os::unix::ffi::OsStrExt;
    let digest = ring::digest::digest(&ring::digest::SHA256, data.as_os_str().as_bytes());
    let digits: String = digest
        .as_ref()
        .iter()
        .take(5)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut left = Vec::new();
    let cgroup = format!("kubepods-emulator-{}", &digits[..8]);
    let find = Command::new("find")
        .args(["/sys/fs/cgroup", "-maxdepth", "5", "-type", "d", "-name", &cgroup])
        .output()
        .unwrap();
    left.extend(String::from_utf8_lossy(&find.stdout).lines().map(str::to_owned));
    let bridge = Path::new("/sys/class/net").join(format!("kpod-{digits}"));
    left.extend(bridge.exists().then(|| bridge.display().to_string()));
    left
}
