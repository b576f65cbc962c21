//! The images on disk: unpacked layers by the digest of their content, and one small record a name.
//!
//! Everything is written beside its place and renamed into it, so that a crash leaves nothing half-done, and two
//! processes (the emulator, and `load`) can write at once.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use super::{
    Credentials, Image, ImageError, Images, Root,
    archive::{Archive, ArchiveError},
    budget::{self, Budget},
    compression,
    digest::{self, Digesting},
    host, layer,
    manifest::Configuration,
    mapping, pull,
    reference::Reference,
    work::{self, Work},
};

/// The images of one data folder.
#[derive(Clone)]
pub struct ImageStore {
    path: PathBuf,
    map_images: Vec<(String, String)>,
    /// The most that an image may unpack to, in bytes.
    most: u64,
}

impl ImageStore {
    /// Opens the store in the folder `path`, which is made where it is missing.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn open(path: &Path, map_images: Vec<(String, String)>) -> io::Result<Self> {
        for folder in ["layers", "names", "work"] {
            fs::create_dir_all(path.join(folder))?;
        }
        work::sweep(&path.join("work"))?;
        Ok(Self {
            path: path.to_owned(),
            map_images,
            most: budget::MOST_BYTES,
        })
    }

    /// The same store, whose images may unpack to no more than this; for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn with_most(self, most: u64) -> Self {
        Self { most, ..self }
    }

    /// Imports every image of an archive; returns their names.
    ///
    /// # Errors
    /// What is wrong with the archive, or with the disk; what was imported before stays.
    pub fn import(&self, archive: &Path) -> Result<Vec<String>, ArchiveError> {
        let work = self.begin()?;
        let archive = Archive::open(archive, work.path(), self.most)?;
        let mut imported = Vec::new();
        for found in archive.images()? {
            let mut names: Vec<Reference> = Vec::new();
            for name in &found.names {
                names.push(Reference::parse(name).map_err(ArchiveError::Damaged)?);
            }
            if names.is_empty() {
                return Err(ArchiveError::Damaged(
                    "the image in it has no name: give it the annotation io.containerd.image.name".to_owned(),
                ));
            }
            let by_digest = found.manifest_digest.as_ref().map(|digest| Reference {
                tag: None,
                digest: Some(digest.clone()),
                ..names[0].clone()
            });
            let layers = &found.layers;
            self.add(&found.config, found.size, &names, by_digest, layers.len(), |index| {
                archive.read(&layers[index])
            })?;
            imported.extend(names.iter().map(Reference::to_string));
        }
        Ok(imported)
    }

    /// The most that an image may unpack to, in bytes.
    pub(super) fn most(&self) -> u64 {
        self.most
    }

    /// A place for what is not finished.
    pub(super) fn begin(&self) -> io::Result<Work> {
        Work::begin(&self.path.join("work"))
    }

    /// Unpacks an image and makes it known by its names.
    pub(super) fn add<R: io::Read>(
        &self,
        config: &[u8],
        size: u64,
        names: &[Reference],
        by_digest: Option<Reference>,
        layers: usize,
        open_layer: impl Fn(usize) -> Result<R, ArchiveError>,
    ) -> Result<Image, ArchiveError> {
        let damaged = |error: &dyn std::fmt::Display| {
            ArchiveError::Damaged(format!("its configuration is not what it should be: {error}"))
        };
        let configuration: Configuration = serde_json::from_slice(config).map_err(|error| damaged(&error))?;
        let diff_ids = configuration.diff_ids();
        if diff_ids.len() != layers {
            return Err(damaged(&format!(
                "it speaks of {} layers, there are {layers}",
                diff_ids.len()
            )));
        }
        let work = self.begin()?;
        let mut folders = Vec::new();
        let mut budget = Budget::of(self.most);
        for (index, diff_id) in diff_ids.iter().enumerate() {
            folders.push(self.layer(&work, diff_id, &mut budget, || open_layer(index))?);
        }
        let image = Image {
            id: digest::of(config),
            reference: names.first().map(Reference::to_string).unwrap_or_default(),
            size,
            config: configuration.run(),
            root: Root::Layers(folders),
        };
        for name in names.iter().chain(&by_digest) {
            let record = Image {
                reference: name.to_string(),
                ..image.clone()
            };
            self.write(&work, &record)?;
        }
        Ok(image)
    }

    /// The folder of a layer, unpacked now if it is not there.
    fn layer<R: io::Read>(
        &self,
        work: &Work,
        diff_id: &str,
        budget: &mut Budget,
        open: impl Fn() -> Result<R, ArchiveError>,
    ) -> Result<PathBuf, ArchiveError> {
        let hex = diff_id
            .strip_prefix("sha256:")
            .filter(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let hex = hex.ok_or_else(|| ArchiveError::Damaged(format!("{diff_id:?} is not a digest")))?;
        let layers = self.path.join("layers");
        // The name is short: the paths of all layers share one page of mount options.
        let folder = layers.join(&hex[..32]);
        if folder.is_dir() {
            return Ok(folder);
        }
        let unpacking = work.path().join(hex);
        fs::create_dir(&unpacking)?;
        let done = unpack(&unpacking, diff_id, budget, open()?);
        let done = done.and_then(|()| match fs::rename(&unpacking, &folder) {
            // Somebody else unpacked the same layer meanwhile.
            Err(_) if folder.is_dir() => Ok(()),
            other => Ok(other?),
        });
        done.map(|()| folder)
    }

    fn write(&self, work: &Work, image: &Image) -> io::Result<()> {
        let path = self.record(&image.reference);
        let new = work.path().join("record");
        fs::write(&new, serde_json::to_vec(image)?)?;
        fs::rename(&new, &path)
    }

    fn record(&self, reference: &str) -> PathBuf {
        let hex = digest::of(reference.as_bytes()).replace("sha256:", "");
        self.path.join("names").join(format!("{hex}.json"))
    }

    fn find(&self, asked: &str) -> Result<Option<Image>, ImageError> {
        let asked = mapping::apply(&self.map_images, asked);
        if asked.starts_with("sha256:") {
            return Ok(self.all().into_iter().find(|image| image.id == asked));
        }
        let reference = Reference::parse(asked).map_err(ImageError::InvalidName)?;
        if reference.name() == host::NAME {
            return Ok(Some(host::image()));
        }
        match fs::read(self.record(&reference.to_string())) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| ImageError::Inspect(format!("its record is damaged: {error}"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ImageError::Inspect(error.to_string())),
        }
    }

    fn all(&self) -> Vec<Image> {
        let records = fs::read_dir(self.path.join("names")).into_iter().flatten().flatten();
        let read = records.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "json"));
        let mut images: Vec<Image> = read
            .filter_map(|entry| serde_json::from_slice(&fs::read(entry.path()).ok()?).ok())
            .collect();
        images.push(host::image());
        images.sort_by(|a, b| a.reference.cmp(&b.reference));
        images
    }
}

fn unpack(folder: &Path, diff_id: &str, budget: &mut Budget, stream: impl io::Read) -> Result<(), ArchiveError> {
    let damaged = |error: io::Error| match error.raw_os_error() {
        Some(_) => ArchiveError::Io(error),
        None => ArchiveError::Damaged(format!("layer {diff_id}: {error}")),
    };
    let mut content = Digesting::new(compression::plain(stream)?, budget.stream());
    layer::unpack(&mut content, folder, budget).map_err(damaged)?;
    if content.finish().map_err(damaged)? != diff_id {
        return Err(ArchiveError::Damaged(format!(
            "the content of layer {diff_id} has another digest"
        )));
    }
    // On the disk before it has its name: a layer that is there is whole, even after a power cut.
    Ok(nix::unistd::syncfs(fs::File::open(folder)?).map_err(io::Error::from)?)
}

#[async_trait]
impl Images for ImageStore {
    async fn status(&self, reference: &str) -> Result<Option<Image>, ImageError> {
        self.find(reference)
    }

    async fn pull(&self, reference: &str, credentials: &[Credentials]) -> Result<Image, ImageError> {
        let asked = mapping::apply(&self.map_images, reference).to_owned();
        let name = Reference::parse(&asked).map_err(ImageError::InvalidName)?;
        if name.name() == host::NAME {
            return Ok(host::image());
        }
        pull::pull(self, &name, credentials).await
    }

    async fn list(&self) -> Vec<Image> {
        self.all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busybox(folder: &Path, change: impl Fn(&str, Vec<u8>) -> Vec<u8>) -> PathBuf {
        let mut layer = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(2);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        layer.append_data(&mut header, "bin/tool", &b"hi"[..]).unwrap();
        let layer = layer.into_inner().unwrap();
        let config = serde_json::json!({
            "config": {"Cmd": ["sh"], "Env": ["PATH=/bin", "A=b=c"], "User": "web", "StopSignal": "SIGINT",
                       "Volumes": {"/srv": {}, "/data": {}}},
            "rootfs": {"type": "layers", "diff_ids": [digest::of(&layer)]},
        });
        let config = config.to_string().into_bytes();
        let descriptor = |bytes: &[u8]| serde_json::json!({"digest": digest::of(bytes), "size": bytes.len()});
        let manifest = serde_json::json!({"config": descriptor(&config), "layers": [descriptor(&layer)]})
            .to_string()
            .into_bytes();
        let mut entry = descriptor(&manifest);
        entry["annotations"] = serde_json::json!({"io.containerd.image.name": "docker.io/library/busybox:1"});
        let index = serde_json::json!({"schemaVersion": 2, "manifests": [entry]})
            .to_string()
            .into_bytes();
        let path = folder.join("busybox.tar");
        let mut archive = tar::Builder::new(fs::File::create(&path).unwrap());
        let blob = |bytes: &[u8]| format!("blobs/{}", digest::of(bytes).replace(':', "/"));
        for (name, bytes) in [
            ("index.json".to_owned(), index),
            (blob(&manifest), manifest),
            (blob(&config), config),
            (blob(&layer), layer),
        ] {
            let bytes = change(&name, bytes);
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, name, &bytes[..]).unwrap();
        }
        archive.finish().unwrap();
        path
    }

    #[test]
    fn an_archive_is_imported_and_found_by_every_form_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let archive = busybox(folder.path(), |_, bytes| bytes);
        let store = ImageStore::open(&folder.path().join("images"), vec![]).unwrap();
        assert_eq!(store.import(&archive).unwrap(), ["docker.io/library/busybox:1"]);
        assert_eq!(store.import(&archive).unwrap(), ["docker.io/library/busybox:1"]);
        let image = store.find("busybox:1").unwrap().unwrap();
        assert_eq!(image.reference, "docker.io/library/busybox:1");
        assert_eq!(
            image.config.env,
            [
                ("PATH".to_owned(), "/bin".to_owned()),
                ("A".to_owned(), "b=c".to_owned())
            ]
        );
        assert_eq!(image.config.stop_signal.as_deref(), Some("SIGINT"));
        assert_eq!(image.config.volumes, ["/data", "/srv"]);
        let Root::Layers(layers) = &image.root else { panic!() };
        assert_eq!(fs::read_to_string(layers[0].join("bin/tool")).unwrap(), "hi");
        assert_eq!(store.find(&image.id).unwrap().unwrap().id, image.id);
        assert_eq!(store.find("busybox:2").unwrap(), None);
        assert!(matches!(store.find("No:Such:Name"), Err(ImageError::InvalidName(_))));
    }

    #[test]
    fn a_changed_layer_is_refused_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let archive = busybox(folder.path(), |_, mut bytes| {
            if let Some(place) = bytes.windows(2).position(|window| window == b"hi") {
                bytes[place] = b'H';
            }
            bytes
        });
        let store = ImageStore::open(&folder.path().join("images"), vec![]).unwrap();
        assert!(
            store
                .import(&archive)
                .unwrap_err()
                .to_string()
                .contains("has another digest")
        );
        for place in ["layers", "work", "names"] {
            let left = fs::read_dir(folder.path().join("images").join(place)).unwrap();
            assert_eq!(left.count(), 0, "{place}");
        }
        assert_eq!(store.find("busybox:1").unwrap(), None);
    }

    #[test]
    fn what_is_no_image_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = ImageStore::open(&folder.path().join("images"), vec![]).unwrap();
        let file = folder.path().join("text");
        fs::write(&file, "hello").unwrap();
        let error = store.import(&file).unwrap_err().to_string();
        assert!(error.contains("neither an OCI archive nor"), "{error}");
        assert!(store.import(folder.path()).is_err());
        assert!(store.import(&folder.path().join("missing")).is_err());
    }
}
