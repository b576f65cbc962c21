//! Failures on the way to the server: names, routes, TLS, auth plugins. Said as Go's standard library says them, since
//! that is what people search for.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use super::error::{ClusterError, innermost};

/// What a failed request to `server` (host and port) means.
pub(super) fn classify(error: &(dyn Error + 'static), server: &str) -> ClusterError {
    for cause in chain(error) {
        if let Some(tls) = tls_error(cause) {
            return ClusterError::Unreachable(tls_words(tls, server));
        }
        let io = cause.downcast_ref::<io::Error>();
        if let Some(words) = io.and_then(|error| route_words(error, server)) {
            return words;
        }
        // The resolver's error hides its kind; its words are those of the C library.
        if cause.to_string().contains("failed to lookup address information") {
            return ClusterError::Unreachable(no_such_host(server));
        }
    }
    ClusterError::Unreachable(match innermost(error).as_str() {
        "connection closed before message completed" | "unexpected end of file" => "EOF".to_owned(),
        "deadline has elapsed" => format!("dial tcp {server}: i/o timeout"),
        other => other.to_owned(),
    })
}

/// What a failed auth plugin, or another source of credentials, means.
pub(super) fn credentials(error: &kube::client::AuthError) -> String {
    use kube::client::AuthError;
    match error {
        AuthError::AuthExecStart(error) if error.kind() == io::ErrorKind::NotFound => {
            "getting credentials: exec: executable not found\n\nIt looks like you are trying to use a client-go \
             credential plugin that is not installed."
                .to_owned()
        }
        AuthError::AuthExecRun { cmd, out } => {
            let said = String::from_utf8_lossy(&out.stderr);
            let code = out
                .status
                .code()
                .map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
            format!(
                "getting credentials: exec: executable {cmd} failed with {code}\n{}",
                said.trim()
            )
            .trim()
            .to_owned()
        }
        other => format!("getting credentials: {}", innermost(other)),
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let current = next?;
        // An I/O error does not count what it wraps as its source, but as itself.
        next = match current.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => current.source(),
        };
        Some(current)
    })
}

fn tls_error<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    cause.downcast_ref::<rustls::Error>()
}

fn route_words(error: &io::Error, server: &str) -> Option<ClusterError> {
    let dialled = |words: &str| Some(ClusterError::Unreachable(format!("dial tcp {server}: {words}")));
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(ClusterError::Refused {
            server: server.to_owned(),
        }),
        io::ErrorKind::HostUnreachable => dialled("connect: no route to host"),
        io::ErrorKind::NetworkUnreachable => dialled("connect: network is unreachable"),
        io::ErrorKind::TimedOut => dialled("i/o timeout"),
        io::ErrorKind::ConnectionReset => Some(ClusterError::Unreachable(format!(
            "read tcp {server}: read: connection reset by peer"
        ))),
        io::ErrorKind::UnexpectedEof if error.get_ref().is_none() => Some(ClusterError::Unreachable("EOF".to_owned())),
        _ => None,
    }
}

fn tls_words(error: &rustls::Error, server: &str) -> String {
    let certificate = match error {
        rustls::Error::InvalidCertificate(certificate) => certificate,
        rustls::Error::InvalidMessage(_) => return "http: server gave HTTP response to HTTPS client".to_owned(),
        rustls::Error::AlertReceived(alert) => {
            return format!("remote error: tls: {}", spaced(&format!("{alert:?}")));
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
            let names: Vec<&str> = presented.iter().map(|name| bare_name(name)).collect();
            format!(
                "certificate is valid for {}, not {}",
                names.join(", "),
                expected.to_str()
            )
        }
        CertificateError::Revoked => "certificate has been revoked".to_owned(),
        other if other.to_string().contains("CaUsedAsEndEntity") => {
            "certificate is that of an authority, and not one for a server".to_owned()
        }
        other => other.to_string(),
    };
    format!("tls: failed to verify certificate: x509: {why}")
}

/// `DnsName("kubernetes")`, as rustls presents a certificate's names, without its wrapping.
fn bare_name(presented: &str) -> &str {
    let inner = presented.split_once('(').map_or(presented, |(_, inner)| inner);
    inner.trim_end_matches(')').trim_matches('"')
}

fn moment(time: rustls::pki_types::UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| k8s_openapi::jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| time.as_secs().to_string(), |time| time.to_string())
}

/// `CertificateRequired` → `certificate required`.
fn spaced(camel: &str) -> String {
    camel.chars().fold(String::new(), |mut words, letter| {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
        words
    })
}

fn host(server: &str) -> &str {
    server.rsplit_once(':').map_or(server, |(host, _)| host)
}

fn no_such_host(server: &str) -> String {
    let resolver = std::fs::read_to_string("/etc/resolv.conf")
        .ok()
        .and_then(|file| first_nameserver(&file));
    let asked = resolver.map(|address| format!(" on {address}:53")).unwrap_or_default();
    format!("dial tcp: lookup {}{asked}: no such host", host(server))
}

fn first_nameserver(resolv_conf: &str) -> Option<String> {
    let line = resolv_conf
        .lines()
        .find_map(|line| line.trim().strip_prefix("nameserver"))?;
    let address = line.split_whitespace().next()?;
    Some(if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_connection_names_the_server() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(
            classify(&refused, "127.0.0.1:1").to_string(),
            "The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?"
        );
    }

    #[test]
    fn a_bad_certificate_is_found_inside_an_io_error() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::Expired);
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, tls);
        assert_eq!(
            classify(&wrapped, "127.0.0.1:6443").to_string(),
            "Unable to connect to the server: tls: failed to verify certificate: x509: certificate has expired or is \
             not yet valid"
        );
    }

    #[test]
    fn the_resolver_is_named_as_go_names_it() {
        assert_eq!(
            first_nameserver("search x\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n"),
            Some("10.0.0.2".into())
        );
        assert_eq!(first_nameserver("nameserver fe80::1"), Some("[fe80::1]".into()));
    }
}
