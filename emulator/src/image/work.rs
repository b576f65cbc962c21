//! A folder for what is not finished: fetched blobs, half-unpacked layers, records about to be renamed into place.
//!
//! Its owner holds a lock on it, which the kernel gives back however that process ends; so what a crash has left can be
//! told from what another process is writing.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// One owner's folder, removed when it is dropped.
pub(super) struct Work {
    path: PathBuf,
    _lock: File,
}

impl Work {
    /// Makes one in the folder `parent`.
    pub(super) fn begin(parent: &Path) -> io::Result<Self> {
        loop {
            let path = parent.join(crate::uid::new());
            fs::create_dir(&path)?;
            let lock = File::open(&path)?;
            lock.lock()?;
            // Between the making and the locking somebody may have swept it away.
            if path.is_dir() {
                return Ok(Self { path, _lock: lock });
            }
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What could not be removed is swept away by the next start.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// Removes the folders whose owners have died.
pub(super) fn sweep(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let path = entry?.path();
        let lock = match File::open(&path) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            },
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_owner_left_is_swept_away_and_a_living_ones_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let alive = Work::begin(parent.path()).unwrap();
        let dead = parent.path().join("dead");
        fs::create_dir_all(dead.join("layer/bin")).unwrap();
        sweep(parent.path()).unwrap();
        assert!(alive.path().is_dir());
        assert!(!dead.exists());
        drop(alive);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
