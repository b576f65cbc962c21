//! Redirects of a proxied pod: they stay within its proxy.

use axum::http::{HeaderMap, HeaderValue, header};

/// Leads a redirect to the pod itself through the proxy again. `hosts` are the names that mean the pod.
pub(super) fn rewrite(headers: &mut HeaderMap, prefix: &str, hosts: &[Option<String>]) {
    let Some(place) = headers.get(header::LOCATION).and_then(|place| place.to_str().ok()) else {
        return;
    };
    if let Some(Ok(place)) = rewritten(place, prefix, hosts).map(|place| HeaderValue::from_str(&place)) {
        headers.insert(header::LOCATION, place);
    }
}

/// The place of a redirect by way of the proxy; none where it stays as it is: relative, or on another host.
fn rewritten(place: &str, prefix: &str, hosts: &[Option<String>]) -> Option<String> {
    let after_scheme = place
        .split_once("//")
        .filter(|(scheme, _)| scheme.is_empty() || scheme.ends_with(':'));
    let path = match after_scheme {
        Some((scheme, rest)) if !scheme.contains('/') => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let (host, path) = rest.split_at(end);
            if !hosts.iter().flatten().any(|known| known == host) {
                return None;
            }
            path
        }
        _ => place,
    };
    if !path.starts_with('/') {
        return None;
    }
    if path.starts_with(prefix) {
        return Some(path.to_owned());
    }
    Some(format!("{prefix}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_to_the_pod_lead_through_the_proxy() {
        let hosts = [Some("10.0.0.5:80".to_owned()), Some("localhost:8001".to_owned()), None];
        let prefix = "/api/v1/namespaces/n/pods/p/proxy";
        for (place, expected) in [
            ("/login?next=%2F#a", Some("/login?next=%2F#a")),
            ("http://10.0.0.5:80/login/", Some("/login/")),
            ("https://localhost:8001/x", Some("/x")),
            ("//localhost:8001/x", Some("/x")),
            ("login", None),
            ("https://example.org/x", None),
            ("http://10.0.0.5:80", None),
        ] {
            let expected = expected.map(|path| format!("{prefix}{path}"));
            assert_eq!(rewritten(place, prefix, &hosts), expected, "{place}");
        }
        let inside = format!("{prefix}/x");
        assert_eq!(rewritten(&inside, prefix, &hosts), Some(inside));
    }
}
