//! Pulling an image from its registry.

use std::{
    fs::{self, File},
    path::Path,
};

use oci_client::{
    Client, Reference as Remote, RegistryOperation,
    client::{ClientConfig, ClientProtocol},
    errors::OciDistributionError,
    secrets::RegistryAuth,
};
use tokio::io::AsyncWriteExt;

use super::{
    Credentials, Image, ImageError, archive::ArchiveError, docker_config, reference::Reference, store::ImageStore,
};

/// Fetches manifest, configuration and layers, and adds them to the store. Every blob is checked against its digest.
pub(super) async fn pull(
    store: &ImageStore,
    name: &Reference,
    credentials: &[Credentials],
) -> Result<Image, ImageError> {
    let failed = |why: String| {
        let why = why.trim_end_matches('.').to_owned();
        ImageError::Pull(format!("failed to pull and unpack image \"{name}\": {why}"))
    };
    let remote: Remote = name.to_string().parse().map_err(|error| failed(format!("{error}")))?;
    let folder = tempfile_folder().map_err(|error| failed(error.to_string()))?;
    let mut last = None;
    for auth in authentications(&name.registry, credentials) {
        match fetch(store, name, &remote, &auth, folder.path()).await {
            Ok(image) => return Ok(image),
            // Other credentials don't make a missing image appear, nor a network that is not there.
            Err(error) if !is_denied(&error) => return Err(failed(sentence(&error))),
            Err(error) => last = Some(error),
        }
    }
    Err(failed(
        last.map_or_else(|| "no credentials".to_owned(), |error| sentence(&error)),
    ))
}

/// Why one attempt failed.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Registry(#[from] OciDistributionError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Archive(error.into())
    }
}

async fn fetch(
    store: &ImageStore,
    name: &Reference,
    remote: &Remote,
    auth: &RegistryAuth,
    folder: &Path,
) -> Result<Image, Fault> {
    // Registries on this machine speak plain HTTP, as container engines assume.
    let local = name.registry.starts_with("localhost") || name.registry.starts_with("127.");
    let protocol = if local {
        ClientProtocol::Http
    } else {
        ClientProtocol::Https
    };
    let client = Client::new(ClientConfig {
        protocol,
        ..ClientConfig::default()
    });
    client.auth(remote, auth, RegistryOperation::Pull).await?;
    let (manifest, digest) = client.pull_image_manifest(remote, auth).await?;
    let mut config = Vec::new();
    client.pull_blob(remote, &manifest.config, &mut config).await?;
    let mut size = config.len() as u64;
    for (index, layer) in manifest.layers.iter().enumerate() {
        let mut file = tokio::fs::File::create(folder.join(index.to_string())).await?;
        client.pull_blob(remote, layer, &mut file).await?;
        file.flush().await?;
        size += file.metadata().await?.len();
    }
    let by_digest = Reference {
        tag: None,
        digest: Some(digest),
        ..name.clone()
    };
    let (store, name, folder) = (store.clone(), name.clone(), folder.to_owned());
    let layers = manifest.layers.len();
    let add = move || {
        store.add(&config, size, &[name], Some(by_digest), layers, |index| {
            Ok(File::open(folder.join(index.to_string()))?)
        })
    };
    match tokio::task::spawn_blocking(add).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(std::io::Error::other("unpacking was cut short").into()),
    }
}

/// What to try, in order: the pod's own credentials, the machine's, none.
fn authentications(registry: &str, credentials: &[Credentials]) -> Vec<RegistryAuth> {
    let own = credentials
        .iter()
        .filter(|one| docker_config::same_registry(&one.registry, registry));
    let machine = docker_config::of_machine(registry);
    let known = own
        .cloned()
        .chain(machine)
        .map(|one| RegistryAuth::Basic(one.username, one.password));
    known.chain([RegistryAuth::Anonymous]).collect()
}

fn is_denied(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Registry(
            OciDistributionError::AuthenticationFailure(_) | OciDistributionError::UnauthorizedError { .. }
        )
    )
}

/// The fault with its causes: a request that failed says why only in those.
fn sentence(fault: &Fault) -> String {
    let mut text = fault.to_string();
    let mut cause = std::error::Error::source(fault);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// A folder for what is being fetched, removed when it is dropped.
struct Folder(std::path::PathBuf);

impl Folder {
    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // Left behind, the system's own clean-up of /tmp sees to it.
    }
}

fn tempfile_folder() -> std::io::Result<Folder> {
    let path = std::env::temp_dir().join(format!("kubectl-pod-pull-{}", crate::uid::new()));
    fs::create_dir(&path)?;
    Ok(Folder(path))
}
