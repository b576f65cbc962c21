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
        .map_err(|error| ImageError::Pull(format!("cannot push {reference}: {}", with_cause(&error))))
}

/// An error with what lies at its bottom: that no connection was made says less than why.
fn with_cause(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    match causes.last().map(ToString::to_string) {
        Some(cause) if !error.to_string().contains(&cause) => format!("{error}: {cause}"),
        _ => error.to_string(),
    }
}

async fn send(remote: &Remote, upload: &Upload) -> Result<(), OciDistributionError> {
    // Another part of the process may have chosen it already: there is only the one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let name = Reference {
        registry: remote.registry().to_owned(),
        repository: remote.repository().to_owned(),
        tag: None,
        digest: None,
    };
    // Registries on this machine speak plain HTTP, as container engines assume.
    let protocol = if name.is_local() {
        ClientProtocol::Http
    } else {
        ClientProtocol::Https
    };
    let client = Client::new(ClientConfig {
        protocol,
        ..ClientConfig::default()
    });
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
