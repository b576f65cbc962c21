//! Pushing an image to a registry.

use oci_client::{
    Client, Reference as Remote, RegistryOperation,
    client::{ClientConfig, ClientProtocol},
    errors::OciDistributionError,
    secrets::RegistryAuth,
};

use super::{ImageError, docker_config, reference::Reference};

/// Digest, media type, and content of a manifest.
pub type Manifest = (String, &'static str, Vec<u8>);

/// What there is to push.
#[derive(Clone, Debug, Default)]
pub struct Upload {
    /// Layers and configurations, by their digests.
    pub blobs: Vec<(String, Vec<u8>)>,
    /// The manifests that the top one names.
    pub manifests: Vec<Manifest>,
    /// What the image's name stands for.
    pub top: Manifest,
}

/// Pushes under the name `reference`, with the machine's docker credentials where it has some for the registry.
///
/// # Errors
/// `InvalidName`, or `Pull` with what the registry said.
pub async fn push(reference: &str, upload: &Upload) -> Result<(), ImageError> {
    let remote: Remote = reference
        .parse()
        .map_err(|error| ImageError::InvalidName(format!("\"{reference}\" is no image name: {error}")))?;
    send(&remote, upload)
        .await
        .map_err(|error| ImageError::Pull(format!("cannot push {reference}: {error}")))
}

async fn send(remote: &Remote, upload: &Upload) -> Result<(), OciDistributionError> {
    // Another part of the process may have chosen it already: there is only the one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let registry = remote.registry();
    // Registries on this machine speak plain HTTP, as container engines assume.
    let local = registry.starts_with("localhost") || registry.starts_with("127.");
    let protocol = if local {
        ClientProtocol::Http
    } else {
        ClientProtocol::Https
    };
    let client = Client::new(ClientConfig {
        protocol,
        ..ClientConfig::default()
    });
    let name = Reference {
        registry: registry.to_owned(),
        repository: remote.repository().to_owned(),
        tag: None,
        digest: None,
    };
    let found = docker_config::of_machine(&name)
        .await
        .map_err(OciDistributionError::AuthenticationFailure)?;
    let auth = found.map_or(RegistryAuth::Anonymous, |found| {
        RegistryAuth::Basic(found.username, found.password)
    });
    client.auth(remote, &auth, RegistryOperation::Push).await?;
    for (digest, content) in &upload.blobs {
        client.push_blob(remote, content.clone(), digest).await?;
    }
    for (digest, media_type, content) in &upload.manifests {
        put(&client, &remote.clone_with_digest(digest.clone()), media_type, content).await?;
    }
    let (_, media_type, content) = &upload.top;
    put(&client, remote, media_type, content).await
}

async fn put(
    client: &Client,
    name: &Remote,
    media_type: &'static str,
    content: &[u8],
) -> Result<(), OciDistributionError> {
    let media_type = axum::http::HeaderValue::from_static(media_type);
    client
        .push_manifest_raw(name, content.to_vec(), media_type)
        .await
        .map(drop)
}
