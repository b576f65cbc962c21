//! The program that a container runs: found, and become.

use std::{
    convert::Infallible,
    ffi::CString,
    fs,
    io::{self, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, AtFlags},
    unistd::{AccessFlags, faccessat},
};

use super::error::{LaunchError, words};

/// The search path of a container whose environment has none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Checks that the working directory could be entered and lies in the container: a link to `/proc/self/fd` would lead to
/// what this process has open.
pub(super) fn check_directory(path: &Path, entered: io::Result<()>) -> Result<(), LaunchError> {
    entered.map_err(|error| {
        let why = words(&error);
        LaunchError(format!("chdir to cwd ({path:?}) set in config.json failed: {why}"))
    })?;
    match std::env::current_dir() {
        Ok(directory) if directory.is_absolute() => Ok(()),
        _ => Err(LaunchError(
            "current working directory is outside of container mount namespace root -- possible container breakout \
             detected"
                .into(),
        )),
    }
}

/// The most of a container's list of users that is read.
const MOST_USERS: u64 = 1 << 20;

/// The container's own list of users: of any length, and maybe a pipe that nobody ever writes to.
fn users() -> String {
    let mut text = String::new();
    let opened = fs::File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/etc/passwd");
    // What can't be read names nobody.
    let _ = opened.and_then(|file| file.take(MOST_USERS).read_to_string(&mut text));
    text
}

/// The environment with the `HOME` that /etc/passwd has, where it has none of its own.
pub(super) fn environment(given: &[(String, String)], uid: u32) -> Vec<(String, String)> {
    let mut all = given.to_vec();
    let lacks = |all: &[(String, String)], name: &str| all.iter().all(|(known, _)| known != name);
    if lacks(&all, "PATH") {
        all.push(("PATH".into(), DEFAULT_PATH.into()));
    }
    if lacks(&all, "HOME") {
        all.push(("HOME".into(), home(&users(), uid).unwrap_or("/").to_owned()));
    }
    all
}

fn home(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let found = fields.get(2)?.parse() == Ok(uid) && !fields.get(5)?.is_empty();
        found.then(|| fields[5])
    })
}

/// The file that a command names: by its path, or searched for in `PATH` (Go's `exec.LookPath`, which runc calls before
/// it reports that the container has started).
///
/// # Errors
/// In the words that users of container runtimes know.
pub(super) fn find(name: &str, env: &[(String, String)]) -> Result<PathBuf, LaunchError> {
    let path = env
        .iter()
        .find(|(key, _)| key == "PATH")
        .map_or(DEFAULT_PATH, |(_, value)| value);
    find_in(name, path).map_err(|why| LaunchError(format!("exec: {name:?}: {why}")))
}

fn find_in(name: &str, path: &str) -> Result<PathBuf, String> {
    if name.contains('/') {
        return check_program(Path::new(name)).map(|()| name.into());
    }
    let folders = path
        .split(':')
        .map(|folder| if folder.is_empty() { "." } else { folder });
    // "." and ".." are folders in each of them, and so is the empty name.
    let found = folders
        .map(|folder| Path::new(folder).join(name))
        .find(|candidate| check_program(candidate).is_ok());
    match found {
        Some(program) if program.is_absolute() => Ok(program),
        Some(_) => Err("cannot run executable found relative to current directory".into()),
        None => Err("executable file not found in $PATH".into()),
    }
}

/// Checks that this process may execute a file.
fn check_program(path: &Path) -> Result<(), String> {
    let data = fs::metadata(path).map_err(|error| format!("stat {}: {}", path.display(), words(&error)))?;
    let refused = |error: Errno| words(&error.into());
    if data.is_dir() {
        return Err(refused(Errno::EISDIR));
    }
    match faccessat(AT_FDCWD, path, AccessFlags::X_OK, AtFlags::AT_EACCESS) {
        // A system call filter can refuse the question.
        Err(Errno::ENOSYS | Errno::EPERM) if data.permissions().mode() & 0o111 != 0 => Ok(()),
        Err(Errno::ENOSYS | Errno::EPERM) => Err(refused(Errno::EACCES)),
        answer => answer.map_err(refused),
    }
}

/// Becomes the program. Everything above the three streams is closed on the way.
///
/// What the kernel refuses to execute, as a program for another architecture or a script whose interpreter is missing,
/// is a container that has started: it says so on its own standard error and ends with 255, as with runc, which learns of
/// it when there is nobody left to report it to (`libcontainer/standard_init_linux.go`).
pub(super) fn replace(path: &Path, command: &[String], env: &[(String, String)]) -> Result<Infallible, LaunchError> {
    let text = |text: String| {
        CString::new(text).map_err(|_| LaunchError(format!("exec: {:?}: a zero byte in an argument", command[0])))
    };
    let program = text(path.to_string_lossy().into_owned())?;
    let arguments = command
        .iter()
        .map(|word| text(word.clone()))
        .collect::<Result<Vec<_>, _>>()?;
    let env = env
        .iter()
        .map(|(name, value)| text(format!("{name}={value}")))
        .collect::<Result<Vec<_>, _>>()?;
    // SAFETY: marking descriptors to be closed on exec changes nothing for the code that still runs here.
    unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    let Err(error) = nix::unistd::execve(&program, &arguments, &env);
    let message = format!("exec {}: {}\n", path.display(), words(&error.into()));
    let _ = nix::unistd::write(std::io::stderr(), message.as_bytes());
    // SAFETY: the child ends here; it shares no state with the shim whose copy it is.
    unsafe { libc::_exit(i32::from(u8::MAX)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_reported_as_other_runtimes_do() {
        assert_eq!(
            find("/no/such/file", &[]).expect_err("missing").0,
            "exec: \"/no/such/file\": stat /no/such/file: no such file or directory"
        );
        assert_eq!(
            find("no-such-program", &[]).expect_err("missing").0,
            "exec: \"no-such-program\": executable file not found in $PATH"
        );
        assert_eq!(
            find("/etc/passwd", &[]).expect_err("no program").0,
            "exec: \"/etc/passwd\": permission denied"
        );
        assert_eq!(
            find("/etc", &[]).expect_err("a folder").0,
            "exec: \"/etc\": is a directory"
        );
        assert_eq!(
            find("/etc/passwd/x", &[]).expect_err("below a file").0,
            "exec: \"/etc/passwd/x\": stat /etc/passwd/x: not a directory"
        );
        // What is found in the path and is no program is passed over.
        for name in ["passwd", "", ".", ".."] {
            let env = [("PATH".to_owned(), "/etc:/nowhere".to_owned())];
            assert_eq!(
                find(name, &env).expect_err("no program").0,
                format!("exec: {name:?}: executable file not found in $PATH")
            );
        }
    }

    #[test]
    fn program_in_relative_path_folder_is_refused() {
        // From any folder, the root of the filesystem is that many above.
        let bin = format!("{}bin", "../".repeat(100));
        let env = [("PATH".to_owned(), format!("/nowhere:{bin}:/bin"))];
        assert_eq!(
            find("sh", &env).expect_err("relative").0,
            "exec: \"sh\": cannot run executable found relative to current directory"
        );
    }

    #[test]
    fn a_program_is_searched_in_the_containers_own_path() {
        let env = [("PATH".to_owned(), "/nowhere:/bin".to_owned())];
        assert_eq!(find("sh", &env).expect("a shell"), Path::new("/bin/sh"));
    }

    #[test]
    fn a_missing_home_comes_from_the_list_of_users() {
        let users = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/srv:\nbare:x:5:5:::\n";
        assert_eq!(
            (home(users, 33), home(users, 5), home(users, 1)),
            (Some("/srv"), None, None)
        );
    }
}
