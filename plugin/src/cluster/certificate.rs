//! What TLS refuses, in the words of Go's `crypto/tls` and `crypto/x509`.

use rustls::{AlertDescription, CertificateError};

use super::dial::host;
use super::error::innermost;

/// What a failed handshake with `server` (host and port) means.
pub(super) fn tls_words(error: &rustls::Error, server: &str) -> String {
    let certificate = match error {
        rustls::Error::InvalidCertificate(certificate) => certificate,
        rustls::Error::InvalidMessage(_) => return "http: server gave HTTP response to HTTPS client".to_owned(),
        rustls::Error::AlertReceived(alert) => {
            return format!("remote error: tls: {}", alert_words(*alert));
        }
        other => return format!("tls: {other}"),
    };
    let why = match certificate {
        CertificateError::Expired => "certificate has expired or is not yet valid".to_owned(),
        CertificateError::ExpiredContext { time, not_after } => format!(
            "certificate has expired or is not yet valid: current time {} is after {}",
            moment(*time),
            moment(*not_after)
        ),
        CertificateError::NotValidYet => "certificate has expired or is not yet valid".to_owned(),
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "certificate has expired or is not yet valid: current time {} is before {}",
            moment(*time),
            moment(*not_before)
        ),
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "certificate signed by unknown authority".to_owned()
        }
        CertificateError::NotValidForName => {
            format!("certificate is not valid for {}", host(server))
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            not_valid_for(&expected.to_str(), presented)
        }
        CertificateError::Revoked => "certificate has been revoked".to_owned(),
        other if other.to_string().contains("CaUsedAsEndEntity") => {
            "certificate signed by unknown authority (it is one of an authority itself, and none for a server)"
                .to_owned()
        }
        other => other.to_string(),
    };
    format!("tls: failed to verify certificate: x509: {why}")
}

/// Go names the addresses to who came by address, and the names to who came by name (`x509.HostnameError`).
fn not_valid_for(expected: &str, presented: &[String]) -> String {
    let is_address = expected.parse::<std::net::IpAddr>().is_ok();
    let names: Vec<&str> = presented
        .iter()
        .filter(|name| name.starts_with("IpAddress") == is_address)
        .map(|name| bare_name(name))
        .collect();
    if !names.is_empty() {
        return format!("certificate is valid for {}, not {expected}", names.join(", "));
    }
    if is_address {
        return format!("cannot validate certificate for {expected} because it doesn't contain any IP SANs");
    }
    format!("certificate is not valid for any names, but wanted to match {expected}")
}

/// The name inside `DnsName("kubernetes")` or `IpAddress(127.0.0.1)`, as rustls presents a certificate's names.
fn bare_name(presented: &str) -> &str {
    let inner = presented.split_once('(').map_or(presented, |(_, inner)| inner);
    inner.trim_end_matches(')').trim_matches('"')
}

/// What is wrong with a client's certificate and key.
pub(super) fn identity_words(error: &(dyn std::error::Error + 'static)) -> String {
    match innermost(error).as_str() {
        words if words.contains("KeyMismatch") || words.contains("keys may not be consistent") => {
            "tls: private key does not match public key".to_owned()
        }
        words => words.to_owned(),
    }
}

fn moment(time: rustls::pki_types::UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| k8s_openapi::jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| time.as_secs().to_string(), |time| time.to_string())
}

/// An alert of the other side (`crypto/tls/alert.go`).
fn alert_words(alert: AlertDescription) -> String {
    let words = match alert {
        AlertDescription::BadCertificate => "bad certificate",
        AlertDescription::UnsupportedCertificate => "unsupported certificate",
        AlertDescription::CertificateRevoked => "revoked certificate",
        AlertDescription::CertificateExpired => "expired certificate",
        AlertDescription::CertificateUnknown => "unknown certificate",
        AlertDescription::IllegalParameter => "illegal parameter",
        AlertDescription::UnknownCA => "unknown certificate authority",
        AlertDescription::AccessDenied => "access denied",
        AlertDescription::DecodeError => "error decoding message",
        AlertDescription::DecryptError => "error decrypting message",
        AlertDescription::ProtocolVersion => "protocol version not supported",
        AlertDescription::InsufficientSecurity => "insufficient security level",
        AlertDescription::InternalError => "internal error",
        AlertDescription::UserCanceled => "user canceled",
        AlertDescription::UnrecognisedName => "unrecognized name",
        AlertDescription::CertificateRequired => "certificate required",
        AlertDescription::NoApplicationProtocol => "no application protocol",
        AlertDescription::HandshakeFailure => "handshake failure",
        AlertDescription::UnexpectedMessage => "unexpected message",
        AlertDescription::BadRecordMac => "bad record MAC",
        AlertDescription::RecordOverflow => "record overflow",
        other => return format!("alert({})", u8::from(other)),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presented() -> Vec<String> {
        [
            "DnsName(\"localhost\")",
            "DnsName(\"kubernetes\")",
            "IpAddress(127.0.0.1)",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    #[test]
    fn a_certificate_for_other_names_lists_those_of_its_kind() {
        assert_eq!(
            not_valid_for("other", &presented()),
            "certificate is valid for localhost, kubernetes, not other"
        );
        assert_eq!(
            not_valid_for("10.0.0.1", &presented()),
            "certificate is valid for 127.0.0.1, not 10.0.0.1"
        );
        assert_eq!(
            not_valid_for("10.0.0.1", &presented()[..2]),
            "cannot validate certificate for 10.0.0.1 because it doesn't contain any IP SANs"
        );
    }

    #[test]
    fn alerts_are_called_as_go_calls_them() {
        assert_eq!(alert_words(AlertDescription::CertificateExpired), "expired certificate");
        assert_eq!(
            alert_words(AlertDescription::UnknownCA),
            "unknown certificate authority"
        );
    }
}
