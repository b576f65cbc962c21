//! What a pause process sees and may do: nothing.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use nix::mount::{MsFlags, mount};

use super::{
    error::{During, LaunchError},
    identity, namespaces,
    pod_users::PodUsers,
    root::{move_into, writable},
};
use crate::{
    image::{Image, Root},
    runtime::{Security, User, linux::protocol::Begin},
};

/// Where the pod's shared memory is, in the pause process's mount namespace.
pub(super) const SHM: &str = "/.shm";

/// Nobody: not root, and no user of any image.
const USER: u32 = 65535;

/// Makes the pod's shared memory and moves the calling process to a root with nothing else in it (the infra image's
/// files, where there is one). What to become: the program and its arguments.
pub(in super::super) fn pause_root(begin: &Begin, users: Option<&PodUsers>) -> Result<Vec<String>, LaunchError> {
    if let Some(users) = users {
        users.own_new_files()?;
    }
    let root = begin.folder.root();
    let quiet = MsFlags::MS_SLAVE | MsFlags::MS_REC;
    mount(None::<&str>, "/", None::<&str>, quiet, None::<&str>).during("separate the mounts")?;
    let program = match &begin.infra {
        None => {
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
            mount(Some("pause"), &root, Some("tmpfs"), flags, Some("mode=755,size=64k"))
                .during("mount the pause's root")?;
            built_in(&root).during("store the pause program")?;
            vec!["/pause".to_owned()]
        }
        Some(image) => {
            image_root(image, begin)?;
            let command = image.config.entrypoint.iter().chain(&image.config.cmd);
            command.cloned().collect()
        }
    };
    let shm = root.join(SHM.trim_start_matches('/'));
    fs::create_dir_all(&shm).during("make the shared memory's place")?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("shm"), &shm, Some("tmpfs"), flags, Some("mode=1777,size=65536k")).during("mount the shared memory")?;
    use_null()?;
    let _ = nix::unistd::setsid();
    move_into(&root).during("pivot_root")?;
    Ok(program)
}

fn image_root(image: &Image, begin: &Begin) -> Result<(), LaunchError> {
    let Root::Layers(layers) = &image.root else {
        return Err(LaunchError(format!(
            "{} has no entrypoint that could hold a sandbox",
            image.reference
        )));
    };
    if image.config.entrypoint.is_empty() && image.config.cmd.is_empty() {
        return Err(LaunchError(format!(
            "{} has neither ENTRYPOINT nor CMD",
            image.reference
        )));
    }
    let (upper, work) = (begin.folder.0.join("upper"), begin.folder.0.join("work"));
    fs::create_dir_all(&upper).during("make the upper layer")?;
    fs::create_dir_all(&work).during("make the work folder")?;
    writable(layers, &upper, &work, &begin.folder.root(), MsFlags::MS_NODEV).during("mount the infra image")
}

fn use_null() -> Result<(), LaunchError> {
    let null = File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .during("open /dev/null")?;
    nix::unistd::dup2_stdin(&null).during("set the streams")?;
    nix::unistd::dup2_stdout(&null).during("set the streams")?;
    nix::unistd::dup2_stderr(&null).during("set the streams")
}

/// Puts the embedded program into the root, which is memory and goes with the process. A file with that name is what the
/// process is then called by, as in every cluster.
fn built_in(root: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o555)
        .open(root.join("pause"))?;
    file.write_all(pause::BINARY)
}

/// An unprivileged user, no capability, no way back.
pub(in super::super) fn give_up_everything() -> Result<(), LaunchError> {
    let none = Security::default();
    let user = User {
        uid: USER,
        gid: USER,
        supplemental_groups: Vec::new(),
    };
    // A user namespace may have no such user. Its root without capabilities is as powerless.
    identity::assume(&user, &none).or_else(|_| identity::assume(&User::default(), &none))?;
    nix::sys::prctl::set_no_new_privs().during("set no_new_privs")?;
    namespaces::die_with_the_shim().during("tie to the shim")
}
