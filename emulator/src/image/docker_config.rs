//! Credentials for registries: `~/.docker/config.json`, and Secrets of type `kubernetes.io/dockerconfigjson`.

use std::{collections::HashMap, env, fs, path::PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;

use super::Credentials;

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: HashMap<String, Auth>,
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
    let mut found: Vec<Credentials> = config
        .auths
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

/// What the machine's own configuration has for a registry.
pub(super) fn of_machine(registry: &str) -> Option<Credentials> {
    let folder = env::var_os("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".docker")))?;
    let all = parse(&fs::read(folder.join("config.json")).ok()?);
    all.into_iter().find(|one| same_registry(&one.registry, registry))
}

/// Whether an entry's key, which may be a URL, means the registry.
pub(super) fn same_registry(key: &str, registry: &str) -> bool {
    let host = key
        .trim_start_matches("https://")
        .trim_start_matches("http://")
        .split('/')
        .next()
        .unwrap_or_default();
    let hub = |host: &str| matches!(host, "docker.io" | "index.docker.io" | "registry-1.docker.io");
    host == registry || (hub(host) && hub(registry))
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
        assert!(same_registry(&found[1].registry, "docker.io"));
        assert!(!same_registry("ghcr.io", "docker.io"));
        assert!(parse(b"nonsense").is_empty());
    }
}
