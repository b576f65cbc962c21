//! What kube's client needs to know, out of a cluster and a user of a kubeconfig.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Uri;
use kube::config::{AuthInfo, Cluster, KubeconfigError};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::credentials::unread;
use super::error::ClusterError;
use super::proxy::{self, Environment};

/// The client's configuration.
///
/// # Errors
/// An address that is none; certificates and keys that are none.
pub(super) fn of(
    cluster: &Cluster,
    mut user: AuthInfo,
    namespace: Option<String>,
    environment: &Environment,
) -> Result<kube::Config, ClusterError> {
    let server = cluster.server.clone().unwrap_or_default();
    let url = address(&server)?;
    let mut config = kube::Config::new(url);
    if let Some(namespace) = namespace.filter(|namespace| !namespace.is_empty()) {
        config.default_namespace = namespace;
    }
    config.proxy_url = match cluster.proxy_url.as_deref().filter(|url| !url.is_empty()) {
        Some(url) => Some(proxy::parse(url).map_err(ClusterError::Configuration)?),
        None => environment
            .proxy_for(&config.cluster_url)
            .map_err(ClusterError::Unreachable)?,
    };
    config.root_cert = authorities(cluster)?;
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    config.tls_server_name = cluster.tls_server_name.clone().filter(|name| !name.is_empty());
    if let Some(plugin) = user.exec.as_mut().filter(|plugin| plugin.provide_cluster_info) {
        plugin.cluster = Some(cluster.try_into().map_err(|error| unusable(&error))?);
    }
    check_identity(&user)?;
    config.auth_info = user;
    Ok(config)
}

/// The configuration for an emulator of our own: its address, its authority, and our certificate.
///
/// # Errors
/// Certificates that cannot be read.
pub(super) fn of_emulator(connection: &emulator::emulator::Connection) -> Result<kube::Config, ClusterError> {
    let encoded = |pem: &str| BASE64.encode(pem);
    let cluster = Cluster {
        server: Some(connection.server.clone()),
        certificate_authority_data: Some(encoded(&connection.certificate_authority)),
        ..Cluster::default()
    };
    let user = AuthInfo {
        client_certificate_data: Some(encoded(&connection.client_certificate)),
        client_key_data: Some(encoded(&connection.client_key).into()),
        ..AuthInfo::default()
    };
    of(&cluster, user, None, &Environment::default())
}

/// Reads the server's address.
fn address(server: &str) -> Result<Uri, ClusterError> {
    let (scheme, rest) = server.split_once("://").unwrap_or(("", server));
    if scheme.is_empty() || rest.is_empty() {
        return Err(ClusterError::Configuration(format!(
            "host must be a URL or a host:port pair: {:?}",
            server.trim_start_matches("http://")
        )));
    }
    let host = rest.split('/').next().unwrap_or_default();
    if let Some(character) = host
        .chars()
        .find(|character| character.is_whitespace() || "<>\"".contains(*character))
    {
        return Err(ClusterError::Unreachable(format!(
            "invalid character {:?} in host name",
            character.to_string()
        )));
    }
    server.parse().map_err(|error| {
        ClusterError::Configuration(format!("the server's address {server:?} cannot be read: {error}"))
    })
}

/// The authorities that the server's certificate may come from; none where the system's are meant.
fn authorities(cluster: &Cluster) -> Result<Option<Vec<Vec<u8>>>, ClusterError> {
    let file = cluster.certificate_authority.as_deref();
    let Some(pem) = contents(cluster.certificate_authority_data.as_deref(), file)? else {
        return Ok(None);
    };
    let certificates: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(&pem)
        .filter_map(Result::ok)
        .map(|certificate| certificate.to_vec())
        .collect();
    if certificates.is_empty() {
        return Err(ClusterError::Configuration(
            "unable to load root certificates: unable to parse bytes as PEM block".to_owned(),
        ));
    }
    Ok(Some(certificates))
}

/// A client's certificate and key have to be what their names say (`crypto/tls.X509KeyPair`).
fn check_identity(user: &AuthInfo) -> Result<(), ClusterError> {
    use secrecy::ExposeSecret;

    let key_data = user
        .client_key_data
        .as_ref()
        .map(|data| data.expose_secret().to_owned());
    let certificate = contents(
        user.client_certificate_data.as_deref(),
        user.client_certificate.as_deref(),
    )?;
    let Some(certificate) = certificate else {
        return Ok(());
    };
    let key = contents(key_data.as_deref(), user.client_key.as_deref())?.unwrap_or_default();
    let lacks = |what: &str| {
        let words = format!("tls: failed to find any PEM data in {what} input");
        // What is in the kubeconfig is read before, and what is in files while the connection is made.
        if user.client_certificate_data.is_some() {
            ClusterError::Configuration(words)
        } else {
            ClusterError::Unreachable(words)
        }
    };
    if CertificateDer::pem_slice_iter(&certificate)
        .filter_map(Result::ok)
        .next()
        .is_none()
    {
        return Err(lacks("certificate"));
    }
    if PrivateKeyDer::from_pem_slice(&key).is_err() {
        return Err(lacks("key"));
    }
    Ok(())
}

/// What is written in the kubeconfig, else what a file holds.
fn contents(data: Option<&str>, file: Option<&str>) -> Result<Option<Vec<u8>>, ClusterError> {
    if let Some(data) = data.filter(|data| !data.is_empty()) {
        let decoded = BASE64
            .decode(data)
            .map_err(|error| ClusterError::Configuration(error.to_string()))?;
        return Ok(Some(decoded));
    }
    let Some(path) = file.filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    let read = std::fs::read(path).map_err(|error| ClusterError::Configuration(unread(Path::new(path), &error)))?;
    Ok(Some(read))
}

fn unusable(error: &KubeconfigError) -> ClusterError {
    ClusterError::Configuration(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(server: &str) -> String {
        address(server).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_address_is_said_as_kubectl_says_it() {
        assert_eq!(said("://x"), "error: host must be a URL or a host:port pair: \"://x\"");
        assert_eq!(
            said("http://bad url"),
            "Unable to connect to the server: invalid character \" \" in host name"
        );
    }

    #[test]
    fn an_authority_that_is_no_certificate_is_refused() {
        let cluster = Cluster {
            server: Some("https://127.0.0.1".into()),
            certificate_authority_data: Some(BASE64.encode("no certificate")),
            ..Cluster::default()
        };
        let error = of(&cluster, AuthInfo::default(), None, &Environment::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "error: unable to load root certificates: unable to parse bytes as PEM block"
        );
    }
}
