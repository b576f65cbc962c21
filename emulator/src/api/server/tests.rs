use std::io;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::api::Credentials;
use crate::api::tests::api;

/// A server on a port of its own, with the credentials that its clients need.
struct Served {
    address: SocketAddr,
    credentials: Credentials,
    folder: tempfile::TempDir,
    _key: tempfile::TempDir,
}

async fn served() -> Served {
    let (api, key) = api();
    let folder = tempfile::tempdir().unwrap();
    let credentials = Credentials::load_or_create(folder.path(), jiff::Timestamp::now()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tls, clients) = (credentials.server.clone(), credentials.clients.clone());
    tokio::spawn(serve(listener, tls, clients, api, std::future::pending()));
    Served {
        address,
        credentials,
        folder,
        _key: key,
    }
}

impl Served {
    /// A connection with a client certificate and its key, PEM, or without.
    async fn connect(&self, identity: Option<(&str, &str)>) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        let ca = self.credentials.certificate_authority.as_bytes();
        roots.add(CertificateDer::from_pem_slice(ca).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => config
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
                )
                .unwrap(),
        };
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// The code and body of the answer to a request.
    async fn ask(&self, identity: Option<(&str, &str)>, request: &str) -> (u16, Value) {
        let mut connection = self.connect(identity).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let code = head.split(' ').nth(1).unwrap().parse().unwrap();
        (code, serde_json::from_str(body).unwrap_or_default())
    }
}

const GET: &str = "GET /api/v1/namespaces/default/pods HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// A certificate that a CA in a folder signs.
fn signed(folder: &std::path::Path, name: &str, group: &str, expires: i32) -> (String, String) {
    use rcgen::{CertificateParams, DnType, Issuer, KeyPair};
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("ca.crt"), KeyPair::from_pem(&read("ca.key")).unwrap()).unwrap();
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::OrganizationName, group);
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    parameters.not_after = rcgen::date_time_ymd(expires, 1, 1);
    let key = KeyPair::generate().unwrap();
    (parameters.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
}

#[tokio::test]
async fn client_certificates_are_judged_over_http() {
    let server = served().await;
    let own = (
        server.credentials.client_certificate.as_str(),
        server.credentials.client_key.as_str(),
    );
    assert_eq!(server.ask(Some(own), GET).await.0, 200);
    assert_eq!(server.ask(None, GET).await.0, 403);
    let folder = server.folder.path();
    let (certificate, key) = signed(folder, "jane", "dev", 2100);
    let (code, status) = server.ask(Some((&certificate, &key)), GET).await;
    assert_eq!(code, 403);
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .contains("User \"jane\" cannot list resource \"pods\""),
        "{status}"
    );
    let (certificate, key) = signed(folder, "jane", "system:masters", 2100);
    assert_eq!(server.ask(Some((&certificate, &key)), GET).await.0, 200);
    let (certificate, key) = signed(folder, "jane", "system:masters", 2020);
    assert_eq!(server.ask(Some((&certificate, &key)), GET).await.0, 401);
    let other = tempfile::tempdir().unwrap();
    Credentials::load_or_create(other.path(), jiff::Timestamp::now()).unwrap();
    let (certificate, key) = signed(other.path(), "jane", "system:masters", 2100);
    let (code, status) = server.ask(Some((&certificate, &key)), GET).await;
    assert_eq!((code, &status["message"]), (401, &"Unauthorized".into()));
}

#[tokio::test]
async fn plain_http_is_told_of_tls() {
    let server = served().await;
    for request in [GET, "POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.0 400 Bad Request\r\n"), "{answer}");
        assert!(
            answer.ends_with("Client sent an HTTP request to an HTTPS server.\n"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn body_beyond_the_limit_is_too_large() {
    let server = served().await;
    let own = (
        server.credentials.client_certificate.as_str(),
        server.credentials.client_key.as_str(),
    );
    let body = "x".repeat(3 * 1024 * 1024 + 1);
    let request = format!(
        "POST /api/v1/namespaces/default/pods HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (code, status) = server.ask(Some(own), &request).await;
    assert_eq!((code, &status["reason"]), (413, &"RequestEntityTooLarge".into()));
    assert_eq!(status["message"], "Request entity too large: limit is 3145728");
}

#[tokio::test]
async fn unknown_clients_keep_nobody_out() {
    let server = served().await;
    let own = (
        server.credentials.client_certificate.as_str(),
        server.credentials.client_key.as_str(),
    );
    let mut known = server.connect(Some(own)).await.unwrap();
    // An answer shows that the server knows the client by now.
    known
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut healthy = Vec::new();
    while !healthy.ends_with(b"ok") {
        healthy.push(known.read_u8().await.unwrap());
    }
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    assert_eq!(server.ask(Some(own), GET).await.0, 200);
    // The oldest silent one was ended for it, a known client was not.
    assert_eq!(silent[0].read(&mut [0; 1]).await.unwrap_or_default(), 0);
    known.write_all(GET.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    known.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
}
