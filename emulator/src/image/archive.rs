//! Image archives: the OCI layout in a tar file, and what `docker save` writes.

use std::{
    cell::Cell,
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use serde::Deserialize;

use super::{
    digest,
    headers::Headers,
    manifest::{Descriptor, Index, Manifest},
};

/// The largest JSON document that is read into memory.
const JSON_MAX: u64 = 8 << 20;

/// The most of them together: one that is named many times is read as often.
const ALL_JSON_MAX: u64 = 64 << 20;

/// The most files in one archive.
const FILES_MAX: usize = 100_000;

/// Why an archive was not imported.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It can't be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("it is neither an OCI archive nor one that `docker save` writes: it has no {0}")]
    NotAnImage(&'static str),
    /// A part of it is damaged.
    #[error("{0}")]
    Damaged(String),
}

/// An open archive: where each file of it lies.
pub(super) struct Archive {
    file: File,
    entries: HashMap<String, (u64, u64)>,
    /// How many bytes of JSON may still be read.
    json_left: Cell<u64>,
}

/// An image of an archive.
pub(super) struct Found {
    /// Names that the archive gives it, as written there.
    pub(super) names: Vec<String>,
    /// The digest of its manifest, where it has one.
    pub(super) manifest_digest: Option<String>,
    /// Its configuration.
    pub(super) config: Vec<u8>,
    /// The names of its layers' files in the archive, lowest first.
    pub(super) layers: Vec<String>,
    /// Bytes of configuration and layers.
    pub(super) size: u64,
}

impl Archive {
    /// Opens the archive at `path`; a gzip-compressed one is unpacked into the folder `work` first, to no more than
    /// `most` bytes.
    pub(super) fn open(path: &Path, work: &Path, most: u64) -> Result<Self, ArchiveError> {
        let mut file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
        }
        let mut magic = [0; 2];
        let start = file.read(&mut magic)?;
        file.rewind()?;
        if start == 2 && magic == [0x1f, 0x8b] {
            let mut plain = unnamed_file(work)?;
            let content = flate2::read::MultiGzDecoder::new(file);
            if io::copy(&mut content.take(most), &mut plain)? == most {
                return Err(ArchiveError::Damaged("it is too large".to_owned()));
            }
            plain.rewind()?;
            file = plain;
        }
        let mut entries = HashMap::new();
        let mut links = Vec::new();
        let headers = Headers::default();
        let mut archive = tar::Archive::new(headers.of(&file));
        let mut found = archive.entries_with_seek()?;
        while let Some(entry) = headers.next(|| found.next()) {
            let entry = entry.map_err(|_| ArchiveError::NotAnImage("valid tar header"))?;
            let name = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
            if let Some(target) = entry.link_name()? {
                // `docker save` of old stores a layer that two images share once, and links to it.
                let base = Path::new(&name).parent().unwrap_or(Path::new(""));
                links.push((name.clone(), normal(&base.join(target))));
            } else {
                entries.insert(name, (entry.raw_file_position(), entry.size()));
            }
            if entries.len() + links.len() > FILES_MAX {
                return Err(ArchiveError::Damaged(format!("it has more than {FILES_MAX} files")));
            }
        }
        for (name, target) in links {
            if let Some(place) = entries.get(&target).copied() {
                entries.insert(name, place);
            }
        }
        Ok(Self {
            file,
            entries,
            json_left: Cell::new(ALL_JSON_MAX),
        })
    }

    /// A reader of one file of the archive.
    pub(super) fn read(&self, name: &str) -> Result<impl Read + use<'_>, ArchiveError> {
        let (position, size) = self.place(name)?;
        let mut file = &self.file;
        file.seek(SeekFrom::Start(position))?;
        Ok(file.take(size))
    }

    /// Every image of the archive for this machine.
    pub(super) fn images(&self) -> Result<Vec<Found>, ArchiveError> {
        if self.entries.contains_key("index.json") {
            let index: Index = self.json("index.json")?;
            let mut found = Vec::new();
            for descriptor in &index.manifests {
                found.extend(self.oci(descriptor, 0)?);
            }
            // A list of names that only docker's own document has.
            let unnamed = found.iter().any(|image| image.names.is_empty());
            if unnamed && self.entries.contains_key("manifest.json") {
                return self.docker();
            }
            if !found.is_empty() || !self.entries.contains_key("manifest.json") {
                return match found.is_empty() {
                    true => Err(ArchiveError::Damaged(
                        "it has no image for this machine's platform".to_owned(),
                    )),
                    false => Ok(found),
                };
            }
        }
        if self.entries.contains_key("manifest.json") {
            return self.docker();
        }
        Err(ArchiveError::NotAnImage("index.json and no manifest.json"))
    }

    fn oci(&self, descriptor: &Descriptor, depth: usize) -> Result<Vec<Found>, ArchiveError> {
        /// Indexes in indexes in indexes are somebody's joke.
        const DEPTH_MAX: usize = 4;
        if depth > DEPTH_MAX {
            return Err(ArchiveError::Damaged("its indexes are nested too deeply".to_owned()));
        }
        let document = self.blob(&descriptor.digest)?;
        // Older tools leave the media type out; an index is known by what it has.
        let untyped = descriptor
            .media_type
            .is_empty()
            .then(|| serde_json::from_slice::<Index>(&document).ok());
        if descriptor.is_index() || matches!(untyped, Some(Some(_))) {
            let index: Index = parse(&document, &descriptor.digest)?;
            let Some(chosen) = index.for_this_platform() else {
                return Ok(Vec::new());
            };
            let mut chosen = self.oci(chosen, depth + 1)?;
            for found in &mut chosen {
                found.names.extend(descriptor.names());
            }
            return Ok(chosen);
        }
        if !descriptor.fits_this_platform() {
            return Ok(Vec::new());
        }
        let manifest: Manifest = parse(&document, &descriptor.digest)?;
        Ok(vec![Found {
            names: descriptor.names(),
            manifest_digest: Some(descriptor.digest.clone()),
            config: self.blob(&manifest.config.digest)?,
            size: manifest.size(),
            layers: manifest.layers.iter().map(|layer| blob_path(&layer.digest)).collect(),
        }])
    }

    fn docker(&self) -> Result<Vec<Found>, ArchiveError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Saved {
            config: String,
            #[serde(default)]
            repo_tags: Option<Vec<String>>,
            layers: Vec<String>,
        }
        let saved: Vec<Saved> = self.json("manifest.json")?;
        let mut found = Vec::new();
        for image in saved {
            let mut size: u64 = 0;
            for layer in &image.layers {
                size = self.place(layer)?.1.saturating_add(size);
            }
            found.push(Found {
                names: image.repo_tags.unwrap_or_default(),
                manifest_digest: None,
                config: self.document(&image.config)?,
                layers: image.layers,
                size,
            });
        }
        Ok(found)
    }

    fn place(&self, name: &str) -> Result<(u64, u64), ArchiveError> {
        let missing = || ArchiveError::Damaged(format!("it has no {name}"));
        self.entries.get(name).copied().ok_or_else(missing)
    }

    /// A small file as a whole.
    fn document(&self, name: &str) -> Result<Vec<u8>, ArchiveError> {
        let (_, size) = self.place(name)?;
        if size > JSON_MAX {
            return Err(ArchiveError::Damaged(format!("{name} is too large")));
        }
        let left = self.json_left.get().checked_sub(size);
        let left = left.ok_or_else(|| ArchiveError::Damaged("its descriptions are too large".to_owned()))?;
        self.json_left.set(left);
        let mut bytes = Vec::new();
        self.read(name)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn json<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<T, ArchiveError> {
        parse(&self.document(name)?, name)
    }

    /// A small blob by its digest, which it is checked against.
    fn blob(&self, wanted: &str) -> Result<Vec<u8>, ArchiveError> {
        let bytes = self.document(&blob_path(wanted))?;
        if digest::of(&bytes) != wanted {
            return Err(ArchiveError::Damaged(format!(
                "the content of {wanted} has another digest"
            )));
        }
        Ok(bytes)
    }
}

fn parse<T: for<'de> Deserialize<'de>>(bytes: &[u8], name: &str) -> Result<T, ArchiveError> {
    serde_json::from_slice(bytes)
        .map_err(|error| ArchiveError::Damaged(format!("{name} is not what it should be: {error}")))
}

fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

/// A path without `.` and `..`, as names of entries are compared.
fn normal(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in path.to_string_lossy().split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part.to_owned()),
        }
    }
    parts.join("/")
}

/// A file that is gone when it is closed.
fn unnamed_file(folder: &Path) -> io::Result<File> {
    let path = folder.join("archive");
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(archive: &mut Vec<u8>, name: &str, size: u64, content: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).unwrap();
        header.set_size(size);
        header.set_cksum();
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }

    fn file(archive: &mut Vec<u8>, name: &str, content: &[u8]) {
        entry(archive, name, content.len() as u64, content);
    }

    fn images(archive: &[u8]) -> Result<Vec<Found>, ArchiveError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archive.tar");
        std::fs::write(&path, archive).unwrap();
        Archive::open(&path, folder.path(), u64::MAX)?.images()
    }

    #[test]
    fn sizes_that_no_file_has_are_no_number_too_large() {
        let mut archive = Vec::new();
        let manifest = br#"[{"Config": "c", "RepoTags": ["a:1"], "Layers": ["big", "big", "big"]}]"#;
        file(&mut archive, "manifest.json", manifest);
        file(&mut archive, "c", b"{}");
        entry(&mut archive, "big", (1 << 63) - 1, b"x");
        match images(&archive) {
            Ok(found) => assert_eq!(found[0].size, u64::MAX),
            Err(error) => assert!(error.to_string().contains("valid tar header"), "{error}"),
        }
    }

    #[test]
    fn one_description_that_is_named_many_times_is_not_read_without_end() {
        let mut archive = Vec::new();
        let image = br#"{"Config": "c", "RepoTags": ["a:1"], "Layers": []}"#;
        let manifest = [&b"["[..], &[&image[..]; 20].join(&b","[..]), b"]"].concat();
        file(&mut archive, "manifest.json", &manifest);
        file(&mut archive, "c", &vec![b' '; 7 << 20]);
        let refused = images(&archive).map(drop).unwrap_err();
        assert!(refused.to_string().contains("descriptions are too large"), "{refused}");
    }
}
