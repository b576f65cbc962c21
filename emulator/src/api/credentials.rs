//! The emulator's certificates: a CA that stays, and a server's and a client's made anew at each start.

use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::client_certificate::ClientVerifier;

/// How long the CA is valid.
const CA_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 3650);
/// How long the server's and the client's certificates are; each start makes new ones.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 365);
/// Clocks differ.
const LEEWAY: SignedDuration = SignedDuration::from_hours(24);

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The disk refused.
    #[error("cannot keep the credentials: {0}")]
    Io(#[from] io::Error),
    /// What is on disk is no CA.
    #[error("the emulator's CA in {path} is damaged: {source}: remove the folder to have a new one made", path = .folder.display())]
    Damaged {
        /// The folder that it is in.
        folder: PathBuf,
        /// What is wrong.
        source: rcgen::Error,
    },
    /// No certificate can be made.
    #[error("cannot make certificates: {0}")]
    Certificate(#[from] rcgen::Error),
    /// They don't fit together.
    #[error("the emulator's certificates can't be used: {0}")]
    Tls(String),
}

/// What a client needs, and what the server runs with.
pub struct Credentials {
    /// The CA's certificate, PEM.
    pub certificate_authority: String,
    /// The administrator's certificate, PEM.
    pub client_certificate: String,
    /// Its key, PEM. Never printed.
    pub client_key: String,
    /// TLS for the server.
    pub server: Arc<ServerConfig>,
    /// Decides whose client certificates are valid.
    pub clients: ClientVerifier,
}

impl Credentials {
    /// The CA in `folder`, made where there is none, and certificates that it signs.
    ///
    /// # Errors
    /// Where the folder can't be used or holds something else.
    pub fn load_or_create(folder: &Path, now: Timestamp) -> Result<Self, CredentialsError> {
        make_private(folder)?;
        let (ca, key) = authority(folder, now)?;
        let issuer = Issuer::from_ca_cert_pem(&ca, key).map_err(|source| damaged(folder, source))?;
        let (server_certificate, server_key) = signed(&issuer, server(), now)?;
        let (client_certificate, client_key) = signed(&issuer, client(), now)?;
        let clients = ClientVerifier::new(&ca).map_err(CredentialsError::Tls)?;
        let config = server_config(&clients, &server_certificate, &server_key).map_err(CredentialsError::Tls)?;
        Ok(Self {
            certificate_authority: ca,
            client_certificate,
            client_key,
            server: Arc::new(config),
            clients,
        })
    }
}

fn damaged(folder: &Path, source: rcgen::Error) -> CredentialsError {
    CredentialsError::Damaged {
        folder: folder.to_owned(),
        source,
    }
}

/// The certificate and the key of the CA.
fn authority(folder: &Path, now: Timestamp) -> Result<(String, KeyPair), CredentialsError> {
    let (certificate_path, key_path) = (folder.join("ca.crt"), folder.join("ca.key"));
    if let (Ok(certificate), Ok(key)) = (fs::read_to_string(&certificate_path), fs::read_to_string(&key_path)) {
        let key = KeyPair::from_pem(&key).map_err(|source| damaged(folder, source))?;
        return Ok((certificate, key));
    }
    let key = KeyPair::generate()?;
    let mut parameters = CertificateParams::default();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "kubectl-pod emulator");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    valid(&mut parameters, now, CA_LIFETIME);
    let certificate = parameters.self_signed(&key)?.pem();
    // The certificate comes last: a key without one is made anew.
    write_private(&key_path, &key.serialize_pem())?;
    write_private(&certificate_path, &certificate)?;
    Ok((certificate, key))
}

fn server() -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    parameters.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
    for name in [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
    ] {
        parameters
            .subject_alt_names
            .extend(name.try_into().map(SanType::DnsName));
    }
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters
}

fn client() -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters
        .distinguished_name
        .push(DnType::OrganizationName, "system:masters");
    parameters
        .distinguished_name
        .push(DnType::CommonName, super::user::ADMINISTRATOR);
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    parameters
}

fn signed(
    issuer: &Issuer<'_, KeyPair>,
    mut parameters: CertificateParams,
    now: Timestamp,
) -> Result<(String, String), CredentialsError> {
    let key = KeyPair::generate()?;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.use_authority_key_identifier_extension = true;
    valid(&mut parameters, now, LIFETIME);
    Ok((parameters.signed_by(&key, issuer)?.pem(), key.serialize_pem()))
}

fn valid(parameters: &mut CertificateParams, now: Timestamp, lifetime: SignedDuration) {
    let day = |time: Timestamp| {
        let date = time.to_zoned(TimeZone::UTC).date();
        rcgen::date_time_ymd(
            date.year().into(),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        )
    };
    parameters.not_before = day(now.checked_sub(LEEWAY).unwrap_or(now));
    parameters.not_after = day(now.checked_add(lifetime).unwrap_or(now));
}

fn server_config(clients: &ClientVerifier, certificate: &str, key: &str) -> Result<ServerConfig, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|e| text(&e))?];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|e| text(&e))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| text(&e))?
        .with_client_cert_verifier(clients.for_handshakes())
        .with_single_cert(chain, key)
        .map_err(|e| text(&e))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn write_private(path: &Path, content: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // The name comes last: a full disk leaves no half of a key under it.
    let unfinished = path.with_extension("new");
    options.open(&unfinished)?.write_all(content.as_bytes())?;
    fs::rename(unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ca_stays_over_restarts_and_the_rest_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::now();
        let first = Credentials::load_or_create(folder.path(), now).unwrap();
        let second = Credentials::load_or_create(folder.path(), now).unwrap();
        assert_eq!(first.certificate_authority, second.certificate_authority);
        assert_ne!(first.client_certificate, second.client_certificate);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_the_key() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        Credentials::load_or_create(folder.path(), Timestamp::now()).unwrap();
        let mode = fs::metadata(folder.path().join("ca.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
