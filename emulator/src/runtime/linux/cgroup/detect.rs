//! Which hierarchies the machine has.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Cgroup, Place, Version};

/// What limits and measures pods.
const WANTED: [&str; 4] = ["cpu", "cpuacct", "memory", "pids"];

/// The group of this name at the top of every hierarchy, made; without places where we may not make it.
pub(in super::super) fn detect(name: &str) -> Cgroup {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut places = places(&mounts, |folder| {
        fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default()
    });
    places.retain_mut(|place| keep(place, name));
    Cgroup { places }.child(name)
}

/// Makes the group in one hierarchy, and forgets the controllers that are not handed down to it: a machine that is
/// itself a container has processes at the top, where version 2 then hands down nothing.
fn keep(place: &mut Place, name: &str) -> bool {
    let top = Cgroup {
        places: vec![place.clone()],
    };
    top.open_for_children();
    let group = top.child(name);
    if group.create_inner().is_err() {
        return false;
    }
    if place.version == Version::Two {
        let list = fs::read_to_string(place.folder.join(name).join("cgroup.controllers")).unwrap_or_default();
        place
            .controllers
            .retain(|wanted| list.split_ascii_whitespace().any(|given| given == wanted));
    }
    true
}

/// The hierarchies that a mount table shows, with what is wanted of their controllers.
fn places(mountinfo: &str, controllers_of: impl Fn(&Path) -> String) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for line in mountinfo.lines() {
        let Some((mount, file_system)) = line.split_once(" - ") else {
            continue;
        };
        let mut file_system = file_system.split(' ');
        let (kind, options) = (file_system.next(), file_system.nth(1).unwrap_or_default());
        let Some(folder) = mount.split(' ').nth(4).map(PathBuf::from) else {
            continue;
        };
        let (version, words) = match kind {
            Some("cgroup2") => (Version::Two, controllers_of(&folder)),
            Some("cgroup") => (Version::One, options.replace(',', " ")),
            _ => continue,
        };
        let wanted = words.split_ascii_whitespace().filter(|word| WANTED.contains(word));
        let controllers: Vec<String> = wanted.map(str::to_owned).collect();
        let known = places
            .iter()
            .any(|place| place.version == version && place.controllers == controllers);
        if !known && (version == Version::Two || !controllers.is_empty()) {
            places.push(Place {
                version,
                controllers,
                folder,
            });
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hybrid_machine_has_controllers_in_version_1_and_none_in_version_2() {
        let table = "30 20 0:26 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
                     31 20 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n\
                     32 20 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let found = places(table, |_| String::new());
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].controllers, ["cpu", "cpuacct"]);
        assert_eq!((found[1].version, found[1].controllers.len()), (Version::Two, 0));
    }

    #[test]
    fn a_unified_machine_has_all_in_one_place() {
        let table = "30 20 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw\n";
        let found = places(table, |_| "cpuset cpu io memory pids".into());
        assert_eq!(found[0].controllers, ["cpu", "memory", "pids"]);
    }
}
