//! The pod, port and path that a request to be proxied is about.

use axum::http::Method;

use super::super::status::Status;

/// A request's path, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct Target {
    pub(in crate::api) namespace: String,
    /// `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`, as the client wrote it.
    id: String,
    pub(in crate::api) name: String,
    /// Empty for the pod's first one.
    pub(super) port: String,
    pub(super) https: bool,
    /// What is before the path in the pod.
    pub(super) prefix: String,
    /// The path in the pod, as the client encoded it; empty where nothing follows `proxy`.
    pub(super) path: String,
}

impl Target {
    /// Reads a path; nothing where it is no pod's proxy.
    pub(in crate::api) fn parse(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix("/api/v1/namespaces/")?.splitn(4, '/');
        let (namespace, kind, id, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let inside = rest
            .strip_prefix("proxy")
            .filter(|inside| inside.is_empty() || inside.starts_with('/'))?;
        if kind != "pods" {
            return None;
        }
        let id = id.replace("%3A", ":").replace("%3a", ":");
        let (scheme, name, port) = match id.split(':').collect::<Vec<_>>().as_slice() {
            [name] => ("", *name, ""),
            [name, port] => ("", *name, *port),
            [scheme, name, port] => (*scheme, *name, *port),
            _ => ("?", "", ""),
        };
        let is_valid = !name.is_empty() && matches!(scheme, "" | "http" | "https");
        Some(Self {
            namespace: namespace.to_owned(),
            name: if is_valid { name.to_owned() } else { String::new() },
            port: port.to_owned(),
            https: scheme == "https",
            prefix: path[..path.len() - inside.len()].to_owned(),
            path: inside.to_owned(),
            id,
        })
    }

    /// Refuses an identifier that names no pod.
    pub(in crate::api) fn check(&self) -> Result<(), Status> {
        if self.name.is_empty() {
            return Err(Status::bad_request(format!("invalid pod request {:?}", self.id)));
        }
        Ok(())
    }

    /// The verb as authorization names it; none where the method is not proxied.
    pub(in crate::api) fn verb(method: &Method) -> Option<&'static str> {
        match method.as_str() {
            "GET" | "HEAD" | "OPTIONS" => Some("get"),
            "POST" => Some("create"),
            "PUT" => Some("update"),
            "PATCH" => Some("patch"),
            "DELETE" => Some("delete"),
            _ => None,
        }
    }
}

/// What to say of the other proxies of Kubernetes, which are not served here.
pub(in crate::api) fn absent(path: &str) -> Option<Status> {
    let parts: Vec<&str> = path.strip_prefix("/api/v1/")?.split('/').collect();
    let message = match parts.as_slice() {
        ["namespaces", _, "services", _, "proxy", ..] => {
            "services/proxy is not served: the emulator has no Services. Use pods/NAME:PORT/proxy."
        }
        ["nodes", _, "proxy", ..] => {
            "nodes/proxy is not served: the emulator's kubelet has no API of its own. Use pods/NAME:PORT/proxy for pods."
        }
        _ => return None,
    };
    Some(Status::no_such(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_pod_port_and_path() {
        let parse = |path: &str| Target::parse(&format!("/api/v1/namespaces/n/pods/{path}"));
        for (path, name, port, https, inside) in [
            ("p/proxy", "p", "", false, ""),
            ("p/proxy/", "p", "", false, "/"),
            ("p:80/proxy/a%2Fb/", "p", "80", false, "/a%2Fb/"),
            ("http:p:web/proxy/proxy/x", "p", "web", false, "/proxy/x"),
            ("https:p:/proxy", "p", "", true, ""),
            ("https%3Ap%3a443/proxy", "p", "443", true, ""),
        ] {
            let target = parse(path).unwrap();
            let found = (
                target.name.as_str(),
                target.port.as_str(),
                target.https,
                target.path.as_str(),
            );
            assert_eq!(found, (name, port, https, inside), "{path}");
            assert_eq!(target.namespace, "n");
            assert_eq!(target.check(), Ok(()));
        }
        for path in ["p", "p/proxies", "p/log", "p/proxy2/x"] {
            assert_eq!(parse(path), None, "{path}");
        }
        for path in ["ftp:p:1/proxy", ":80/proxy", "a:b:c:d/proxy"] {
            assert!(parse(path).unwrap().check().is_err(), "{path}");
        }
    }

    #[test]
    fn absent_proxies_are_named() {
        for path in [
            "namespaces/n/services/web:80/proxy/x",
            "namespaces/n/services/web/proxy",
            "nodes/n/proxy/pods",
        ] {
            let status = absent(&format!("/api/v1/{path}")).unwrap();
            assert_eq!(status.code, 404);
            assert!(status.message.contains("/proxy is not served"), "{}", status.message);
        }
        assert_eq!(absent("/api/v1/namespaces/n/pods/p/proxy"), None);
    }
}
