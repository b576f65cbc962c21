//! The objects on disk: what a client was told is stored is found again, however the process ends.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, TableError};
use serde_json::Value;

use super::{Key, Resource, StoreError};

/// `plural/namespace/name` to JSON.
const OBJECTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("objects");
/// Names to numbers.
const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
/// The number of the newest change.
const VERSION: &str = "version";

/// The objects are in memory as well: the file's own cache need not be large.
const CACHE: usize = 1 << 20;

/// The file of a store.
pub(super) struct Disk {
    path: PathBuf,
    /// Absent after a write that failed: a database that has seen one takes no more, and is opened anew for the next.
    database: Option<Database>,
}

impl Disk {
    /// Opens the file, or makes it, readable by its owner alone.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            path: path.to_owned(),
            database: Some(open(path)?),
        })
    }

    fn database(&mut self) -> Result<&Database, StoreError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => open(&self.path)?,
        };
        Ok(self.database.insert(database))
    }

    /// Everything in the file, and the number of the newest change.
    pub(super) fn load(&mut self) -> Result<(Vec<(Key, Value)>, u64), StoreError> {
        let database = self.database()?;
        // The tables are made by the first transaction that writes to them.
        let transaction = database.begin_write().map_err(failed)?;
        {
            transaction.open_table(OBJECTS).map_err(failed)?;
            transaction.open_table(NUMBERS).map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
        let version = version(database)?;
        let transaction = database.begin_read().map_err(failed)?;
        let mut objects = Vec::new();
        for entry in transaction
            .open_table(OBJECTS)
            .map_err(failed)?
            .iter()
            .map_err(failed)?
        {
            let (path, object) = entry.map_err(failed)?;
            let key = key(path.value()).ok_or_else(|| StoreError::Disk(format!("unknown object {}", path.value())))?;
            objects.push((key, serde_json::from_slice(object.value()).map_err(failed)?));
        }
        Ok((objects, version))
    }

    /// Writes one change: the object as JSON, or that it is gone. A change that fails is not there afterwards.
    pub(super) fn write(&mut self, key: &Key, object: Option<&str>, version: u64) -> Result<(), StoreError> {
        let written = commit(self.database()?, key, object, version);
        if written.is_err() {
            self.database = None;
            // A commit can fail when all that makes it one is in the file already: what the next reader finds counts.
            if self
                .database()
                .and_then(self::version)
                .is_ok_and(|found| found == version)
            {
                return Ok(());
            }
        }
        written
    }
}

/// The number of the newest change in the file.
fn version(database: &Database) -> Result<u64, StoreError> {
    let transaction = database.begin_read().map_err(failed)?;
    let numbers = match transaction.open_table(NUMBERS) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(0),
        numbers => numbers.map_err(failed)?,
    };
    let version = numbers.get(VERSION).map_err(failed)?;
    Ok(version.map_or(0, |number| number.value()))
}

fn commit(database: &Database, key: &Key, object: Option<&str>, version: u64) -> Result<(), StoreError> {
    let transaction = database.begin_write().map_err(failed)?;
    {
        let mut objects = transaction.open_table(OBJECTS).map_err(failed)?;
        let path = path(key);
        match object {
            Some(object) => drop(objects.insert(&*path, object.as_bytes()).map_err(failed)?),
            None => drop(objects.remove(&*path).map_err(failed)?),
        }
        let mut numbers = transaction.open_table(NUMBERS).map_err(failed)?;
        numbers.insert(VERSION, version).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// Opens the file, or makes it, readable by its owner alone.
fn open(path: &Path) -> Result<Database, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(failed)?;
    Database::builder()
        .set_cache_size(CACHE)
        .create_with_backend(Backend::new(file).map_err(failed)?)
        .map_err(failed)
}

fn failed(error: impl fmt::Display) -> StoreError {
    StoreError::Disk(error.to_string())
}

fn path(key: &Key) -> String {
    format!("{}/{}/{}", key.resource.plural(), key.namespace, key.name)
}

fn key(path: &str) -> Option<Key> {
    let mut parts = path.splitn(3, '/');
    let (resource, namespace, name) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Key::new(Resource::from_plural(resource)?, namespace, name))
}

/// The file without waiting for the disk.
///
/// What a process has written survives its end in any way; only the machine's own crash can lose it. Waiting for
/// the disk on each change would make every step of every pod milliseconds slower, and protect nothing that outlives
/// such a crash: the containers do not either.
#[derive(Debug)]
struct Backend(FileBackend);

impl Backend {
    fn new(file: File) -> Result<Self, redb::DatabaseError> {
        FileBackend::new(file).map(Self)
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> Result<u64, io::Error> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.0.write(offset, data)?;
        #[cfg(test)]
        tests::fail_when_told()?;
        Ok(())
    }

    fn close(&self) -> Result<(), io::Error> {
        // A stop in good order does wait for the disk.
        self.0.sync_data()?;
        self.0.close()
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};

    use super::*;

    thread_local! {
        /// How many writes of this thread the disk takes until it says of one that it has failed, though it took it.
        static TAKES: std::cell::Cell<Option<u32>> = const { std::cell::Cell::new(None) };
    }

    pub(super) fn fail_when_told() -> io::Result<()> {
        match TAKES.get() {
            None => Ok(()),
            Some(0) => {
                TAKES.set(None);
                Err(io::ErrorKind::StorageFull.into())
            }
            Some(more) => {
                TAKES.set(Some(more - 1));
                Ok(())
            }
        }
    }

    #[test]
    fn a_write_that_is_said_to_have_failed_is_not_there_and_one_that_has_not_is() {
        let key = |name: &str| Key::new(Resource::ConfigMaps, "default", name);
        for takes in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("store.redb");
            let mut disk = Disk::open(&path).unwrap();
            disk.write(&key("a"), Some("{}"), 1).unwrap();
            TAKES.set(Some(takes));
            let written = disk.write(&key("b"), Some("{}"), 2);
            let came_to_it = TAKES.take().is_none();
            drop(disk);
            let (objects, version) = Disk::open(&path).unwrap().load().unwrap();
            let (count, newest) = if written.is_ok() { (2, 2) } else { (1, 1) };
            assert_eq!((objects.len(), version), (count, newest), "{takes}: {written:?}");
            if !came_to_it {
                assert!(takes > 1, "a change is more than one write");
                return;
            }
        }
    }

    /// Runs `test` in a folder on a disk of 8 MB that only this thread sees; not at all where that takes more rights.
    fn on_a_small_disk(test: impl FnOnce(&Path) + Send + 'static) {
        let work = move || {
            let folder = tempfile::tempdir().unwrap();
            let private = unshare(CloneFlags::CLONE_NEWNS).is_ok()
                && mount(
                    None::<&str>,
                    "/",
                    None::<&str>,
                    MsFlags::MS_REC | MsFlags::MS_PRIVATE,
                    None::<&str>,
                )
                .is_ok()
                && mount(
                    Some("tmpfs"),
                    folder.path(),
                    Some("tmpfs"),
                    MsFlags::empty(),
                    Some("size=8m"),
                )
                .is_ok();
            if private {
                test(folder.path());
                nix::mount::umount(folder.path()).unwrap();
            }
        };
        std::thread::spawn(work).join().unwrap();
    }

    #[test]
    fn a_full_disk_refuses_and_takes_again_when_there_is_room() {
        on_a_small_disk(|folder| {
            let path = folder.join("store.redb");
            let mut disk = Disk::open(&path).unwrap();
            let key = |name: &str| Key::new(Resource::ConfigMaps, "default", name);
            disk.write(&key("a"), Some("{}"), 1).unwrap();
            let filler = folder.join("filler");
            // The last byte that the disk has.
            let _ = io::copy(&mut io::repeat(0), &mut File::create(&filler).unwrap());
            let large = format!("\"{}\"", "x".repeat(4 << 20));
            for _ in 0..2 {
                assert!(matches!(
                    disk.write(&key("b"), Some(&large), 2),
                    Err(StoreError::Disk(_))
                ));
            }
            std::fs::remove_file(filler).unwrap();
            disk.write(&key("c"), Some("{}"), 2).unwrap();
            drop(disk);
            let (objects, version) = Disk::open(&path).unwrap().load().unwrap();
            let names: Vec<String> = objects.into_iter().map(|(key, _)| key.name).collect();
            assert_eq!((names, version), (vec!["a".to_owned(), "c".to_owned()], 2));
        });
    }
}
