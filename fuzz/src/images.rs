//! An image archive, and a layer of one, as `kubectl pod emulator load` and a pull unpack them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use emulator::image::ImageStore;
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// The most that an image may unpack to here, in bytes.
const MOST: u64 = 4 << 20;

/// What is beside the store, and what an archive would like to replace.
const SECRET: &str = "secret";

/// The names in `/` before anything was unpacked: an absolute link leads there.
static ROOT: LazyLock<BTreeSet<PathBuf>> = LazyLock::new(|| names(Path::new("/")));

/// The bytes are an archive, and the layer of one. Whatever is in it: nothing appears outside the store, no more is
/// written than an image may have, nothing unfinished is left, and what was imported can be imported again.
pub fn check(data: &[u8]) {
    LazyLock::force(&ROOT);
    import(data);
    import(&image_of(data));
}

fn import(archive: &[u8]) {
    let place = folder();
    let outside = place.path().join("outside");
    let own = outside.join("own");
    fs::create_dir_all(&own).expect("folders");
    fs::write(outside.join(SECRET), SECRET).expect("a file");
    let path = place.path().join("archive.tar");
    fs::write(&path, archive).expect("a file");
    let store = ImageStore::open(&own.join("images"), Vec::new())
        .expect("a store")
        .with_most(MOST);
    let imported = store.import(&path);

    assert_eq!(names(Path::new("/")), *ROOT);
    assert_eq!(names(place.path()).len(), 2);
    assert_eq!(names(&outside).len(), 2);
    assert_eq!(names(&own).len(), 1);
    assert_eq!(fs::read_to_string(outside.join(SECRET)).expect("it is there"), SECRET);
    let images = own.join("images");
    let inside = ["layers", "names", "work"].map(|name| images.join(name));
    assert_eq!(names(&images), BTreeSet::from(inside.clone()));
    let [layers, known, work] = inside;
    assert_eq!(names(&work), BTreeSet::new(), "something unfinished is left");
    for layer in names(&layers) {
        let size = size_of(&layer);
        assert!(size <= MOST, "{size} bytes");
    }
    if let Ok(imported) = imported {
        assert!(imported.is_empty() || !names(&known).is_empty());
        assert_eq!(store.import(&path).expect("it could be read before"), imported);
    }
}

/// The archive of an image with one layer, as `docker save` writes it.
fn image_of(layer: &[u8]) -> Vec<u8> {
    let digest: String = Sha256::digest(layer).iter().map(|byte| format!("{byte:02x}")).collect();
    let config = json!({"rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]}});
    let manifest = json!([{"Config": "c.json", "RepoTags": ["localhost/fuzz:1"], "Layers": ["layer.tar"]}]);
    let (config, manifest) = (config.to_string(), manifest.to_string());
    let mut archive = Vec::new();
    for (name, content) in [
        ("manifest.json", manifest.as_bytes()),
        ("c.json", config.as_bytes()),
        ("layer.tar", layer),
    ] {
        archive.extend(header(name, content.len()));
        archive.extend_from_slice(content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// The head of a file in a tar archive.
fn header(name: &str, size: usize) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644\0");
    put(124, &format!("{size:011o} "));
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\0");
    put(263, "00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// A folder that is gone when it is dropped: in memory, where the machine has such.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a folder")
}

fn names(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

/// The bytes of all files in a folder.
fn size_of(folder: &Path) -> u64 {
    let sizes = names(folder).into_iter().map(|path| {
        let metadata = fs::symlink_metadata(&path).expect("it was listed");
        match metadata.file_type() {
            kind if kind.is_dir() => size_of(&path),
            kind if kind.is_file() => metadata.len(),
            _ => 0,
        }
    });
    sizes.sum()
}
