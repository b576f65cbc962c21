//! The node's directory of static pods.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::{
    api::admission::{self, Document, FieldValidation},
    store::Resource,
};

/// How often the directory is read where nothing says that it has changed.
const POLL: Duration = Duration::from_secs(20);

/// A file that is no static pod.
#[derive(Debug, thiserror::Error)]
pub enum BadFile {
    /// It can't be read.
    #[error("{0}: {1}")]
    Unreadable(PathBuf, io::Error),
    /// It is no YAML or JSON.
    #[error("{0}: {1}")]
    Syntax(PathBuf, String),
    /// It is something else than one Pod.
    #[error("{0}: {1}")]
    NotAPod(PathBuf, String),
    /// It needs objects of the API, which a static pod can't have.
    #[error("{0}: a static pod can't refer to {1}")]
    Refers(PathBuf, &'static str),
}

/// Reads the directory as it is: the pods, by file name, and what is wrong with other files.
///
/// # Errors
/// When the directory itself can't be read.
pub fn read(directory: &Path, node: &str) -> io::Result<(Vec<Value>, Vec<BadFile>)> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| !name.to_string_lossy().starts_with('.'))
        })
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    let (mut pods, mut bad) = (Vec::new(), Vec::new());
    for file in files {
        match pod(&file, node) {
            Ok(pod) => pods.push(pod),
            Err(fault) => bad.push(fault),
        }
    }
    Ok((pods, bad))
}

fn pod(file: &Path, node: &str) -> Result<Value, BadFile> {
    let text = fs::read(file).map_err(|error| BadFile::Unreadable(file.to_owned(), error))?;
    let document = Document::from_yaml(&text).map_err(|error| BadFile::Syntax(file.to_owned(), error))?;
    let not_a_pod = |what: String| BadFile::NotAPod(file.to_owned(), what);
    let mut pod = document.value.clone();
    match pod["kind"].as_str() {
        Some("Pod") if pod["apiVersion"] == "v1" => {}
        kind => {
            return Err(not_a_pod(format!(
                "expected a v1 Pod, found {}",
                kind.unwrap_or("no kind")
            )));
        }
    }
    let Some(name) = pod["metadata"]["name"].as_str().map(str::to_owned) else {
        return Err(not_a_pod("metadata.name: Required value".into()));
    };
    // Without an API server in between, the kubelet itself reads and completes what it finds.
    pod = admission::decode_document(Resource::Pods, document, FieldValidation::Ignore)
        .map_err(not_a_pod)?
        .object;
    if let Some(what) = refers(&pod["spec"]) {
        return Err(BadFile::Refers(file.to_owned(), what));
    }
    let mut hash = Sha256::new();
    hash.update(pod.to_string());
    hash.update(node);
    hash.update(file.to_string_lossy().as_bytes());
    let hash: String = hash
        .finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let meta = &mut pod["metadata"];
    meta["name"] = json!(format!("{name}-{}", node.to_lowercase()));
    if !meta["namespace"].is_string() {
        meta["namespace"] = json!("default");
    }
    meta["uid"] = json!(hash);
    meta["annotations"]["kubernetes.io/config.source"] = json!("file");
    meta["annotations"]["kubernetes.io/config.hash"] = json!(hash);
    pod["spec"]["nodeName"] = json!(node);
    // A static pod stays whatever the node's taints become.
    let mut tolerations = pod["spec"]["tolerations"].as_array().cloned().unwrap_or_default();
    tolerations.push(json!({"effect": "NoExecute", "operator": "Exists"}));
    pod["spec"]["tolerations"] = json!(tolerations);
    if let Some(status) = pod.as_object_mut() {
        status.shift_remove("status");
    }
    admission::apply_defaults(Resource::Pods, &mut pod);
    admission::validate_static_pod(&pod).map_err(|error| not_a_pod(error.to_string()))?;
    Ok(pod)
}

/// What in the spec needs objects of the API.
fn refers(spec: &Value) -> Option<&'static str> {
    let volumes = spec["volumes"].as_array().into_iter().flatten();
    for volume in volumes {
        for (field, what) in [
            ("secret", "Secrets"),
            ("configMap", "ConfigMaps"),
            ("persistentVolumeClaim", "PersistentVolumeClaims"),
        ] {
            if !volume[field].is_null() {
                return Some(what);
            }
        }
        for source in volume["projected"]["sources"].as_array().into_iter().flatten() {
            for (field, what) in [
                ("secret", "Secrets"),
                ("configMap", "ConfigMaps"),
                ("serviceAccountToken", "service accounts"),
            ] {
                if !source[field].is_null() {
                    return Some(what);
                }
            }
        }
    }
    if spec["serviceAccountName"].as_str().is_some_and(|name| !name.is_empty()) {
        return Some("service accounts");
    }
    let lists = ["initContainers", "containers"];
    let containers = lists
        .iter()
        .flat_map(|list| spec[list].as_array().into_iter().flatten());
    for container in containers {
        for env in container["env"].as_array().into_iter().flatten() {
            if !env["valueFrom"]["secretKeyRef"].is_null() {
                return Some("Secrets");
            }
            if !env["valueFrom"]["configMapKeyRef"].is_null() {
                return Some("ConfigMaps");
            }
        }
        for source in container["envFrom"].as_array().into_iter().flatten() {
            if !source["secretRef"].is_null() {
                return Some("Secrets");
            }
            if !source["configMapRef"].is_null() {
                return Some("ConfigMaps");
            }
        }
    }
    None
}

/// Sends the directory's pods, and again each time that they change. `prepare` gives each what the API would
/// have (defaults), or says why it is refused; `report` is told of files that are left out.
pub async fn watch(
    directory: PathBuf,
    node: String,
    prepare: impl Fn(Value) -> Result<Value, String> + Send,
    report: impl Fn(&str) + Send,
    pods: mpsc::Sender<Vec<Value>>,
) {
    let changes = changes(&directory);
    tokio::pin!(changes);
    let mut before: Option<Vec<Value>> = None;
    let mut reported: Vec<String> = Vec::new();
    loop {
        let (found, bad) = match read(&directory, &node) {
            Ok(found) => found,
            // The directory may come later.
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), Vec::new()),
            Err(error) => (Vec::new(), vec![BadFile::Unreadable(directory.clone(), error)]),
        };
        let mut faults: Vec<String> = bad.iter().map(ToString::to_string).collect();
        let mut ready = Vec::new();
        for pod in found {
            match prepare(pod) {
                Ok(pod) => ready.push(pod),
                Err(fault) => faults.push(fault),
            }
        }
        for fault in faults.iter().filter(|fault| !reported.contains(fault)) {
            report(fault);
        }
        reported = faults;
        if before.as_ref() != Some(&ready) {
            if pods.send(ready.clone()).await.is_err() {
                return;
            }
            before = Some(ready);
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            Some(()) = futures::StreamExt::next(&mut changes) => {}
        }
    }
}

/// Yields whenever the kernel says that the directory has changed.
#[cfg(target_os = "linux")]
fn changes(directory: &Path) -> impl futures::Stream<Item = ()> + use<> {
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
    use tokio::io::unix::AsyncFd;

    struct Watcher(Inotify);

    impl AsFd for Watcher {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }

    impl AsRawFd for Watcher {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    let watcher = || -> io::Result<AsyncFd<Watcher>> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let wanted = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE;
        inotify.add_watch(directory, wanted)?;
        // SAFETY: the descriptor stays the watcher's own for as long as it lives.
        Ok(unsafe { AsyncFd::register(Watcher(inotify)) }?)
    };
    // Without inotify there is still the poll.
    futures::stream::unfold(watcher().ok(), async |watcher| {
        let watcher = watcher?;
        let mut ready = watcher.readable().await.ok()?;
        while ready.get_inner().0.read_events().is_ok_and(|events| !events.is_empty()) {}
        ready.clear_ready();
        drop(ready);
        Some(((), Some(watcher)))
    })
}

#[cfg(not(target_os = "linux"))]
fn changes(_: &Path) -> impl futures::Stream<Item = ()> + use<> {
    futures::stream::pending()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: a, image: i}]}\n";

    #[test]
    fn a_file_becomes_a_pod_named_after_the_node() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("web.yaml"), POD).unwrap();
        fs::write(directory.path().join(".hidden.yaml"), POD).unwrap();
        let (pods, bad) = read(directory.path(), "emulator").unwrap();
        assert!(bad.is_empty());
        assert_eq!(pods.len(), 1);
        let meta = &pods[0]["metadata"];
        assert_eq!(
            (meta["name"].as_str(), meta["namespace"].as_str()),
            (Some("web-emulator"), Some("default"))
        );
        assert_eq!(meta["uid"], meta["annotations"]["kubernetes.io/config.hash"]);
    }

    #[test]
    fn an_edit_gives_another_uid() {
        let directory = tempfile::tempdir().unwrap();
        let uid = |text: &str| {
            fs::write(directory.path().join("web.yaml"), text).unwrap();
            read(directory.path(), "emulator").unwrap().0[0]["metadata"]["uid"].clone()
        };
        assert_ne!(uid(POD), uid(&POD.replace("image: i", "image: j")));
    }

    #[test]
    fn a_bad_file_is_named_and_the_others_go_on() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.yaml"), "kind: [").unwrap();
        fs::write(
            directory.path().join("b.yaml"),
            "kind: Deployment\napiVersion: apps/v1\n",
        )
        .unwrap();
        fs::write(directory.path().join("c.yaml"), POD).unwrap();
        let secret = "volumes: [{name: s, secret: {secretName: x}}], containers";
        fs::write(directory.path().join("d.yaml"), POD.replace("containers", secret)).unwrap();
        let (pods, bad) = read(directory.path(), "emulator").unwrap();
        assert_eq!((pods.len(), bad.len()), (1, 3));
        assert!(bad[2].to_string().ends_with("a static pod can't refer to Secrets"));
    }
}
