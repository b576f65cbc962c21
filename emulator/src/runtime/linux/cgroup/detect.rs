//! Which hierarchies the machine has.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{super::record, Cgroup, Place, Version};

/// What limits and measures pods.
const WANTED: [&str; 4] = ["cpu", "cpuacct", "memory", "pids"];

/// The file of the data folder that remembers where the pods' group is.
const MEMORY: &str = "cgroup.json";

/// The group of an emulator's pods: the one that an earlier emulator over the same data has made, while it is there. Where
/// one can be made depends on the session that an emulator is started from, and pods live longer than that.
///
/// # Errors
/// When the data can't be read or written.
pub(in super::super) fn of_emulator(data: &Path, name: &str) -> io::Result<Cgroup> {
    let file = data.join(MEMORY);
    let before: Option<Cgroup> = record::read(&file)?;
    let there = |cgroup: &Cgroup| !cgroup.is_nowhere() && cgroup.places.iter().all(|place| place.folder.exists());
    if let Some(before) = before.filter(there) {
        return Ok(before);
    }
    let cgroup = detect(name);
    record::write(&file, &cgroup)?;
    Ok(cgroup)
}

/// The group of this name in every hierarchy, made: at the top, or, where we may not make it there, next to the group
/// that this process is in, or further up, as a user may to whom the system has handed a group down. Without places
/// where we may make none.
fn detect(name: &str) -> Cgroup {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let places = places(&mounts, |folder| {
        fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default()
    });
    let places = places.into_iter();
    Cgroup {
        places: places.filter_map(|top| settle(&top, &own, name)).collect(),
    }
}

/// Makes the group in the first of the possible parents that hands everything down, else in the one that hands down most.
fn settle(top: &Place, own: &str, name: &str) -> Option<Place> {
    let mut best: Option<Place> = None;
    for parent in parents(top, own) {
        let Some(made) = make(top, &parent, name) else { continue };
        let worse = if best
            .as_ref()
            .is_none_or(|best| made.controllers.len() > best.controllers.len())
        {
            best.replace(made)
        } else {
            Some(made)
        };
        if let Some(worse) = worse {
            // It was only tried.
            let _ = fs::remove_dir(worse.folder);
        }
        if best.as_ref().is_some_and(|best| best.controllers == top.controllers) {
            break;
        }
    }
    best
}

/// Where a group could be made: at the top, in this process's own group, and in those above that one, nearest first.
fn parents(top: &Place, own: &str) -> Vec<PathBuf> {
    let of_place = |line: &&str| {
        let controllers = line.split(':').nth(1).unwrap_or_default();
        match top.version {
            Version::Two => line.starts_with("0:"),
            Version::One => controllers
                .split(',')
                .any(|name| top.controllers.iter().any(|top| top == name)),
        }
    };
    let own = own.lines().find(of_place).and_then(|line| line.splitn(3, ':').nth(2));
    let own = Path::new(own.unwrap_or("/"));
    let below = own.ancestors().filter_map(|path| path.strip_prefix("/").ok());
    let below = below.filter(|path| !path.as_os_str().is_empty() && !path.starts_with(".."));
    let mut all = vec![top.folder.clone()];
    all.extend(below.map(|path| top.folder.join(path)));
    all
}

/// Makes the group in `parent`, if a process can be moved into it, with the controllers that are handed down to it: a
/// group that has processes hands down nothing in version 2.
fn make(top: &Place, parent: &Path, name: &str) -> Option<Place> {
    // Where a process is moved to and from is below this one, and it must be ours.
    fs::OpenOptions::new()
        .write(true)
        .open(parent.join("cgroup.procs"))
        .ok()?;
    let above = Cgroup {
        places: vec![Place {
            folder: parent.to_owned(),
            ..top.clone()
        }],
    };
    above.open_for_children();
    let group = above.child(name);
    group.create_inner().ok()?;
    let mut place = group.places.into_iter().next()?;
    if place.version == Version::Two {
        let list = fs::read_to_string(place.folder.join("cgroup.controllers")).unwrap_or_default();
        place
            .controllers
            .retain(|wanted| list.split_ascii_whitespace().any(|given| given == wanted));
    }
    Some(place)
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
    fn a_group_is_looked_for_at_the_top_and_from_the_own_one_upwards() {
        let place = |version, controllers: &[&str]| Place {
            version,
            controllers: controllers.iter().map(|name| (*name).to_owned()).collect(),
            folder: "/c".into(),
        };
        let own = "4:memory:/\n1:cpu,cpuacct:/mine\n0::/user.slice/app.slice/x.scope\n";
        let of = |place| -> Vec<String> {
            let all = parents(&place, own).into_iter();
            all.map(|path| path.display().to_string()).collect()
        };
        assert_eq!(
            of(place(Version::Two, &["memory"])),
            [
                "/c",
                "/c/user.slice/app.slice/x.scope",
                "/c/user.slice/app.slice",
                "/c/user.slice"
            ]
        );
        assert_eq!(of(place(Version::One, &["cpu", "cpuacct"])), ["/c", "/c/mine"]);
        assert_eq!(of(place(Version::One, &["memory"])), ["/c"]);
    }

    #[test]
    fn a_unified_machine_has_all_in_one_place() {
        let table = "30 20 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw\n";
        let found = places(table, |_| "cpuset cpu io memory pids".into());
        assert_eq!(found[0].controllers, ["cpu", "memory", "pids"]);
    }
}
