//! Pulling an image from its registry.

use std::{fs::File, path::Path, time::Duration};

use oci_client::{
    Client, Reference as Remote, RegistryOperation,
    client::{ClientConfig, ClientProtocol},
    secrets::RegistryAuth,
};
use tokio::io::AsyncWriteExt;

use super::{
    Credentials, Image, ImageError, docker_config, pull_error::Fault, reference::Reference, store::ImageStore,
};

/// How long a registry may take to answer, and to send more.
const PATIENCE: Duration = Duration::from_secs(30);

/// Fetches manifest, configuration and layers, and adds them to the store. Every blob is checked against its digest.
pub(super) async fn pull(
    store: &ImageStore,
    name: &Reference,
    credentials: &[Credentials],
) -> Result<Image, ImageError> {
    let url = name.manifest_url();
    let failed = |fault: &Fault| ImageError::Pull(fault.sentence(name, &url));
    let (known, note) = authentications(name, credentials).await;
    let work = store.begin().map_err(|error| failed(&error.into()))?;
    let mut last = None;
    for auth in known {
        match fetch(store, name, &auth, work.path()).await {
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

async fn fetch(store: &ImageStore, name: &Reference, auth: &RegistryAuth, folder: &Path) -> Result<Image, Fault> {
    // The TLS library wants one provider for the process; somebody else may have chosen the same.
    drop(rustls::crypto::ring::default_provider().install_default());
    let protocol = if name.is_local() {
        ClientProtocol::Http
    } else {
        ClientProtocol::Https
    };
    let client = Client::new(ClientConfig {
        protocol,
        connect_timeout: Some(PATIENCE),
        read_timeout: Some(PATIENCE),
        ..ClientConfig::default()
    });
    let remote: Remote = name
        .to_string()
        .parse()
        .map_err(|error| std::io::Error::other(format!("{error}")))?;
    let resolving = async {
        client.auth(&remote, auth, RegistryOperation::Pull).await?;
        client.pull_image_manifest(&remote, auth).await
    };
    let (manifest, digest) = resolving.await.map_err(Fault::Resolve)?;
    let mut config = Vec::new();
    client
        .pull_blob(&remote, &manifest.config, &mut config)
        .await
        .map_err(Fault::Fetch)?;
    let mut size = config.len() as u64;
    for (index, layer) in manifest.layers.iter().enumerate() {
        let mut file = tokio::fs::File::create(folder.join(index.to_string())).await?;
        client
            .pull_blob(&remote, layer, &mut file)
            .await
            .map_err(Fault::Fetch)?;
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

/// What to try, in order: the pod's own credentials, the machine's, none; and why the machine's can't be had.
async fn authentications(name: &Reference, credentials: &[Credentials]) -> (Vec<RegistryAuth>, Option<String>) {
    let own = credentials
        .iter()
        .filter(|one| docker_config::fits(&one.registry, name));
    let (machine, note) = match docker_config::of_machine(name).await {
        Ok(found) => (found, None),
        Err(why) => (None, Some(why)),
    };
    let known = own
        .cloned()
        .chain(machine)
        .map(|one| RegistryAuth::Basic(one.username, one.password));
    (known.chain([RegistryAuth::Anonymous]).collect(), note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_registry_that_is_not_there_is_told_in_the_words_of_a_node() {
        let folder = tempfile::tempdir().unwrap();
        let store = ImageStore::open(folder.path(), vec![]).unwrap();
        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let name = Reference::parse(&format!("127.0.0.1:{port}/a:1")).unwrap();
        let error = pull(&store, &name, &[]).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "rpc error: code = Unknown desc = failed to pull and unpack image \"{name}\": failed to resolve image: \
                 failed to do request: Head \"http://127.0.0.1:{port}/v2/a/manifests/1\": \
                 dial tcp 127.0.0.1:{port}: connect: connection refused"
            )
        );
        assert_eq!(std::fs::read_dir(folder.path().join("work")).unwrap().count(), 0);
    }
}
