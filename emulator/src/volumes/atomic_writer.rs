//! Files that change all at once (`pkg/volume/util/atomic_writer.go`): each version has a folder of its own, `..data` is a
//! symbolic link to the present one, and the files are links through it. A container sees the old files or the new ones.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Component, Path, PathBuf},
};

/// One file of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Its content.
    pub(super) data: Vec<u8>,
    /// Its mode.
    pub(super) mode: u32,
    /// Its owner, where it is not the kubelet: a token belongs to who runs as that user.
    pub(super) owner: Option<u32>,
}

/// The files of a volume by their path in it.
pub(super) type Payload = BTreeMap<String, File>;

const DATA: &str = "..data";

/// Makes the volume's files what `payload` says; does nothing where they are.
pub(super) fn write(folder: &Path, payload: &Payload, group: Option<i64>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let present = fs::read_link(folder.join(DATA)).ok();
    if present
        .as_ref()
        .is_some_and(|present| same(&folder.join(present), payload))
    {
        return Ok(());
    }
    if let Some(path) = payload.keys().find(|path| !stays_inside(path)) {
        return Err(io::Error::other(format!(
            "invalid path {path:?}: it leads out of the volume"
        )));
    }
    let name = format!("..{}", crate::uid::new());
    let version = folder.join(&name);
    for (path, file) in payload {
        write_file(&version.join(path), file, group)?;
    }
    if payload.is_empty() {
        fs::create_dir(&version)?;
    }
    let new = folder.join("..data_tmp");
    let _ = fs::remove_file(&new); // Left by a crash.
    link(Path::new(&name), &new)?;
    fs::rename(&new, folder.join(DATA))?;
    link_files(folder, payload)?;
    if let Some(present) = present {
        fs::remove_dir_all(folder.join(present))?;
    }
    Ok(())
}

/// A path of plain names; the writer's own start with two dots.
fn stays_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.starts_with("..")
        && Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

fn write_file(path: &Path, file: &File, group: Option<i64>) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, &file.data)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt, chown};
        let group = group.and_then(|group| u32::try_from(group).ok());
        // With an fsGroup, the group may read what the owner may.
        let mode = if group.is_some() {
            file.mode | (file.mode & 0o700) >> 3
        } else {
            file.mode
        };
        if group.is_some() || file.owner.is_some() {
            chown(path, file.owner, group)?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Links for new names, none for those that have gone.
fn link_files(folder: &Path, payload: &Payload) -> io::Result<()> {
    let tops: Vec<&str> = payload
        .keys()
        .filter_map(|path| path.trim_start_matches("./").split('/').next())
        .collect();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("..") && !tops.contains(&name.as_str()) {
            fs::remove_file(entry.path())?;
        }
    }
    for top in tops {
        let path = folder.join(top);
        if fs::symlink_metadata(&path).is_err() {
            link(&Path::new(DATA).join(top), &path)?;
        }
    }
    Ok(())
}

fn same(version: &Path, payload: &Payload) -> bool {
    let mut files = Vec::new();
    collect(version, version, &mut files);
    files.len() == payload.len()
        && payload
            .iter()
            .all(|(path, file)| fs::read(version.join(path)).is_ok_and(|data| data == file.data))
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            files.push(path);
        }
    }
}

#[cfg(unix)]
fn link(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(files: &[(&str, &str)]) -> Payload {
        let file = |data: &str| File {
            data: data.as_bytes().to_vec(),
            mode: 0o644,
            owner: None,
        };
        files
            .iter()
            .map(|(path, data)| ((*path).to_owned(), file(data)))
            .collect()
    }

    #[test]
    fn files_change_all_at_once_and_go_when_they_are_no_longer_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("volume");
        let read = |name: &str| fs::read_to_string(path.join(name)).ok();
        write(&path, &payload(&[("a", "1"), ("dir/b", "2")]), None).unwrap();
        assert_eq!((read("a").as_deref(), read("dir/b").as_deref()), (Some("1"), Some("2")));
        let before = fs::read_link(path.join(DATA)).unwrap();
        write(&path, &payload(&[("a", "1"), ("dir/b", "2")]), None).unwrap();
        assert_eq!(fs::read_link(path.join(DATA)).unwrap(), before);
        write(&path, &payload(&[("a", "new"), ("c", "3")]), None).unwrap();
        assert_eq!(
            (read("a").as_deref(), read("c").as_deref(), read("dir/b")),
            (Some("new"), Some("3"), None)
        );
        assert!(!path.join(before).exists());
        write(&path, &payload(&[]), None).unwrap();
        assert_eq!(read("a"), None);
    }

    #[test]
    fn a_path_out_of_the_volume_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for bad in ["../a", "/etc/passwd", "a/../../b", "..data"] {
            assert!(write(folder.path(), &payload(&[(bad, "x")]), None).is_err(), "{bad}");
        }
    }
}
