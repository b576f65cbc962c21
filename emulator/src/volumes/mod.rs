//! A pod's volumes on the node: made before its containers, kept up to date while it runs, removed when it is over.
//!
//! Everything of a pod lies below `DATA/volumes/UID`, so that it can be removed whatever was going on when the
//! emulator ended.

mod atomic_writer;
mod empty_dir;
mod host_path;
mod memory;
mod mount_table;
mod nested_mounts;
#[cfg(unix)]
mod owner;
mod payload;
mod pod_tokens;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Volume;

#[cfg(target_os = "linux")]
pub(crate) use self::mount_table::is_mounted;
use self::pod_tokens::PodTokens;
use crate::{
    clock::Clock,
    container_config::{Node, resources},
    kubelet::{
        edges::{VolumeFailure, VolumePaths},
        pod::Pod,
    },
    quantity::milli,
    store::{Key, Resource},
    tokens::Signer,
};

/// The volumes of the node's pods.
pub struct Volumes {
    node: Node,
    clock: Clock,
    signer: Arc<Signer>,
    tokens: PodTokens,
    /// Whether what is secret is kept in memory alone.
    has_mounts: bool,
}

impl Volumes {
    /// Takes over the node's folder of volumes. It becomes a mount of its own, so that what is mounted in it later is
    /// seen in the pods that run already.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn open(node: Node, clock: Clock, signer: Arc<Signer>) -> io::Result<Self> {
        fs::create_dir_all(&node.volumes)?;
        mount_table::share(&node.volumes)?;
        Ok(Self {
            node,
            clock,
            signer,
            tokens: PodTokens::default(),
            has_mounts: true,
        })
    }

    /// Volumes that need no mount, of a node that is played.
    #[cfg(test)]
    pub(crate) fn unshared(node: Node, clock: Clock, signer: Arc<Signer>) -> Self {
        Self {
            node,
            clock,
            signer,
            tokens: PodTokens::default(),
            has_mounts: false,
        }
    }

    /// Makes the volumes of a pod; what is there already is kept.
    ///
    /// # Errors
    /// All volumes that can't be made.
    pub fn set_up(&self, pod: &Pod) -> Result<VolumePaths, Vec<VolumeFailure>> {
        // What is an image is pulled and mounted when a container is made.
        let folders = pod
            .spec
            .volumes
            .iter()
            .flatten()
            .filter(|volume| volume.image.is_none());
        VolumeFailure::all_or_paths(folders.map(|volume| (volume, self.volume(pod, volume))))
    }

    /// Brings the content of a running pod's volumes up to date: what comes from ConfigMaps, Secrets, the pod itself and its
    /// service account. Returns the volumes that can't be; they keep what they have.
    pub fn refresh(&self, pod: &Pod) -> Vec<VolumeFailure> {
        let volumes = pod.spec.volumes.iter().flatten();
        let outdated = volumes.filter(|volume| payload::is_source(volume));
        VolumeFailure::all_or_paths(outdated.map(|volume| (volume, self.volume(pod, volume))))
            .err()
            .unwrap_or_default()
    }

    /// Returns when the first of the tokens in a pod's volumes is to be renewed.
    pub fn next_renewal(&self, uid: &str) -> Option<Timestamp> {
        self.tokens.next_renewal(uid, self.clock.now())
    }

    /// Removes everything of a pod. Does nothing where nothing is left.
    ///
    /// # Errors
    /// What could not be unmounted or removed.
    pub fn tear_down(&self, uid: &str) -> io::Result<()> {
        self.tokens.forget(uid);
        remove(&self.node.pod_files(uid))
    }

    /// Removes what belongs to no pod of `uids`.
    ///
    /// # Errors
    /// What could not be unmounted or removed.
    pub fn remove_others(&self, uids: &[String]) -> io::Result<()> {
        for entry in fs::read_dir(&self.node.volumes)? {
            let entry = entry?;
            if !uids.iter().any(|uid| entry.file_name() == uid.as_str()) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    fn volume(&self, pod: &Pod, volume: &Volume) -> Result<PathBuf, String> {
        if let Some(source) = &volume.host_path {
            return host_path::check(&source.path, source.type_.as_deref().unwrap_or_default());
        }
        let folder = self.node.pod_files(&pod.uid).join("volumes").join(&volume.name);
        let group = pod.spec.security_context.as_ref().and_then(|context| context.fs_group);
        if let Some(source) = &volume.empty_dir {
            empty_dir::make(&folder, source, self.memory_of(pod), group).map_err(|error| error.to_string())?;
            return Ok(folder);
        }
        let context = payload::Context {
            pod,
            node: &self.node,
            clock: &self.clock,
            signer: &self.signer,
            tokens: &self.tokens,
        };
        let payload = payload::of(&context, volume)?;
        let Some(payload) = payload else {
            return Err(unsupported(volume));
        };
        let write = || -> io::Result<()> {
            // All but ConfigMaps are memory on a node, and have the mode of a folder of memory.
            let in_memory = volume.config_map.is_none();
            if in_memory && self.has_mounts {
                memory::mount(&folder, self.memory_of(pod))?;
            }
            nested_mounts::make(&folder, &volume.name, &pod.spec)?;
            let mode = if in_memory { 0o1777 } else { 0o777 };
            atomic_writer::write(&folder, &payload, mode, group)
        };
        write().map_err(|error| error.to_string())?;
        Ok(folder)
    }

    /// Returns how much memory the volumes of a pod may take each: no more than the pod, or the pods of the node
    /// (`pkg/volume/emptydir/empty_dir.go`, `calculateEmptyDirMemorySize`).
    fn memory_of(&self, pod: &Pod) -> Option<i128> {
        let node = self.node.store.get(&Key::new(Resource::Nodes, "", &self.node.name));
        let allocatable = node.and_then(|node| milli(node["status"]["allocatable"]["memory"].as_str()?));
        let of_pod = resources::of_pod(pod).memory_limit.map(i128::from);
        [of_pod, allocatable.map(|milli| milli / 1000)]
            .into_iter()
            .flatten()
            .min()
    }
}

/// Takes back what `open` did to the folder; for the end of the emulator.
///
/// # Errors
/// What could not be unmounted.
pub fn close(volumes: &Path) -> io::Result<()> {
    mount_table::unmount_below(volumes)
}

fn remove(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    mount_table::unmount_below(folder)?;
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Names the kind of volume that the emulator does not have.
fn unsupported(volume: &Volume) -> String {
    let fields = serde_json::to_value(volume).unwrap_or_default();
    let kind = fields
        .as_object()
        .and_then(|fields| fields.keys().find(|key| *key != "name").cloned());
    format!(
        "volumes of type {} are not supported by the emulator",
        kind.as_deref().unwrap_or("unknown")
    )
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::{Value, json};

    use super::*;
    use crate::{container_config::immutable_objects::ImmutableObjects, store::Store};

    /// A pod with one volume, what its volume is filled from, and where it lies.
    struct Fixture {
        _folder: tempfile::TempDir,
        volumes: Volumes,
        store: Store,
        pod: Pod,
        path: PathBuf,
    }

    impl Fixture {
        fn new(volume: &Value) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::in_memory();
            let node = Node {
                name: "emulator".to_owned(),
                ips: Vec::new(),
                store: store.clone(),
                immutable: ImmutableObjects::default(),
                logs: folder.path().join("logs"),
                volumes: folder.path().join("volumes"),
            };
            let signer = Arc::new(Signer::load_or_create(&folder.path().join("key")).unwrap());
            let pod = json!({"metadata": {"name": "p", "namespace": "shop", "uid": "u", "labels": {"a": "b"}},
                "spec": {"containers": [], "volumes": [volume]}});
            Self {
                path: node.pod_files("u").join("volumes").join("v"),
                volumes: Volumes::unshared(node, Clock::system(), signer),
                store,
                pod: Pod::read(&pod).unwrap(),
                _folder: folder,
            }
        }

        fn put(&self, resource: Resource, name: &str, object: Value) {
            let key = Key::new(resource, "shop", name);
            drop(self.store.delete(&key, None));
            self.store.create(key, object).unwrap();
        }

        fn read(&self, file: &str) -> Option<String> {
            fs::read_to_string(self.path.join(file)).ok()
        }

        /// Refreshes the volume; what goes wrong.
        fn refresh(&self) -> Vec<String> {
            let failures = self.volumes.refresh(&self.pod);
            failures.iter().map(ToString::to_string).collect()
        }
    }

    #[test]
    fn refresh_follows_a_config_map_with_the_modes_of_the_volume() {
        let volume = json!({"name": "v", "configMap": {"name": "settings", "defaultMode": 0o400}});
        let pod = Fixture::new(&volume);
        pod.put(Resource::ConfigMaps, "settings", json!({"data": {"a": "1", "b": "2"}}));
        pod.volumes.set_up(&pod.pod).unwrap();
        let version = || fs::read_link(pod.path.join("..data")).unwrap();
        let first = version();
        assert_eq!(pod.refresh(), Vec::<String>::new());
        assert_eq!(version(), first, "nothing has changed");
        pod.put(
            Resource::ConfigMaps,
            "settings",
            json!({"data": {"a": "new", "c": "3"}}),
        );
        assert_eq!(pod.refresh(), Vec::<String>::new());
        assert_eq!(pod.read("a").as_deref(), Some("new"));
        assert_eq!((pod.read("b"), pod.read("c").as_deref()), (None, Some("3")));
        let mode = fs::metadata(pod.path.join("c")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o400);
    }

    #[test]
    fn optional_source_appears_and_disappears() {
        let source = json!({"configMap": {"name": "settings", "optional": true}});
        let pod = Fixture::new(&json!({"name": "v", "projected": {"sources": [source]}}));
        pod.volumes.set_up(&pod.pod).unwrap();
        assert_eq!(pod.read("a"), None);
        pod.put(Resource::ConfigMaps, "settings", json!({"data": {"a": "1"}}));
        assert_eq!((pod.refresh(), pod.read("a").as_deref()), (Vec::new(), Some("1")));
        let key = Key::new(Resource::ConfigMaps, "shop", "settings");
        pod.store.delete(&key, None).unwrap();
        assert_eq!((pod.refresh(), pod.read("a")), (Vec::new(), None));
    }

    #[test]
    fn volume_whose_source_is_gone_keeps_its_content() {
        let pod = Fixture::new(&json!({"name": "v", "secret": {"secretName": "keys"}}));
        pod.put(Resource::Secrets, "keys", json!({"data": {"a": "MQ=="}}));
        pod.volumes.set_up(&pod.pod).unwrap();
        let key = Key::new(Resource::Secrets, "shop", "keys");
        pod.store.delete(&key, None).unwrap();
        let failure = "MountVolume.SetUp failed for volume \"v\" : secret \"keys\" not found";
        assert_eq!(pod.refresh(), [failure]);
        assert_eq!(pod.read("a").as_deref(), Some("1"));
    }

    #[test]
    fn immutable_source_is_kept_while_the_pod_is_there() {
        let pod = Fixture::new(&json!({"name": "v", "configMap": {"name": "settings"}}));
        pod.put(
            Resource::ConfigMaps,
            "settings",
            json!({"data": {"a": "1"}, "immutable": true}),
        );
        pod.volumes.set_up(&pod.pod).unwrap();
        pod.put(Resource::ConfigMaps, "settings", json!({"data": {"a": "2"}}));
        assert_eq!((pod.refresh(), pod.read("a").as_deref()), (Vec::new(), Some("1")));
    }

    #[test]
    fn refresh_leaves_paths_of_the_node_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        fs::create_dir(&path).unwrap();
        let pod = Fixture::new(&json!({"name": "v", "hostPath": {"path": path, "type": "Directory"}}));
        pod.volumes.set_up(&pod.pod).unwrap();
        fs::remove_dir(&path).unwrap();
        assert_eq!(pod.refresh(), Vec::<String>::new());
    }

    #[test]
    fn labels_reach_the_downward_api() {
        let item = json!({"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}});
        let mut pod = Fixture::new(&json!({"name": "v", "downwardAPI": {"items": [item]}}));
        pod.volumes.set_up(&pod.pod).unwrap();
        assert_eq!(pod.read("labels").as_deref(), Some("a=\"b\""));
        let mut object = Value::clone(&pod.pod.object);
        object["metadata"]["labels"]["a"] = json!("new");
        pod.pod = Pod::read(&object).unwrap();
        assert_eq!(
            (pod.refresh(), pod.read("labels").as_deref()),
            (Vec::new(), Some("a=\"new\""))
        );
    }

    #[test]
    fn place_of_a_nested_mount_outlives_a_refresh() {
        let mut pod = Fixture::new(&json!({"name": "v", "configMap": {"name": "settings"}}));
        let mounts = json!([{"name": "v", "mountPath": "/etc/app"}, {"name": "w", "mountPath": "/etc/app/certs"}]);
        let mut object = Value::clone(&pod.pod.object);
        object["spec"]["containers"] = json!([{"name": "c", "volumeMounts": mounts}]);
        pod.pod = Pod::read(&object).unwrap();
        pod.put(Resource::ConfigMaps, "settings", json!({"data": {"a": "1"}}));
        pod.volumes.set_up(&pod.pod).unwrap();
        pod.put(Resource::ConfigMaps, "settings", json!({"data": {"a": "2"}}));
        assert_eq!((pod.refresh(), pod.read("a").as_deref()), (Vec::new(), Some("2")));
        assert!(pod.path.join("certs").is_dir());
    }
}
