//! Credentials for registries: `~/.docker/config.json`, and Secrets of type `kubernetes.io/dockerconfigjson`.

use std::{collections::HashMap, env, fs, path::PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;

use super::{Credentials, credential_helper, reference::Reference};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DockerConfig {
    #[serde(default)]
    auths: HashMap<String, Auth>,
    creds_store: Option<String>,
    #[serde(default)]
    cred_helpers: HashMap<String, String>,
}

/// What the machine's own configuration has for a registry.
#[derive(Clone, PartialEq, Eq)]
enum OfMachine {
    /// Nothing.
    None,
    /// Credentials.
    Known(Credentials),
    /// The name of a program that may have some.
    Helper(String),
}

#[derive(Deserialize)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

/// The credentials in the text of a docker configuration; none where it is something else.
pub fn parse(text: &[u8]) -> Vec<Credentials> {
    let Ok(config) = serde_json::from_slice::<DockerConfig>(text) else {
        return Vec::new();
    };
    of(config.auths)
}

fn of(auths: HashMap<String, Auth>) -> Vec<Credentials> {
    let mut found: Vec<Credentials> = auths
        .into_iter()
        .filter_map(|(registry, auth)| credentials(registry, auth))
        .collect();
    found.sort_by(|a, b| a.registry.cmp(&b.registry));
    found
}

fn credentials(registry: String, auth: Auth) -> Option<Credentials> {
    let (username, password) = match (auth.username, auth.password, auth.auth) {
        (Some(username), Some(password), _) => (username, password),
        (_, _, Some(encoded)) => {
            let text = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
            let (username, password) = text.split_once(':')?;
            (username.to_owned(), password.to_owned())
        }
        _ => return None,
    };
    Some(Credentials {
        registry,
        username,
        password,
    })
}

/// The machine's credentials for an image's registry: from `~/.docker/config.json` (or where `DOCKER_CONFIG` says), or from
/// the program that it names.
///
/// # Errors
/// A program that is not there, or that fails.
pub(super) async fn of_machine(name: &Reference) -> Result<Option<Credentials>, String> {
    let folder = env::var_os("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".docker")));
    let Some(text) = folder.and_then(|folder| fs::read(folder.join("config.json")).ok()) else {
        return Ok(None);
    };
    match in_config(&text, name) {
        OfMachine::None => Ok(None),
        OfMachine::Known(known) => Ok(Some(known)),
        OfMachine::Helper(helper) => credential_helper::ask(&helper, &name.registry).await,
    }
}

fn in_config(text: &[u8], name: &Reference) -> OfMachine {
    let Ok(config) = serde_json::from_slice::<DockerConfig>(text) else {
        return OfMachine::None;
    };
    if let Some(helper) = config.cred_helpers.get(&name.registry) {
        return OfMachine::Helper(helper.clone());
    }
    let known = of(config.auths).into_iter().find(|one| fits(&one.registry, name));
    match (known, config.creds_store) {
        (Some(known), _) => OfMachine::Known(known),
        (None, Some(helper)) if !helper.is_empty() => OfMachine::Helper(helper),
        (None, _) => OfMachine::None,
    }
}

/// Whether an entry's key means the image: a host, where a part may be `*`, with or without port, scheme and the
/// beginning of a path (`pkg/credentialprovider/keyring.go`).
pub(super) fn fits(key: &str, name: &Reference) -> bool {
    let key = key.trim_start_matches("https://").trim_start_matches("http://");
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    let hub = |host: &str| matches!(host, "docker.io" | "index.docker.io" | "registry-1.docker.io");
    if hub(host) && hub(&name.registry) {
        return true;
    }
    // `/v1/` and `/v2/` at the end are the API's, not the repository's.
    let path = path.trim_end_matches('/');
    let path = path
        .strip_suffix("v1")
        .or_else(|| path.strip_suffix("v2"))
        .unwrap_or(path);
    let is_below = path.is_empty() || name.repository.starts_with(path);
    is_below && same_host(host, &name.registry)
}

fn same_host(pattern: &str, host: &str) -> bool {
    let split = |text: &str| -> (Vec<String>, Option<String>) {
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.to_owned())),
            None => (text, None),
        };
        (name.split('.').map(str::to_owned).collect(), port)
    };
    let ((pattern, pattern_port), (host, port)) = (split(pattern), split(host));
    let part = |(pattern, part): (&String, &String)| match pattern.split_once('*') {
        Some((start, end)) => part.len() >= start.len() + end.len() && part.starts_with(start) && part.ends_with(end),
        None => pattern == part,
    };
    pattern_port == port && pattern.len() == host.len() && pattern.iter().zip(&host).all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_in_both_forms() {
        let text = br#"{"auths": {"https://index.docker.io/v1/": {"auth": "bWU6c2VjOnJldA=="},
                        "ghcr.io": {"username": "u", "password": "p"}, "helper.io": {}}}"#;
        let found = parse(text);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].username.as_str(), found[0].password.as_str()), ("u", "p"));
        assert_eq!(
            (found[1].username.as_str(), found[1].password.as_str()),
            ("me", "sec:ret")
        );
        assert!(parse(b"nonsense").is_empty());
    }

    #[test]
    fn an_entry_is_for_a_host_and_what_is_below_a_path() {
        for (key, image, fitting) in [
            ("https://index.docker.io/v1/", "busybox", true),
            ("docker.io", "user/app", true),
            ("ghcr.io", "busybox", false),
            ("ghcr.io", "ghcr.io/a/b", true),
            ("https://ghcr.io/v2/", "ghcr.io/a/b", true),
            ("ghcr.io/a", "ghcr.io/a/b", true),
            ("ghcr.io/c", "ghcr.io/a/b", false),
            ("*.example.com", "eu.example.com/a", true),
            ("*.example.com", "a.eu.example.com/a", false),
            ("reg*.example.com", "registry.example.com/a", true),
            ("example.com:5000", "example.com:5000/a", true),
            ("example.com", "example.com:5000/a", false),
        ] {
            assert_eq!(fits(key, &Reference::parse(image).unwrap()), fitting, "{key} {image}");
        }
    }

    #[test]
    fn a_helper_of_the_registry_comes_before_a_password_and_the_store_after_it() {
        let text = br#"{"auths": {"a.io": {"auth": "bWU6cHc="}, "b.io": {"auth": "bWU6cHc="}},
                        "credHelpers": {"a.io": "vault"}, "credsStore": "desktop"}"#;
        let of = |image: &str| in_config(text, &Reference::parse(image).unwrap());
        assert!(of("a.io/x") == OfMachine::Helper("vault".to_owned()));
        assert!(matches!(of("b.io/x"), OfMachine::Known(known) if known.password == "pw"));
        assert!(of("c.io/x") == OfMachine::Helper("desktop".to_owned()));
        assert!(in_config(b"", &Reference::parse("a.io/x").unwrap()) == OfMachine::None);
    }
}
