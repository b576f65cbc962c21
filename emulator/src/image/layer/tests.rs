//! Layers of every kind, and hostile ones.

use super::*;
use std::fs;

fn archive(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (kind, name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(if *kind == EntryType::Directory { 0o755 } else { 0o644 });
        let owner = nix::unistd::geteuid().as_raw();
        header.set_uid(owner.into());
        header.set_gid(nix::unistd::getegid().as_raw().into());
        // Written past the checks of the builder, as an attacker would.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.set_link_name_literal(content).unwrap();
            header.set_size(0);
            header.set_cksum();
            builder.append(&header, io::empty()).unwrap();
        } else {
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

use EntryType::{Directory, Link, Regular, Symlink};

#[test]
fn files_folders_and_links_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = archive(&[
        (Directory, "bin", ""),
        (Regular, "bin/tool", "x"),
        (Symlink, "sbin", "/bin"),
        (Regular, "sbin/other", "y"),
        (Link, "bin/same", "bin/tool"),
        (Regular, "bin/tool", "new"),
    ]);
    unpack(&bytes[..], folder.path(), &mut Budget::default()).unwrap();
    let read = |path: &str| fs::read_to_string(folder.path().join(path)).unwrap();
    assert_eq!(read("bin/tool"), "new");
    assert_eq!(read("bin/same"), "x");
    assert_eq!(read("bin/other"), "y");
}

#[test]
fn nothing_leaves_the_folder() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "old").unwrap();
    let target = outside.path().join("layer");
    let out = outside.path().to_str().unwrap();
    let absolute = format!("{out}/secret");
    for entries in [
        vec![(Regular, "../secret", "new")],
        vec![(Symlink, "out", out), (Regular, "out/secret", "new")],
        vec![(Symlink, "up", ".."), (Regular, "up/secret", "new")],
        vec![(Symlink, "secret", absolute.as_str()), (Regular, "secret", "new")],
        vec![(Link, "mine", "../secret")],
        vec![(Symlink, "out", out), (Link, "mine", "out/secret")],
        vec![(Symlink, "out", out), (Regular, "out/.wh.secret", "")],
        vec![(Regular, absolute.as_str(), "new")],
        vec![(Regular, ".wh...", "")],
        vec![
            (Directory, "a", ""),
            (Regular, "a/.wh..", ""),
            (Regular, "a/.wh...", ""),
        ],
        vec![(Symlink, "up", ".."), (Regular, "up/.wh..wh..opq", "")],
        vec![
            (Symlink, "up", ".."),
            (Directory, "up", ""),
            (Regular, "up/secret", "new"),
        ],
    ] {
        fs::create_dir(&target).unwrap();
        let outcome = unpack(&archive(&entries)[..], &target, &mut Budget::default());
        assert_eq!(
            fs::read_to_string(outside.path().join("secret")).unwrap(),
            "old",
            "{entries:?} {outcome:?}"
        );
        let mine = target.join("mine");
        assert!(
            fs::read_to_string(mine).map_or(true, |text| text != "old"),
            "{entries:?}"
        );
        fs::remove_dir_all(&target).unwrap();
    }
}

#[test]
fn folders_get_their_modes_though_files_are_made_in_them_later() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    for (name, mode) in [("./", 0o711), ("closed/", 0o555), ("tmp/", 0o1777)] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(Directory);
        header.set_mode(mode);
        header.set_uid(nix::unistd::geteuid().as_raw().into());
        header.set_gid(nix::unistd::getegid().as_raw().into());
        header.set_size(0);
        builder.append_data(&mut header, name, io::empty()).unwrap();
    }
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    header.set_mode(0o4755);
    header.set_uid(nix::unistd::geteuid().as_raw().into());
    header.set_gid(nix::unistd::getegid().as_raw().into());
    builder.append_data(&mut header, "closed/deep/su", io::empty()).unwrap();
    unpack(
        &builder.into_inner().unwrap()[..],
        folder.path(),
        &mut Budget::default(),
    )
    .unwrap();
    let mode = |path: &str| fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("."), mode("closed"), mode("tmp")), (0o711, 0o555, 0o1777));
    assert_eq!((mode("closed/deep"), mode("closed/deep/su")), (0o755, 0o4755));
}

#[test]
fn a_sparse_file_cannot_be_larger_than_a_layer() {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(EntryType::GNUSparse);
    header.set_path("bomb").unwrap();
    header.set_mode(0o644);
    header.set_size(0);
    // 4 EiB, as tar writes large numbers.
    let size = [0x80, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0];
    let gnu = header.as_gnu_mut().unwrap();
    gnu.realsize = size;
    gnu.sparse[0].offset = size;
    gnu.sparse[0].numbytes = *b"00000000000\0";
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, io::empty()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let refused = unpack(
        &builder.into_inner().unwrap()[..],
        folder.path(),
        &mut Budget::default(),
    )
    .unwrap_err();
    assert!(refused.to_string().contains("more than an image may have"), "{refused}");
}

#[test]
fn a_file_counts_with_those_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = archive(&[(Regular, "a", "123456"), (Regular, "b", "123456")]);
    unpack(&bytes[..], folder.path(), &mut Budget::of(12)).unwrap();
    let refused = unpack(&bytes[..], folder.path(), &mut Budget::of(11)).unwrap_err();
    assert!(refused.to_string().contains("more than an image may have"), "{refused}");
}

#[test]
fn what_is_zero_all_over_takes_no_place() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let zeros = "\0".repeat(1 << 20);
    unpack(
        &archive(&[(Regular, "a", &zeros), (Regular, "b", "x\0")])[..],
        folder.path(),
        &mut Budget::default(),
    )
    .unwrap();
    let metadata = fs::metadata(folder.path().join("a")).unwrap();
    assert_eq!((metadata.len(), metadata.blocks()), (1 << 20, 0));
    assert_eq!(fs::read(folder.path().join("b")).unwrap(), b"x\0");
}

#[test]
fn a_name_without_end_is_not_read_into_memory() {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(1 << 40);
    header.set_cksum();
    let stream = header.as_bytes().chain(io::repeat(b'x'));
    let folder = tempfile::tempdir().unwrap();
    let refused = unpack(stream, folder.path(), &mut Budget::default()).unwrap_err();
    assert!(refused.to_string().contains("too long"), "{refused}");
}

#[test]
fn content_that_nobody_wants_is_no_header() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(2 << 20);
    let bytes = archive(&[(Directory, "d", &long), (Regular, "d/f", "y")]);
    unpack(&bytes[..], folder.path(), &mut Budget::default()).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("d/f")).unwrap(), "y");
}

#[test]
fn a_whiteout_hides_a_file_of_a_lower_layer() {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let folder = tempfile::tempdir().unwrap();
    unpack(
        &archive(&[(Directory, "etc", ""), (Regular, "etc/.wh.passwd", "")])[..],
        folder.path(),
        &mut Budget::default(),
    )
    .unwrap();
    let metadata = fs::symlink_metadata(folder.path().join("etc/passwd")).unwrap();
    assert!(metadata.file_type().is_char_device());
    assert_eq!(metadata.rdev(), 0);
}
