//! Failures on the way to the server: names, routes, TLS. Said as Go's standard library says them, since
//! that is what people search for.

use std::error::Error;
use std::io;

use super::certificate::tls_words;
use super::error::{ClusterError, innermost};
use super::wire::RefusedWarnings;

/// What a failed request to `server` (host and port) means.
pub(super) fn classify(error: &(dyn Error + 'static), server: &str) -> ClusterError {
    for cause in chain(error) {
        if let Some(RefusedWarnings(count)) = cause.downcast_ref() {
            return ClusterError::Warnings(*count);
        }
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
        "connection closed before message completed" | "unexpected end of file" | "tls handshake eof" => {
            "EOF".to_owned()
        }
        "invalid HTTP version parsed" | "invalid HTTP status-code parsed" => {
            "net/http: HTTP/1.x transport connection broken: malformed HTTP response".to_owned()
        }
        words if words.starts_with("unsupported scheme ") => {
            format!(
                "unsupported protocol scheme {:?}",
                words.trim_start_matches("unsupported scheme ")
            )
        }
        "deadline has elapsed" => format!("dial tcp {server}: i/o timeout"),
        other => other.to_owned(),
    })
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

pub(super) fn host(server: &str) -> &str {
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
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
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
