//! Which proxy leads to the server: that of the kubeconfig or flag, else that of the environment, by the rules of Go's
//! `golang.org/x/net/http/httpproxy`.

use std::net::IpAddr;

use ipnet::IpNet;

use http::Uri;

/// What the environment says of proxies.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    /// For servers without TLS.
    pub(super) http: String,
    /// For servers with TLS.
    pub(super) https: String,
    /// Servers that are reached without one.
    pub(super) none: String,
}

impl Environment {
    /// That of the process.
    pub(super) fn of_process() -> Self {
        let either = |upper: &str| {
            [upper.to_owned(), upper.to_lowercase()]
                .iter()
                .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
                .unwrap_or_default()
        };
        Self {
            http: either("HTTP_PROXY"),
            https: either("HTTPS_PROXY"),
            none: either("NO_PROXY"),
        }
    }

    /// The proxy for a server, if it is to be reached through one.
    ///
    /// # Errors
    /// Why the environment's proxy cannot be used.
    pub(super) fn proxy_for(&self, server: &Uri) -> Result<Option<Uri>, String> {
        let is_tls = server.scheme_str() == Some("https");
        let proxy = if is_tls { &self.https } else { &self.http };
        if proxy.is_empty() || !self.uses_proxy(server) {
            return Ok(None);
        }
        let with_scheme = match proxy.contains("://") {
            true => proxy.clone(),
            false => format!("http://{proxy}"),
        };
        parse(&with_scheme)
            .map(Some)
            .map_err(|why| format!("invalid proxy address {proxy:?}: {why}"))
    }

    fn uses_proxy(&self, server: &Uri) -> bool {
        let host = server
            .host()
            .unwrap_or_default()
            .trim_matches(['[', ']'])
            .to_lowercase();
        let address: Option<IpAddr> = host.parse().ok();
        if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return false;
        }
        let default = if server.scheme_str() == Some("https") { 443 } else { 80 };
        let port = server.port_u16().unwrap_or(default);
        !self
            .none
            .split(',')
            .any(|pattern| matches(pattern.trim().to_lowercase().as_str(), &host, address, port))
    }
}

/// Whether an entry of `NO_PROXY` names a server.
fn matches(pattern: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if pattern.is_empty() {
        return false;
    }
    if pattern == "*" {
        return true;
    }
    if let Ok(net) = pattern.parse::<IpNet>() {
        return address.is_some_and(|address| net.contains(&address));
    }
    let (pattern, wanted_port) = match pattern.rsplit_once(':') {
        Some((name, digits)) if !name.contains(':') || name.ends_with(']') => (name, digits.parse::<u16>().ok()),
        _ => (pattern, None),
    };
    if wanted_port.is_some_and(|wanted| wanted != port) {
        return false;
    }
    let pattern = pattern.trim_matches(['[', ']']);
    if let Ok(other) = pattern.parse::<IpAddr>() {
        return address == Some(other);
    }
    let pattern = pattern.strip_prefix('*').unwrap_or(pattern);
    match pattern.strip_prefix('.') {
        // `.example.com` is for the names below alone.
        Some(_) => host.ends_with(pattern),
        None => host == pattern || host.ends_with(&format!(".{pattern}")),
    }
}

/// Reads the address of a proxy.
///
/// # Errors
/// client-go's sentence for one that it cannot use.
pub(super) fn parse(url: &str) -> Result<Uri, String> {
    let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    match uri.scheme_str().unwrap_or_default() {
        "http" | "https" | "socks5" => Ok(uri),
        other => Err(format!("unsupported scheme {other:?}, must be http, https, or socks5")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(server: &str, none: &str) -> Option<String> {
        let environment = Environment {
            http: "plain:1".into(),
            https: "http://proxy:3128".into(),
            none: none.into(),
        };
        let proxy = environment.proxy_for(&server.parse().unwrap()).unwrap();
        proxy.map(|uri| uri.to_string())
    }

    #[test]
    fn the_kind_of_the_server_decides_which_proxy() {
        assert_eq!(
            through("https://api.example.com", "").as_deref(),
            Some("http://proxy:3128/")
        );
        assert_eq!(
            through("http://api.example.com", "").as_deref(),
            Some("http://plain:1/")
        );
    }

    #[test]
    fn this_machine_is_reached_without_one() {
        for server in ["https://127.0.0.1:6443", "https://localhost:1", "https://[::1]:6443"] {
            assert_eq!(through(server, ""), None, "{server}");
        }
    }

    #[test]
    fn no_proxy_names_servers_in_every_way_that_go_reads() {
        for (server, none, is_direct) in [
            ("https://api.example.com", "example.com", true),
            ("https://api.example.com", ".example.com", true),
            ("https://api.example.com", "*.example.com", true),
            ("https://example.com", ".example.com", false),
            ("https://notexample.com", "example.com", false),
            ("https://10.1.2.3:6443", "10.0.0.0/8", true),
            ("https://10.1.2.3:6443", "10.1.2.3", true),
            ("https://10.1.2.3:6443", "10.1.2.3:443", false),
            ("https://10.1.2.3:6443", "other, 10.1.2.3:6443,,", true),
            ("https://api.example.com", "*", true),
            ("https://api.example.com", "", false),
        ] {
            assert_eq!(through(server, none).is_none(), is_direct, "{server} {none}");
        }
    }
}
