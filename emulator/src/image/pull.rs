//! Pulling an image from its registry.

use std::{fs::File, path::Path};

use serde::Deserialize;

use super::{
    Credentials, Image, ImageError,
    bounds::Patience,
    docker_config,
    manifest::{Index, Manifest, is_index},
    pull_error::Fault,
    reference::Reference,
    registry::Registry,
    store::ImageStore,
};

/// Fetches manifest, configuration and layers, and adds them to the store. Every blob is checked against its digest.
pub(super) async fn pull(
    store: &ImageStore,
    name: &Reference,
    credentials: &[Credentials],
) -> Result<Image, ImageError> {
    pull_with(store, name, credentials, Patience::default()).await
}

async fn pull_with(
    store: &ImageStore,
    name: &Reference,
    credentials: &[Credentials],
    patience: Patience,
) -> Result<Image, ImageError> {
    let url = name.manifest_url();
    let failed = |fault: &Fault| ImageError::Pull(fault.sentence(name, &url));
    let (known, note) = authentications(name, credentials).await;
    let work = store.begin().map_err(|error| failed(&error.into()))?;
    let mut last = None;
    for one in known {
        let fetched = match Registry::of(name, one, patience).map_err(Fault::Resolve) {
            Ok(mut registry) => fetch(store, name, &mut registry, work.path()).await,
            Err(fault) => Err(fault),
        };
        match fetched {
            Ok(image) => return Ok(image),
            // Other credentials don't make a missing image appear, nor a network that is not there.
            Err(fault) if !fault.is_denied() => return Err(failed(&fault)),
            Err(fault) => last = Some(failed(&fault)),
        }
    }
    Err(match (last, note) {
        (Some(ImageError::Pull(why)), Some(note)) => ImageError::Pull(format!("{why}: {note}")),
        (Some(error), _) => error,
        (None, note) => ImageError::Pull(note.unwrap_or_default()),
    })
}

async fn fetch(store: &ImageStore, name: &Reference, registry: &mut Registry, folder: &Path) -> Result<Image, Fault> {
    let (manifest, digest) = resolve(registry, name).await?;
    let size = manifest.size();
    if size > store.most() {
        return Err(Fault::Document("it is larger than an image may be".to_owned()));
    }
    let config = registry.config(&manifest.config).await.map_err(Fault::Fetch)?;
    for (index, layer) in manifest.layers.iter().enumerate() {
        let mut file = tokio::fs::File::create(folder.join(index.to_string())).await?;
        registry.layer(layer, &mut file).await.map_err(Fault::Fetch)?;
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

/// The manifest for this machine's platform, and its digest.
async fn resolve(registry: &mut Registry, name: &Reference) -> Result<(Manifest, String), Fault> {
    /// An index may name an index, but hardly one that names another.
    const DEPTH_MAX: usize = 4;
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        media_type: Option<String>,
    }
    let mut which = name.digest.as_ref().or(name.tag.as_ref()).cloned();
    for _ in 0..=DEPTH_MAX {
        let asked = which.as_deref().unwrap_or("latest");
        let document = registry.manifest(asked).await.map_err(Fault::Resolve)?;
        let read =
            |error: serde_json::Error| Fault::Document(format!("the manifest is not what it should be: {error}"));
        // What it says of itself is covered by its digest; what the registry says of it is not.
        let typed: Typed = serde_json::from_slice(&document.bytes).map_err(read)?;
        if !is_index(typed.media_type.as_ref().unwrap_or(&document.media_type)) {
            return Ok((serde_json::from_slice(&document.bytes).map_err(read)?, document.digest));
        }
        let index: Index = serde_json::from_slice(&document.bytes).map_err(read)?;
        let chosen = index.for_this_platform().ok_or(Fault::NoPlatform)?;
        which = Some(chosen.digest.clone());
    }
    Err(Fault::Document("its indexes are nested too deeply".to_owned()))
}

/// What to try, in order: the pod's own credentials, the machine's, none; and why the machine's can't be had.
async fn authentications(name: &Reference, credentials: &[Credentials]) -> (Vec<Option<Credentials>>, Option<String>) {
    let own = credentials
        .iter()
        .filter(|one| docker_config::fits(&one.registry, name));
    let (machine, note) = match docker_config::of_machine(name).await {
        Ok(found) => (found, None),
        Err(why) => (None, Some(why)),
    };
    let known = own.cloned().chain(machine).map(Some);
    (known.chain([None]).collect(), note)
}

#[cfg(test)]
mod tests;
