//! How much of the disk a folder takes.

use std::{collections::HashSet, fs, path::PathBuf};

/// The bytes that the files below a folder take, each file once. What can't be read counts nothing.
pub(crate) async fn of(folder: PathBuf) -> u64 {
    tokio::task::spawn_blocking(move || count(folder)).await.unwrap_or(0)
}

#[cfg(unix)]
fn count(folder: PathBuf) -> u64 {
    use std::os::unix::fs::MetadataExt;

    /// What `st_blocks` counts in.
    const BLOCK: u64 = 512;
    let mut seen = HashSet::new();
    let mut folders = vec![folder];
    let mut bytes: u64 = 0;
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.nlink() > 1 && !metadata.is_dir() && !seen.insert((metadata.dev(), metadata.ino())) {
                continue;
            }
            bytes = bytes.saturating_add(metadata.blocks().saturating_mul(BLOCK));
            if metadata.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    bytes
}

#[cfg(not(unix))]
fn count(_: PathBuf) -> u64 {
    0
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_counts_once_and_what_a_link_points_to_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("below")).unwrap();
        fs::write(at("below/file"), vec![1; 100_000]).unwrap();
        fs::hard_link(at("below/file"), at("again")).unwrap();
        std::os::unix::fs::symlink("/usr", at("link")).unwrap();
        let bytes = of(folder.path().to_owned()).await;
        assert!((100_000..150_000).contains(&bytes), "{bytes}");
        assert_eq!(of(at("missing")).await, 0);
    }
}
