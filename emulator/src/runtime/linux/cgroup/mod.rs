//! Control groups of pods and containers, in version 1, version 2 and both at once.

mod detect;
mod limits;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

pub(super) use detect::of_emulator;

use crate::runtime::{Resources, Usage};

/// What a controller's files are to hold, in version 2 or in version 1.
type WritesOf = fn(&Resources, bool) -> limits::Writes;

/// The controllers that limit.
const CONTROLLERS: [(&str, WritesOf); 3] = [("cpu", limits::cpu), ("memory", limits::memory), ("pids", limits::pids)];

/// The generation of one hierarchy's interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Version {
    One,
    Two,
}

/// A group's folder in one hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    version: Version,
    controllers: Vec<String>,
    folder: PathBuf,
}

/// One group: its folder in every hierarchy of the machine. Without places where the machine lets us have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cgroup {
    places: Vec<Place>,
}

impl Cgroup {
    /// The group of this name below this one.
    pub(super) fn child(&self, name: &str) -> Self {
        let below = |place: &Place| Place {
            folder: place.folder.join(name),
            ..place.clone()
        };
        Self {
            places: self.places.iter().map(below).collect(),
        }
    }

    /// Limits of this controller can be set here.
    pub(super) fn has(&self, controller: &str) -> bool {
        self.place(controller).is_some()
    }

    /// The first controller whose limits are to change and can't be set here.
    pub(super) fn lacks(&self, made_with: &Resources, wanted: &Resources) -> Option<&'static str> {
        CONTROLLERS
            .into_iter()
            .find(|(name, of_place)| !self.has(name) && of_place(made_with, false) != of_place(wanted, false))
            .map(|(name, _)| name)
    }

    /// The machine has no hierarchy for us.
    pub(super) fn is_nowhere(&self) -> bool {
        self.places.is_empty()
    }

    fn place(&self, controller: &str) -> Option<&Place> {
        self.places
            .iter()
            .find(|place| place.controllers.iter().any(|name| name == controller))
    }

    /// Makes the folders.
    pub(super) fn create(&self) -> io::Result<()> {
        for place in &self.places {
            match fs::create_dir(&place.folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes the folders of a group that holds groups, not processes.
    pub(super) fn create_inner(&self) -> io::Result<()> {
        self.create()?;
        self.open_for_children();
        Ok(())
    }

    /// Version 2 wants each controller to be handed down. One that can't be is missed when a limit is set.
    fn open_for_children(&self) {
        for place in self.places.iter().filter(|place| place.version == Version::Two) {
            for controller in &place.controllers {
                let _ = fs::write(place.folder.join("cgroup.subtree_control"), format!("+{controller}"));
            }
        }
    }

    /// Moves the calling process into the group.
    pub(super) fn join(&self) -> io::Result<()> {
        self.places
            .iter()
            .try_for_each(|place| fs::write(place.folder.join("cgroup.procs"), "0"))
    }

    /// Sets limits; `None` leaves what is.
    ///
    /// # Errors
    /// When the kernel refuses a value. A controller that the machine does not have is passed over: see [`Self::has`].
    pub(super) fn limit(&self, resources: &Resources) -> io::Result<()> {
        for (controller, of_place) in CONTROLLERS {
            let Some(place) = self.place(controller) else { continue };
            for write in of_place(resources, place.version == Version::Two) {
                let path = place.folder.join(write.file);
                match fs::write(&path, &write.value) {
                    Err(_) if write.optional => {}
                    Err(error) => {
                        let text = format!("write {} to {}: {error}", write.value, path.display());
                        return Err(io::Error::new(error.kind(), text));
                    }
                    Ok(()) => {}
                }
            }
        }
        Ok(())
    }

    /// How many processes of the group the kernel has killed for want of memory.
    pub(super) fn oom_kills(&self) -> u64 {
        let Some(place) = self.place("memory") else { return 0 };
        let file = match place.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        fs::read_to_string(place.folder.join(file)).map_or(0, |text| counter(&text, "oom_kill"))
    }

    /// The processes of the group, as numbers in the caller's PID namespace.
    pub(super) fn processes(&self) -> Vec<i32> {
        let mut all = Vec::new();
        for place in &self.places {
            let text = fs::read_to_string(place.folder.join("cgroup.procs")).unwrap_or_default();
            all.extend(
                text.lines()
                    .filter_map(|line| line.parse::<i32>().ok())
                    .filter(|pid| *pid > 0),
            );
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// SIGKILL to every process of the group.
    pub(super) fn kill(&self) {
        for place in &self.places {
            if place.version == Version::Two {
                let _ = fs::write(place.folder.join("cgroup.kill"), "1");
            }
        }
        for pid in self.processes() {
            let pid = nix::unistd::Pid::from_raw(pid);
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
    }

    /// Kills what is in the group and in those below it, and removes their folders.
    ///
    /// # Errors
    /// When a process does not go within twenty seconds: one that was killed waits for its turn on a busy machine.
    pub(super) fn remove(&self) -> io::Result<()> {
        for attempt in 0_u32.. {
            let mut last = Ok(());
            for place in &self.places {
                last = last.and(remove_tree(&place.folder));
            }
            if last.is_ok() || attempt == 2000 {
                return last;
            }
            self.kill_tree();
            std::thread::sleep(Duration::from_millis(u64::from(attempt.min(10)) + 1));
        }
        Ok(())
    }

    fn kill_tree(&self) {
        self.kill();
        for place in &self.places {
            for name in child_names(&place.folder) {
                self.child(&name).kill_tree();
            }
        }
    }

    /// What the group has used.
    pub(super) fn usage(&self) -> Usage {
        let read = |controller: &str, one: &str, two: &str| {
            let place = self.place(controller)?;
            let file = if place.version == Version::Two { two } else { one };
            fs::read_to_string(place.folder.join(file)).ok()
        };
        let number = |text: Option<String>| text.and_then(|text| text.trim().parse::<u64>().ok());
        let cpu_nanoseconds = match self.place("cpu").map(|place| place.version) {
            Some(Version::Two) => read("cpu", "", "cpu.stat").map_or(0, |text| counter(&text, "usage_usec") * 1000),
            _ => number(read("cpuacct", "cpuacct.usage", "")).unwrap_or(0),
        };
        let used = number(read("memory", "memory.usage_in_bytes", "memory.current")).unwrap_or(0);
        let inactive = read("memory", "memory.stat", "memory.stat").map_or(0, |text| {
            counter(&text, "total_inactive_file").max(counter(&text, "inactive_file"))
        });
        Usage {
            cpu_nanoseconds,
            memory: used,
            memory_working_set: used.saturating_sub(inactive),
        }
    }

    /// The folders by what a container calls them below /sys/fs/cgroup: the empty name is version 2 alone.
    pub(super) fn folders(&self) -> Vec<(String, &Path)> {
        let only_two = self.places.iter().all(|place| place.version == Version::Two);
        let name = |place: &Place| match place.version {
            Version::Two if only_two => String::new(),
            Version::Two => "unified".into(),
            Version::One => place.controllers.join(","),
        };
        self.places
            .iter()
            .map(|place| (name(place), place.folder.as_path()))
            .collect()
    }
}

/// The number behind a word at the start of a line.
fn counter(text: &str, name: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(word, _)| *word == name)
        .and_then(|(_, number)| number.trim().parse().ok())
        .unwrap_or(0)
}

fn child_names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

fn remove_tree(folder: &Path) -> io::Result<()> {
    for name in child_names(folder) {
        remove_tree(&folder.join(name))?;
    }
    match fs::remove_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::counter;

    #[test]
    fn a_counter_is_found_by_its_whole_name() {
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(counter(text, "oom_kill"), 3);
        assert_eq!(counter(text, "oom"), 0);
    }
}
