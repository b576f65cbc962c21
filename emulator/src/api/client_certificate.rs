//! Whose a client's certificate is.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, UnixTime, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use x509_parser::prelude::{FromDer, X509Certificate};

/// What a client has shown of itself when it connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCertificate {
    /// No certificate.
    None,
    /// One that another CA has signed, or that is no longer valid, or not yet.
    Invalid,
    /// One of the emulator's CA, for a user.
    Valid {
        /// The common name.
        name: String,
        /// The organizations.
        groups: Vec<String>,
    },
}

/// Decides whose client certificates are valid.
#[derive(Clone, Debug)]
pub struct ClientVerifier(Arc<dyn ClientCertVerifier>);

impl ClientVerifier {
    /// One that trusts a CA, PEM.
    ///
    /// # Errors
    /// What is wrong with the CA.
    pub(super) fn new(ca: &str) -> Result<Self, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(ca.as_bytes()).map_err(|error| text(&error))?;
        roots.add(certificate).map_err(|error| text(&error))?;
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .allow_unauthenticated()
            .build()
            .map_err(|error| text(&error))?;
        Ok(Self(verifier))
    }

    /// Returns whose certificate a client has shown: its own first, then those of its issuers.
    pub fn identify(&self, chain: Option<&[CertificateDer<'_>]>) -> ClientCertificate {
        let Some((own, issuers)) = chain.and_then(<[_]>::split_first) else {
            return ClientCertificate::None;
        };
        if self.0.verify_client_cert(own, issuers, UnixTime::now()).is_err() {
            return ClientCertificate::Invalid;
        }
        let Ok((_, certificate)) = X509Certificate::from_der(own) else {
            return ClientCertificate::Invalid;
        };
        let subject = certificate.subject();
        let name = subject.iter_common_name().find_map(|name| name.as_str().ok());
        let groups = subject.iter_organization().filter_map(|group| group.as_str().ok());
        match name.filter(|name| !name.is_empty()) {
            Some(name) => ClientCertificate::Valid {
                name: name.to_owned(),
                groups: groups.map(str::to_owned).collect(),
            },
            // It says nothing about its owner, as no certificate does.
            None => ClientCertificate::None,
        }
    }

    /// The verifier for handshakes. It takes every certificate whose key the client has: what is wrong with it is said over
    /// HTTP, where a client can show it, and not by a handshake that fails.
    pub(super) fn for_handshakes(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::new(AnyCertificate(self.0.clone()))
    }
}

#[derive(Debug)]
struct AnyCertificate(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

    use super::*;

    struct Authority(CertificateParams, KeyPair);

    impl Authority {
        fn new() -> Self {
            let mut parameters = CertificateParams::default();
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            Self(parameters, KeyPair::generate().unwrap())
        }

        fn pem(&self) -> String {
            self.0.clone().self_signed(&self.1).unwrap().pem()
        }

        fn sign(&self, name: &str, groups: &[&str], expires: i32) -> CertificateDer<'static> {
            let mut parameters = CertificateParams::default();
            for group in groups {
                parameters.distinguished_name.push(DnType::OrganizationName, *group);
            }
            parameters.distinguished_name.push(DnType::CommonName, name);
            parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            parameters.not_after = rcgen::date_time_ymd(expires, 1, 1);
            let key = KeyPair::from_pem(&self.1.serialize_pem()).unwrap();
            let issuer = Issuer::from_ca_cert_pem(&self.pem(), key).unwrap();
            parameters
                .signed_by(&KeyPair::generate().unwrap(), &issuer)
                .unwrap()
                .der()
                .clone()
        }
    }

    #[test]
    fn certificates_are_told_apart() {
        let (own, other) = (Authority::new(), Authority::new());
        let verifier = ClientVerifier::new(&own.pem()).unwrap();
        let identify = |certificate: CertificateDer<'static>| verifier.identify(Some(&[certificate]));
        let valid = ClientCertificate::Valid {
            name: "jane".to_owned(),
            groups: vec!["dev".to_owned()],
        };
        assert_eq!(identify(own.sign("jane", &["dev"], 2100)), valid);
        assert_eq!(identify(own.sign("jane", &["dev"], 2020)), ClientCertificate::Invalid);
        assert_eq!(
            identify(other.sign("jane", &["system:masters"], 2100)),
            ClientCertificate::Invalid
        );
        assert_eq!(verifier.identify(None), ClientCertificate::None);
        assert_eq!(verifier.identify(Some(&[])), ClientCertificate::None);
    }
}
