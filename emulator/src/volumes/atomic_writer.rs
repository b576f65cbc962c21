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
const NEW_DATA: &str = "..data_tmp";

/// Makes the volume's files what `payload` says; does nothing where they are. `mode` is that of its folder.
///
/// It can be cut short anywhere: the next call finishes what is missing and removes what is left over.
pub(super) fn write(folder: &Path, payload: &Payload, mode: u32, group: Option<i64>) -> io::Result<()> {
    if let Some(path) = payload.keys().find(|path| !stays_inside(path)) {
        return Err(io::Error::other(format!(
            "invalid path {path:?}: it leads out of the volume"
        )));
    }
    fs::create_dir_all(folder)?;
    allow(folder, mode, None, group)?;
    let present = fs::read_link(folder.join(DATA)).ok();
    let is_new = !present
        .as_ref()
        .is_some_and(|present| same(&folder.join(present), payload));
    let version = match present.filter(|_| !is_new) {
        Some(present) => present,
        None => make_version(folder, payload, group)?,
    };
    link_files(folder, payload)?;
    remove_others(folder, &version)
}

/// Writes a version of its own and makes it the present one; returns its name.
fn make_version(folder: &Path, payload: &Payload, group: Option<i64>) -> io::Result<PathBuf> {
    let now = jiff::Timestamp::now();
    let fraction = now.subsec_nanosecond();
    let name = PathBuf::from(format!("{}.{fraction:09}", now.strftime("..%Y_%m_%d_%H_%M_%S")));
    let version = folder.join(&name);
    let written = make_folder(&version, group).and_then(|()| {
        payload
            .iter()
            .try_for_each(|(path, file)| write_file(&version, path, file, group))
    });
    if written.is_err() {
        // Half of a version is not to take the room that the next attempt needs.
        drop(fs::remove_dir_all(&version));
        written?;
    }
    let new = folder.join(NEW_DATA);
    drop(fs::remove_file(&new)); // Left by a crash.
    link(&name, &new)?;
    fs::rename(&new, folder.join(DATA))?;
    Ok(name)
}

/// Removes the version before this one, and those that a crash left unfinished.
fn remove_others(folder: &Path, version: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_version = entry.file_name().to_string_lossy().starts_with("..") && entry.file_type()?.is_dir();
        if is_version && entry.file_name() != version.as_os_str() {
            fs::remove_dir_all(entry.path())?;
        }
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

fn write_file(version: &Path, path: &str, file: &File, group: Option<i64>) -> io::Result<()> {
    let mut folder = version.to_owned();
    for part in Path::new(path).parent().unwrap_or(Path::new("")).components() {
        folder.push(part);
        make_folder(&folder, group)?;
    }
    let path = version.join(path);
    fs::write(&path, &file.data)?;
    // With an fsGroup, the group may read (`volume_linux.go`, read-only volumes).
    let mode = if group.is_some() { file.mode | 0o440 } else { file.mode };
    allow(&path, mode, file.owner, group)
}

fn make_folder(path: &Path, group: Option<i64>) -> io::Result<()> {
    fs::create_dir_all(path)?;
    allow(path, 0o755, None, group)
}

/// Sets mode and owner, whatever the umask; what is made in a folder of the group belongs to the group too.
#[cfg(unix)]
fn allow(path: &Path, mode: u32, owner: Option<u32>, group: Option<i64>) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let group = group.and_then(|group| u32::try_from(group).ok());
    if group.is_some() || owner.is_some() {
        super::owner::give(path, owner, group)?;
    }
    let set_group_id = if group.is_some() && path.is_dir() { 0o2000 } else { 0 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode | set_group_id))
}

#[cfg(not(unix))]
fn allow(_: &Path, _: u32, _: Option<u32>, _: Option<i64>) -> io::Result<()> {
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
        // A folder is a place for another volume.
        let is_link = entry.file_type()?.is_symlink();
        if is_link && !name.starts_with("..") && !tops.contains(&name.as_str()) {
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
    collect(version, &mut files);
    files.len() == payload.len()
        && payload
            .iter()
            .all(|(path, file)| fs::read(version.join(path)).is_ok_and(|data| data == file.data))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
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
        write(&path, &payload(&[("a", "1"), ("dir/b", "2")]), 0o777, None).unwrap();
        assert_eq!((read("a").as_deref(), read("dir/b").as_deref()), (Some("1"), Some("2")));
        let before = fs::read_link(path.join(DATA)).unwrap();
        write(&path, &payload(&[("a", "1"), ("dir/b", "2")]), 0o777, None).unwrap();
        assert_eq!(fs::read_link(path.join(DATA)).unwrap(), before);
        write(&path, &payload(&[("a", "new"), ("c", "3")]), 0o777, None).unwrap();
        assert_eq!(
            (read("a").as_deref(), read("c").as_deref(), read("dir/b")),
            (Some("new"), Some("3"), None)
        );
        assert!(!path.join(before).exists());
        write(&path, &payload(&[]), 0o777, None).unwrap();
        assert_eq!(read("a"), None);
    }

    #[test]
    fn what_a_crash_left_is_finished_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("volume");
        let files = payload(&[("a", "1"), ("dir/b", "2")]);
        write(&path, &files, 0o777, None).unwrap();
        // Cut short after the version became the present one, and another before it did.
        fs::remove_file(path.join("a")).unwrap();
        fs::create_dir_all(path.join("..half/dir")).unwrap();
        link(Path::new("..half"), &path.join(NEW_DATA)).unwrap();
        write(&path, &files, 0o777, None).unwrap();
        assert_eq!(fs::read_to_string(path.join("a")).unwrap(), "1");
        assert!(!path.join("..half").exists());
        write(&path, &payload(&[("a", "3")]), 0o777, None).unwrap();
        assert!(fs::symlink_metadata(path.join(NEW_DATA)).is_err());
        let names = fs::read_dir(&path).unwrap().count();
        assert_eq!(names, 3, "the link, its target and the file");
    }

    #[cfg(unix)]
    #[test]
    fn a_group_may_read_and_owns_what_is_made_later() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("volume");
        let group = fs::metadata(folder.path()).unwrap().gid();
        let mut files = payload(&[("a", "1")]);
        files.get_mut("a").unwrap().mode = 0o600;
        write(&path, &files, 0o777, Some(i64::from(group))).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&path.join("a")), 0o640);
        assert_eq!((mode(&path), mode(&path.join(DATA))), (0o2777, 0o2755));
    }

    #[test]
    fn a_path_out_of_the_volume_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for bad in ["../a", "/etc/passwd", "a/../../b", "..data"] {
            assert!(
                write(folder.path(), &payload(&[(bad, "x")]), 0o777, None).is_err(),
                "{bad}"
            );
        }
    }
}
