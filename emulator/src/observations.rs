//! What is left of the machine: its memory, and the file system that a folder is on.

use std::{fs, path::Path};

use crate::kubelet::pressure::{Amount, Observations};

/// What is left now.
pub(crate) fn of(folder: &Path) -> Observations {
    let (disk, inodes) = file_system(folder);
    Observations {
        memory: memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default()),
        disk,
        inodes,
    }
}

fn memory(meminfo: &str) -> Option<Amount> {
    let bytes = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kibibytes * 1024)
    };
    Some(Amount {
        available: bytes("MemAvailable:")?,
        capacity: bytes("MemTotal:")?,
    })
}

#[cfg(target_os = "linux")]
fn file_system(folder: &Path) -> (Option<Amount>, Option<Amount>) {
    let Ok(found) = nix::sys::statvfs::statvfs(folder) else {
        return (None, None);
    };
    let disk = Amount {
        available: found.blocks_available() * found.fragment_size(),
        capacity: found.blocks() * found.fragment_size(),
    };
    let inodes = Amount {
        available: found.files_free(),
        capacity: found.files(),
    };
    // Some file systems count no inodes.
    (Some(disk), Some(inodes).filter(|inodes| inodes.capacity > 0))
}

#[cfg(not(target_os = "linux"))]
fn file_system(_: &Path) -> (Option<Amount>, Option<Amount>) {
    (None, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let meminfo = "MemTotal:        2048 kB\nMemFree:          1 kB\nMemAvailable:     512 kB\n";
        let expected = Amount {
            available: 512 * 1024,
            capacity: 2048 * 1024,
        };
        assert_eq!(memory(meminfo), Some(expected));
        assert_eq!(memory(""), None);
    }
}
