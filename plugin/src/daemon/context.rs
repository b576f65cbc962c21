//! Switching the user's kubeconfig to the emulator, and back.

use std::{
    env,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use emulator::emulator::Connection;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kubeconfig;

/// What `stop` needs in order to undo one `start`; one a kubeconfig is kept in the emulator's data folder.
#[derive(Clone, Serialize, Deserialize)]
struct Switched {
    kubeconfig: PathBuf,
    server: String,
    previous: Option<String>,
    created: bool,
}

/// Why the kubeconfig was left as it is.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {path}: {why}", path = .path.display())]
pub struct ContextError {
    verb: &'static str,
    path: PathBuf,
    why: String,
}

/// The kubeconfig that kubectl would write to: the flag, else the first file of `KUBECONFIG` that exists
/// (the last one where none does), else `~/.kube/config`.
pub fn path(flag: Option<&Path>) -> PathBuf {
    if let Some(path) = flag {
        return path.to_owned();
    }
    let listed: Vec<PathBuf> = env::var_os("KUBECONFIG")
        .map(|list| {
            env::split_paths(&list)
                .filter(|path| !path.as_os_str().is_empty())
                .collect()
        })
        .unwrap_or_default();
    let existing = listed.iter().find(|path| path.exists()).or(listed.last());
    existing
        .cloned()
        .unwrap_or_else(|| env::home_dir().unwrap_or_default().join(".kube").join("config"))
}

/// Writes the emulator's context into `path` and makes it the current one.
///
/// # Errors
/// Where the file is no kubeconfig, or can't be read or written; it is then unchanged.
pub fn switch(data_dir: &Path, path: &Path, connection: &Connection) -> Result<(), ContextError> {
    let failed = |verb, why: String| ContextError {
        verb,
        path: path.to_owned(),
        why,
    };
    let (mut config, created) = match read(path) {
        Ok(config) => (config, false),
        Err(Unread::Missing) => (Value::Null, true),
        Err(Unread::Bad(why)) => return Err(failed("read the kubeconfig", why)),
    };
    let found = kubeconfig::add(&mut config, connection).map_err(|why| failed("read the kubeconfig", why))?;
    // By another shell's working directory the path would be another.
    let kubeconfig = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut all = remembered(data_dir);
    let known = all.iter().position(|before| before.kubeconfig == kubeconfig);
    let known = known.map(|index| all.remove(index));
    // A start after a crash finds its own context: the one before it is the one remembered then.
    let (previous, created) = match known {
        Some(before) if found.as_deref() == Some(kubeconfig::NAME) => (before.previous, before.created),
        _ => (found.filter(|name| name != kubeconfig::NAME), created),
    };
    all.push(Switched {
        kubeconfig,
        server: connection.server.clone(),
        previous,
        created,
    });
    remember(data_dir, &all)?;
    write(path, &config).map_err(|why| failed("write the kubeconfig", why))
}

/// Whether `path` has the emulator's context, and it is of the emulator at `server`.
pub fn leads_to(path: &Path, server: &str) -> bool {
    read(path).is_ok_and(|config| kubeconfig::leads_to(&config, server))
}

/// Takes the context out of every kubeconfig that it was written into, and restores the one before.
///
/// # Errors
/// The first file that can't be read or written; it is then unchanged.
pub fn restore(data_dir: &Path) -> Result<(), ContextError> {
    let all = remembered(data_dir);
    let (left, errors): (Vec<Switched>, Vec<ContextError>) = all
        .into_iter()
        .filter_map(|switched| Some((switched.clone(), take_back(&switched).err()?)))
        .unzip();
    match errors.into_iter().next() {
        None => {
            let _ = fs::remove_file(memory(data_dir)); // Left behind, it only makes the next `stop` look once more.
            Ok(())
        }
        Some(error) => {
            remember(data_dir, &left)?;
            Err(error)
        }
    }
}

fn take_back(switched: &Switched) -> Result<(), ContextError> {
    let path = &switched.kubeconfig;
    let failed = |verb, why: String| ContextError {
        verb,
        path: path.clone(),
        why,
    };
    match read(path) {
        Err(Unread::Missing) => {}
        Err(Unread::Bad(why)) => return Err(failed("read the kubeconfig", why)),
        Ok(mut config) => {
            if kubeconfig::remove(&mut config, &switched.server, switched.previous.as_deref()) {
                if switched.created && kubeconfig::is_empty(&config) {
                    fs::remove_file(path).map_err(|error| failed("remove the kubeconfig", error.to_string()))?;
                } else {
                    write(path, &config).map_err(|why| failed("write the kubeconfig", why))?;
                }
            }
        }
    }
    Ok(())
}

fn memory(data_dir: &Path) -> PathBuf {
    data_dir.join("context.json")
}

fn remembered(data_dir: &Path) -> Vec<Switched> {
    let text = fs::read(memory(data_dir)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn remember(data_dir: &Path, all: &[Switched]) -> Result<(), ContextError> {
    let path = memory(data_dir);
    let written = serde_json::to_vec(all)
        .map_err(io::Error::from)
        .and_then(|text| replace(&path, &text));
    written.map_err(|error| ContextError {
        verb: "remember the context before in",
        path,
        why: error.to_string(),
    })
}

enum Unread {
    Missing,
    Bad(String),
}

fn read(path: &Path) -> Result<Value, Unread> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unread::Missing),
        Err(error) => return Err(Unread::Bad(error.to_string())),
    };
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str(&text).map_err(|error| {
        // The error's own text quotes lines of the file, and the file holds credentials.
        let place = error
            .location()
            .map(|at| format!(" at line {}, column {}", at.line(), at.column()));
        Unread::Bad(format!("it is not valid YAML{}", place.unwrap_or_default()))
    })
}

fn write(path: &Path, config: &Value) -> Result<(), String> {
    let text = serde_saphyr::to_string(config).map_err(|error| error.to_string())?;
    replace(path, text.as_bytes()).map_err(|error| error.to_string())
}

/// Writes the whole file or leaves it as it was; readable by its owner alone unless it was otherwise before.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut name = path.file_name().unwrap_or(OsStr::new("config")).to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let written = private_file(&new).and_then(|mut file| {
        io::Write::write_all(&mut file, content)?;
        if let Ok(before) = fs::metadata(&path) {
            file.set_permissions(before.permissions())?;
        }
        fs::rename(&new, &path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&new); // The write's own error is the one to tell.
    }
    written
}

fn private_file(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        Connection {
            server: "https://127.0.0.1:7443".to_owned(),
            certificate_authority: "ca".to_owned(),
            client_certificate: "cert".to_owned(),
            client_key: "key".to_owned(),
        }
    }

    #[test]
    fn a_kubeconfig_that_was_not_there_is_gone_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kube/config");
        switch(folder.path(), &path, &connection()).unwrap();
        switch(folder.path(), &path, &connection()).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("pod-emulator"));
        restore(folder.path()).unwrap();
        assert!(!path.exists());
        restore(folder.path()).unwrap();
    }

    #[test]
    fn the_context_before_is_restored_even_after_a_second_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(
            &path,
            "apiVersion: v1\nkind: Config\ncontexts:\n- name: work\n  context: {cluster: work, user: \"007\"}\ncurrent-context: work\n",
        )
        .unwrap();
        switch(folder.path(), &path, &connection()).unwrap();
        switch(folder.path(), &path, &connection()).unwrap();
        restore(folder.path()).unwrap();
        let Ok(config) = read(&path) else { panic!("unreadable") };
        assert_eq!(config["current-context"], "work");
        assert_eq!(config["contexts"][0]["context"]["user"], "007");
    }

    #[test]
    fn every_kubeconfig_that_was_switched_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["one", "two"].map(|name| folder.path().join(name));
        for path in &paths {
            switch(folder.path(), path, &connection()).unwrap();
            assert!(leads_to(path, "https://127.0.0.1:7443") && !leads_to(path, "https://127.0.0.1:1"));
        }
        restore(folder.path()).unwrap();
        assert!(paths.iter().all(|path| !path.exists()));
    }

    #[test]
    fn a_broken_kubeconfig_stays_as_it_is_and_is_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, "token: [secret").unwrap();
        let error = switch(folder.path(), &path, &connection()).unwrap_err().to_string();
        assert!(error.contains("not valid YAML") && !error.contains("secret"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "token: [secret");
    }
}
