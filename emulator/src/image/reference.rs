//! Names of images (`github.com/distribution/reference`): read strictly, completed as container engines complete them.

use std::{fmt, net::IpAddr};

/// An image's name in full.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The registry's host, with port: `docker.io`.
    pub registry: String,
    /// `library/busybox`.
    pub repository: String,
    /// `1`; with a digest it is not looked at.
    pub tag: Option<String>,
    /// `sha256:…`.
    pub digest: Option<String>,
}

/// The longest name of a repository, registry included.
const NAME_MAX: usize = 255;

impl Reference {
    /// Reads a name as a manifest gives it. Without tag and digest it means the tag `latest`.
    ///
    /// # Errors
    /// What a kubelet says of it.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse(text).map_err(|why| format!("couldn't parse image name {text:?}: {why}"))
    }

    /// The name without tag and digest: `docker.io/library/busybox`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The registry is on this machine; such ones speak plain HTTP, as container engines assume.
    pub(super) fn is_local(&self) -> bool {
        let host = self.host();
        host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse()
                .is_ok_and(|ip: IpAddr| ip.is_loopback())
    }

    /// The host that is connected to; Docker Hub's has another name than the registry.
    pub(super) fn host(&self) -> &str {
        match self.registry.as_str() {
            "docker.io" => "registry-1.docker.io",
            registry => match registry.rsplit_once(':') {
                Some((host, port)) if !port.ends_with(']') => host,
                _ => registry,
            },
        }
    }

    /// Host and port that are connected to.
    pub(super) fn address(&self) -> String {
        let port = match self.registry.rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') => port,
            _ if self.is_local() => "80",
            _ => "443",
        };
        let host = match self.host() {
            "localhost" => "127.0.0.1",
            host => host,
        };
        format!("{host}:{port}")
    }

    /// Where the registry has the image's manifest.
    pub(super) fn manifest_url(&self) -> String {
        let scheme = if self.is_local() { "http" } else { "https" };
        let host = match self.registry.as_str() {
            "docker.io" => self.host(),
            registry => registry,
        };
        let which = self
            .digest
            .as_ref()
            .or(self.tag.as_ref())
            .map_or("latest", String::as_str);
        format!("{scheme}://{host}/v2/{}/manifests/{which}", self.repository)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name())?;
        match (&self.digest, &self.tag) {
            (Some(digest), _) => write!(f, "@{digest}"),
            (None, Some(tag)) => write!(f, ":{tag}"),
            (None, None) => Ok(()),
        }
    }
}

fn parse(text: &str) -> Result<Reference, String> {
    const INVALID: &str = "invalid reference format";
    if text.len() == 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    {
        return Err(format!(
            "invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
        ));
    }
    let (registry, rest) = split_registry(text);
    let bare = rest.split(':').next().unwrap_or_default();
    if bare.to_lowercase() != bare {
        return Err(format!("{INVALID}: repository name ({bare}) must be lowercase"));
    }
    let (named, digest) = match rest.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (rest.as_str(), None),
    };
    let (repository, tag) = match named.rsplit_once(':') {
        Some((repository, tag)) => (repository, Some(tag)),
        None => (named, None),
    };
    let valid = repository.split('/').all(is_component)
        && is_registry(&registry)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest);
    if !valid {
        return Err(INVALID.to_owned());
    }
    if registry.len() + 1 + repository.len() > NAME_MAX {
        return Err(format!("repository name must not be more than {NAME_MAX} characters"));
    }
    let tag = match (tag, digest) {
        (None, None) => Some("latest"),
        (tag, _) => tag,
    };
    Ok(Reference {
        registry,
        repository: repository.to_owned(),
        tag: tag.map(str::to_owned),
        digest: digest.map(str::to_owned),
    })
}

/// The first part is a registry if it looks like a host; otherwise Docker Hub is meant.
fn split_registry(text: &str) -> (String, String) {
    let host = text
        .split_once('/')
        .filter(|(host, _)| host.contains(['.', ':']) || *host == "localhost" || host.to_lowercase() != *host);
    match host {
        Some((host, rest)) if host != "docker.io" && host != "index.docker.io" => (host.to_owned(), rest.to_owned()),
        found => {
            let rest = found.map_or(text, |(_, rest)| rest);
            let rest = if rest.contains('/') {
                rest.to_owned()
            } else {
                format!("library/{rest}")
            };
            ("docker.io".to_owned(), rest)
        }
    }
}

/// Words of letters, digits and inner dashes, joined by dots; a port may follow. An IPv6 address stands in brackets.
fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let word = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(word),
    };
    host && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Lower-case letters and digits, joined by one dot, one or two underscores, or dashes.
fn is_component(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let joined = text.bytes().all(|byte| word(byte) || b"._-".contains(&byte))
        && text.bytes().next().is_some_and(word)
        && text.bytes().last().is_some_and(word);
    let separators = text
        .split(|c: char| c.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty());
    joined
        && separators
            .clone()
            .all(|part| part == "." || part == "_" || part == "__" || part.bytes().all(|b| b == b'-'))
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64
            && hex
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed() {
        let digest = "sha256:".to_owned() + &"a".repeat(64);
        for (text, full) in [
            ("busybox", "docker.io/library/busybox:latest"),
            ("busybox:1", "docker.io/library/busybox:1"),
            ("docker.io/busybox:1", "docker.io/library/busybox:1"),
            ("user/app", "docker.io/user/app:latest"),
            ("localhost/host", "localhost/host:latest"),
            ("localhost:5000/a/b:v1.0-x", "localhost:5000/a/b:v1.0-x"),
            ("ghcr.io/a/b__c--d", "ghcr.io/a/b__c--d:latest"),
            (
                &format!("busybox@{digest}"),
                &format!("docker.io/library/busybox@{digest}"),
            ),
            (
                &format!("busybox:1@{digest}"),
                &format!("docker.io/library/busybox@{digest}"),
            ),
        ] {
            assert_eq!(Reference::parse(text).unwrap().to_string(), full, "{text}");
        }
    }

    #[test]
    fn a_name_tells_where_its_manifest_is() {
        for (text, url, address) in [
            (
                "busybox:1",
                "https://registry-1.docker.io/v2/library/busybox/manifests/1",
                "registry-1.docker.io:443",
            ),
            (
                "localhost:5000/a",
                "http://localhost:5000/v2/a/manifests/latest",
                "127.0.0.1:5000",
            ),
            ("127.0.0.1/a:2", "http://127.0.0.1/v2/a/manifests/2", "127.0.0.1:80"),
            ("ghcr.io/a/b:2", "https://ghcr.io/v2/a/b/manifests/2", "ghcr.io:443"),
        ] {
            let name = Reference::parse(text).unwrap();
            assert_eq!((name.manifest_url().as_str(), name.address().as_str()), (url, address));
        }
        assert!(!Reference::parse("localhost.example.com/a").unwrap().is_local());
    }

    #[test]
    fn what_is_no_name_is_refused_in_the_kubelets_words() {
        assert_eq!(
            Reference::parse("localhost/Not:A:Name").unwrap_err(),
            "couldn't parse image name \"localhost/Not:A:Name\": invalid reference format: repository name (Not) must be \
             lowercase"
        );
        for text in [
            "",
            "a..b",
            "a:",
            "-a",
            "a:b:c",
            "a@sha256:1",
            "a b",
            "../x",
            "a/",
            "한글",
        ] {
            let error = Reference::parse(text).unwrap_err();
            assert!(error.ends_with("invalid reference format"), "{text}: {error}");
        }
    }
}
