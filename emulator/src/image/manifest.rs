//! The documents of the OCI image format, as far as running an image needs them; Docker's have the same fields.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, de::IgnoredAny};

use super::ImageConfig;

/// Points at a blob.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) digest: String,
    #[serde(default)]
    pub(super) size: u64,
    pub(super) platform: Option<Platform>,
    #[serde(default)]
    pub(super) annotations: Option<HashMap<String, String>>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

impl Descriptor {
    pub(super) fn is_index(&self) -> bool {
        is_index(&self.media_type)
    }

    pub(super) fn fits_this_platform(&self) -> bool {
        self.platform.as_ref().is_none_or(|platform| {
            let fits = |asked: &str, own: &str| asked.is_empty() || asked == own;
            fits(&platform.os, "linux") && fits(&platform.architecture, architecture())
        })
    }

    /// The names that annotations give the image, a full one first.
    pub(super) fn names(&self) -> Vec<String> {
        let annotation = |key: &str| self.annotations.as_ref().and_then(|all| all.get(key)).cloned();
        let full = annotation("io.containerd.image.name");
        // The second one is often the tag alone; it is a name only where it has more.
        let other = annotation("org.opencontainers.image.ref.name").filter(|name| name.contains([':', '/']));
        full.or(other).into_iter().collect()
    }
}

/// Whether a media type is that of an [`Index`].
pub(super) fn is_index(media_type: &str) -> bool {
    media_type.ends_with("image.index.v1+json") || media_type.ends_with("manifest.list.v2+json")
}

/// Several images, or one for several platforms.
#[derive(Debug, Deserialize)]
pub(super) struct Index {
    pub(super) manifests: Vec<Descriptor>,
}

impl Index {
    pub(super) fn for_this_platform(&self) -> Option<&Descriptor> {
        self.manifests.iter().find(|descriptor| descriptor.fits_this_platform())
    }
}

/// One image.
#[derive(Debug, Deserialize)]
pub(super) struct Manifest {
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
}

impl Manifest {
    /// Bytes in the registry.
    pub(super) fn size(&self) -> u64 {
        self.layers
            .iter()
            .map(|layer| layer.size)
            .fold(self.config.size, u64::saturating_add)
    }
}

/// An image's configuration.
#[derive(Debug, Deserialize)]
pub(super) struct Configuration {
    #[serde(default)]
    config: Option<Run>,
    rootfs: RootFs,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Run {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    user: Option<String>,
    working_dir: Option<String>,
    stop_signal: Option<String>,
    volumes: Option<BTreeMap<String, IgnoredAny>>,
}

#[derive(Debug, Deserialize)]
struct RootFs {
    diff_ids: Vec<String>,
}

impl Configuration {
    /// The digests of the layers' content, lowest first.
    pub(super) fn diff_ids(&self) -> &[String] {
        &self.rootfs.diff_ids
    }

    pub(super) fn run(&self) -> ImageConfig {
        let Some(run) = &self.config else {
            return ImageConfig::default();
        };
        let pair = |variable: &String| {
            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
            (name.to_owned(), value.to_owned())
        };
        ImageConfig {
            entrypoint: run.entrypoint.clone().unwrap_or_default(),
            cmd: run.cmd.clone().unwrap_or_default(),
            env: run.env.iter().flatten().map(pair).collect(),
            user: run.user.clone().unwrap_or_default(),
            working_dir: run.working_dir.clone().unwrap_or_default(),
            stop_signal: run.stop_signal.clone().filter(|signal| !signal.is_empty()),
            volumes: run.volumes.iter().flatten().map(|(path, _)| path.clone()).collect(),
        }
    }
}

/// This machine's architecture by Go's name.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
