//! The pause image: an OCI index, one manifest per architecture, from scratch, one file.
//!
//! Everything here is a function of the binaries: no clock, no environment, so the same build gives the same digests.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Binary;

/// The user and group that the program runs as.
pub const USER: &str = "65535:65535";
/// Where the program is in the image.
pub const PATH: &str = "/pause";

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A piece of content with its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// What it is.
    pub media_type: &'static str,
    /// `sha256:…` of `bytes`.
    pub digest: String,
    /// The content.
    pub bytes: Vec<u8>,
}

impl Blob {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        let digest = Sha256::digest(&bytes)
            .iter()
            .fold(String::from("sha256:"), |text, byte| text + &format!("{byte:02x}"));
        Self {
            media_type,
            digest,
            bytes,
        }
    }

    fn json(media_type: &'static str, value: &Value) -> Self {
        Self::new(media_type, value.to_string().into_bytes())
    }

    /// How other content refers to this.
    #[must_use]
    pub fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

/// The image for one architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// `amd64`, `arm64`.
    pub architecture: &'static str,
    /// The manifest, which names the other two.
    pub manifest: Blob,
    /// The configuration.
    pub config: Blob,
    /// The only layer: a tar archive with one file.
    pub layer: Blob,
}

/// The image for all architectures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// One per binary.
    pub platforms: Vec<Platform>,
    /// The index of the platforms' manifests.
    pub index: Blob,
}

impl Image {
    /// The image made from `binaries`.
    #[must_use]
    pub fn new(binaries: &[Binary]) -> Self {
        let platforms: Vec<Platform> = binaries.iter().map(Platform::new).collect();
        let manifests: Vec<Value> = platforms.iter().map(Platform::descriptor).collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests, "annotations": labels()});
        Self {
            index: Blob::json(INDEX, &index),
            platforms,
        }
    }

    /// The image as an OCI archive that containerd, podman, skopeo and the emulator read, under the name `reference`.
    #[must_use]
    pub fn archive(&self, reference: &str) -> Vec<u8> {
        let annotations =
            json!({"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": tag(reference)});
        let mut top = self.index.descriptor();
        top["annotations"] = annotations;
        let entry = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [top]}).to_string();
        let mut archive = Tar::default();
        archive.directory("blobs");
        archive.directory("blobs/sha256");
        for blob in self.blobs() {
            archive.file(&format!("blobs/{}", blob.digest.replace(':', "/")), 0o644, &blob.bytes);
        }
        archive.file("index.json", 0o644, entry.as_bytes());
        archive.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#);
        archive.finish()
    }

    /// What an archive holds.
    fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.platforms
            .iter()
            .flat_map(|platform| [&platform.layer, &platform.config, &platform.manifest])
            .chain([&self.index])
    }
}

impl Platform {
    fn new(binary: &Binary) -> Self {
        let mut files = Tar::default();
        files.file(PATH.trim_start_matches('/'), 0o555, binary.bytes);
        let layer = Blob::new(LAYER, files.finish());
        let config = json!({
            "architecture": binary.architecture,
            "os": "linux",
            "config": {"User": USER, "Entrypoint": [PATH], "WorkingDir": "/", "Labels": labels()},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
            "history": [{"created_by": "kubectl pod pause-image"}],
        });
        let config = Blob::json(CONFIG, &config);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
            "annotations": labels(),
        });
        Self {
            architecture: binary.architecture,
            manifest: Blob::json(MANIFEST, &manifest),
            config,
            layer,
        }
    }

    fn descriptor(&self) -> Value {
        let mut descriptor = self.manifest.descriptor();
        descriptor["platform"] = json!({"architecture": self.architecture, "os": "linux"});
        descriptor
    }
}

/// The labels of the image: what it is, whose, and where its source is.
fn labels() -> Value {
    json!({
        "org.opencontainers.image.title": "pause",
        "org.opencontainers.image.description": env!("CARGO_PKG_DESCRIPTION"),
        "org.opencontainers.image.version": crate::VERSION,
        "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
        "org.opencontainers.image.source": env!("CARGO_PKG_REPOSITORY"),
    })
}

/// The tag of a reference; `latest` where it names none.
fn tag(reference: &str) -> &str {
    let last = reference.rsplit('/').next().unwrap_or(reference);
    last.split_once(':').map_or("latest", |(_, tag)| tag)
}

/// A tar archive (ustar) whose entries belong to root and have no time.
#[derive(Default)]
struct Tar {
    bytes: Vec<u8>,
}

impl Tar {
    const BLOCK: usize = 512;

    fn directory(&mut self, name: &str) {
        self.header(&format!("{name}/"), 0o755, 0, b'5');
    }

    fn file(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.header(name, mode, content.len(), b'0');
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(Self::BLOCK), 0);
    }

    fn header(&mut self, name: &str, mode: u32, size: usize, kind: u8) {
        let mut header = [0_u8; Self::BLOCK];
        let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, name);
        put(100, &format!("{mode:07o}"));
        put(108, "0000000");
        put(116, "0000000");
        put(124, &format!("{size:011o}"));
        put(136, "00000000000");
        put(148, "        ");
        put(257, "ustar");
        put(263, "00");
        header[156] = kind;
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.bytes.extend_from_slice(&header);
    }

    fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * Self::BLOCK, 0);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: [Binary; 2] = [
        Binary {
            architecture: "amd64",
            bytes: b"one program",
        },
        Binary {
            architecture: "arm64",
            bytes: b"another program",
        },
    ];

    #[test]
    fn every_build_of_the_same_binaries_is_the_same() {
        let name = "localhost/pause:1";
        assert_eq!(Image::new(&TWO).archive(name), Image::new(&TWO).archive(name));
    }

    #[test]
    fn the_index_lists_every_architecture() {
        let image = Image::new(&TWO);
        let index: Value = serde_json::from_slice(&image.index.bytes).unwrap();
        let named: Vec<&str> = index["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["platform"]["architecture"].as_str().unwrap())
            .collect();
        assert_eq!(named, ["amd64", "arm64"]);
    }

    #[test]
    fn the_program_runs_as_nobody_in_particular() {
        let image = Image::new(&TWO);
        let config: Value = serde_json::from_slice(&image.platforms[0].config.bytes).unwrap();
        assert_eq!(config["config"]["User"], "65535:65535");
        assert_eq!(config["config"]["Entrypoint"], json!(["/pause"]));
    }

    #[test]
    fn references_end_in_their_tag() {
        assert_eq!(tag("registry.local:5000/pause:3"), "3");
        assert_eq!(tag("registry.local:5000/pause"), "latest");
    }

    #[test]
    fn one_architecture_fits_in_a_small_archive() {
        let image = Image::new(&[Binary {
            architecture: "amd64",
            bytes: &[1; 1200],
        }]);
        assert!(image.archive("localhost/pause:1").len() <= 12_288);
    }
}
