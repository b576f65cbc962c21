//! The folder that an emulator keeps everything in, and the lock that lets one emulator use it at a time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

/// How long whoever looks at a lock may hold it.
const A_LOOK: Duration = Duration::from_millis(100);

/// An emulator that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Its process.
    pub pid: u32,
    /// `https://127.0.0.1:PORT`; empty while it starts.
    pub server: String,
}

/// Why a data folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another emulator uses it.
    #[error("an emulator already runs on {path} (process {pid})", path = .path.display(), pid = .running.pid)]
    InUse {
        /// The folder.
        path: PathBuf,
        /// Who.
        running: Running,
    },
    /// The disk refused.
    #[error("cannot use the data folder {path}: {source}", path = .path.display())]
    Io {
        /// What could not be made or written.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A data folder that this process holds the lock of, until it is dropped or the process ends in any way.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    lock: File,
}

impl DataDir {
    /// Makes the folder where it is missing, readable by its owner alone.
    ///
    /// # Errors
    /// `Io` where it can't be made.
    pub fn make(path: &Path) -> Result<(), DataDirError> {
        let made = match fs::metadata(path) {
            Ok(there) if !there.is_dir() => Err(io::ErrorKind::NotADirectory.into()),
            _ => make_private(path),
        };
        made.map_err(|source| DataDirError::Io {
            path: path.to_owned(),
            source,
        })
    }

    /// Makes the folder where it is missing, readable by its owner alone, and takes its lock.
    ///
    /// # Errors
    /// `InUse` while another process holds the lock, `Io` where the folder can't be made or written.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| DataDirError::Io { path, source }
        };
        Self::make(path)?;
        let path = path.canonicalize().map_err(failed(path))?;
        let lock_path = lock_path(&path);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(failed(&lock_path))?;
        let began = Instant::now();
        let locked = loop {
            match lock.try_lock() {
                // Whoever only looks whether an emulator runs holds it for a moment.
                Err(TryLockError::WouldBlock) if began.elapsed() < A_LOOK => std::thread::sleep(A_LOOK / 50),
                locked => break locked,
            }
        };
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let running = read(&mut lock).map_err(failed(&lock_path))?;
                return Err(DataDirError::InUse { path, running });
            }
            Err(TryLockError::Error(source)) => {
                return Err(DataDirError::Io {
                    path: lock_path,
                    source,
                });
            }
        }
        let data_dir = Self { path, lock };
        data_dir.announce("").map_err(failed(&lock_path))?;
        // A request that an earlier emulator has not lived to read.
        let _ = data_dir.stop_timeout();
        Ok(data_dir)
    }

    /// Leaves word for the emulator that uses the folder `path` how long its pods may take to end when it is asked to stop.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn request_stop(path: &Path, timeout: Duration) -> io::Result<()> {
        fs::write(stop_path(path), timeout.as_secs_f64().to_string())
    }

    /// Takes that word: how long the pods may take to end, where somebody has said so.
    pub fn stop_timeout(&self) -> Option<Duration> {
        let path = stop_path(&self.path);
        let text = fs::read_to_string(&path).ok()?;
        // It counts once: the next stop may come without any.
        let _ = fs::remove_file(&path);
        Duration::try_from_secs_f64(text.trim().parse().ok()?).ok()
    }

    /// The emulator that uses the folder `path`, if one does.
    pub fn running(path: &Path) -> Option<Running> {
        let mut lock = File::open(lock_path(path)).ok()?;
        match lock.try_lock_shared() {
            Err(TryLockError::WouldBlock) => read(&mut lock).ok(),
            _ => None,
        }
    }

    /// Tells others, through the lock file, where this emulator answers.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn announce(&self, server: &str) -> io::Result<()> {
        let running = Running {
            pid: std::process::id(),
            server: server.to_owned(),
        };
        let text = serde_json::to_vec(&running)?;
        let mut lock = &self.lock;
        lock.set_len(0)?;
        lock.rewind()?;
        lock.write_all(&text)
    }

    /// The folder itself, absolute and without symlinks.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder below it, made where it is missing.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn folder(&self, name: &str) -> Result<PathBuf, DataDirError> {
        let path = self.path.join(name);
        make_private(&path).map_err(|source| DataDirError::Io {
            path: path.clone(),
            source,
        })?;
        Ok(path)
    }
}

fn stop_path(path: &Path) -> PathBuf {
    path.join("stop")
}

fn lock_path(path: &Path) -> PathBuf {
    path.join("emulator.lock")
}

fn read(lock: &mut File) -> io::Result<Running> {
    let mut text = Vec::new();
    lock.rewind()?;
    lock.read_to_end(&mut text)?;
    // Between taking the lock and announcing itself, an emulator's file is empty or holds the one before it.
    Ok(serde_json::from_slice(&text).unwrap_or(Running {
        pid: 0,
        server: String::new(),
    }))
}

fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_private_and_locked_for_one() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let first = DataDir::open(&path).unwrap();
        first.announce("https://127.0.0.1:1").unwrap();
        let running = Running {
            pid: std::process::id(),
            server: "https://127.0.0.1:1".to_owned(),
        };
        assert_eq!(DataDir::running(&path), Some(running.clone()));
        match DataDir::open(&path) {
            Err(DataDirError::InUse { running: found, .. }) => assert_eq!(found, running),
            other => panic!("{other:?}"),
        }
        DataDir::request_stop(&path, Duration::from_millis(1500)).unwrap();
        assert_eq!(first.stop_timeout(), Some(Duration::from_millis(1500)));
        assert_eq!(first.stop_timeout(), None);
        drop(first);
        assert_eq!(DataDir::running(&path), None);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DataDir::open(file.path()).unwrap_err().to_string();
        assert!(error.contains(&file.path().display().to_string()), "{error}");
    }
}
