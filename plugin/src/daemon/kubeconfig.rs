//! The emulator's entries in a kubeconfig: pure edits of its content.

use base64::{Engine, prelude::BASE64_STANDARD};
use emulator::emulator::Connection;
use serde_json::{Value, json};

/// The name of the emulator's context, cluster and user.
pub const NAME: &str = "pod-emulator";

/// Adds cluster, user and context, makes the context the current one, and returns the one that was.
///
/// # Errors
/// Where `config` has not the shape of a kubeconfig: says which field.
pub fn add(config: &mut Value, connection: &Connection) -> Result<Option<String>, String> {
    if config.is_null() {
        *config = json!({"apiVersion": "v1", "kind": "Config", "preferences": {}});
    }
    let encode = |pem: &str| BASE64_STANDARD.encode(pem);
    let cluster = json!({
        "certificate-authority-data": encode(&connection.certificate_authority),
        "server": connection.server,
    });
    let user = json!({
        "client-certificate-data": encode(&connection.client_certificate),
        "client-key-data": encode(&connection.client_key),
    });
    put(config, "clusters", "cluster", cluster)?;
    put(config, "contexts", "context", json!({"cluster": NAME, "user": NAME}))?;
    put(config, "users", "user", user)?;
    let previous = config["current-context"]
        .as_str()
        .filter(|name| !name.is_empty())
        .map(str::to_owned);
    config["current-context"] = json!(NAME);
    Ok(previous)
}

/// Takes them out again, if they still point at `server`, and makes `previous` the current context if it still exists.
///
/// Returns whether anything was changed.
pub fn remove(config: &mut Value, server: &str, previous: Option<&str>) -> bool {
    if !leads_to(config, server) {
        return false;
    }
    for list in ["clusters", "contexts", "users"] {
        if let Some(entries) = config[list].as_array_mut() {
            entries.retain(|entry| entry["name"] != NAME);
        }
    }
    if config["current-context"] == NAME {
        let restored = previous.filter(|name| entries(config, "contexts").any(|entry| entry["name"] == *name));
        config["current-context"] = json!(restored.unwrap_or_default());
    }
    true
}

/// Whether the emulator's context is there and is of the one at `server`.
pub fn leads_to(config: &Value, server: &str) -> bool {
    entries(config, "clusters").any(|entry| entry["name"] == NAME && entry["cluster"]["server"] == server)
}

/// Whether nobody would miss it.
pub fn is_empty(config: &Value) -> bool {
    ["clusters", "contexts", "users"]
        .iter()
        .all(|list| entries(config, list).next().is_none())
}

fn entries<'a>(config: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    config[list].as_array().into_iter().flatten()
}

fn put(config: &mut Value, list: &str, field: &str, content: Value) -> Result<(), String> {
    let config = config.as_object_mut().ok_or("it is not a mapping")?;
    let entries = config.entry(list).or_insert(Value::Null);
    if entries.is_null() {
        *entries = json!([]);
    }
    let entries = entries
        .as_array_mut()
        .ok_or_else(|| format!("{list}: it is not a list"))?;
    entries.retain(|entry| entry["name"] != NAME);
    entries.push(json!({"name": NAME, field: content}));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        Connection {
            server: "https://127.0.0.1:7443".to_owned(),
            certificate_authority: "ca".to_owned(),
            client_certificate: "cert".to_owned(),
            client_key: "key".to_owned(),
        }
    }

    #[test]
    fn what_was_there_before_is_there_afterwards() {
        let before = json!({
            "apiVersion": "v1", "kind": "Config",
            "clusters": [{"name": "work", "cluster": {"server": "https://work"}}],
            "contexts": [{"name": "work", "context": {"cluster": "work", "user": "me"}}],
            "users": [{"name": "me", "user": {"token": "t"}}],
            "current-context": "work",
        });
        let mut config = before.clone();
        let previous = add(&mut config, &connection()).unwrap();
        assert_eq!(config["current-context"], NAME);
        assert_eq!(previous.as_deref(), Some("work"));
        assert!(remove(&mut config, "https://127.0.0.1:7443", previous.as_deref()));
        assert_eq!(config, before);
    }

    #[test]
    fn adding_twice_leaves_one_entry() {
        let mut config = Value::Null;
        add(&mut config, &connection()).unwrap();
        assert_eq!(add(&mut config, &connection()).unwrap().as_deref(), Some(NAME));
        assert_eq!(config["clusters"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn a_context_chosen_meanwhile_stays_chosen() {
        let mut config = Value::Null;
        add(&mut config, &connection()).unwrap();
        config["current-context"] = json!("other");
        remove(&mut config, "https://127.0.0.1:7443", Some("work"));
        assert_eq!(config["current-context"], "other");
        assert!(is_empty(&config));
    }

    #[test]
    fn the_entries_of_another_emulator_stay() {
        let mut config = Value::Null;
        add(&mut config, &connection()).unwrap();
        assert!(!remove(&mut config, "https://127.0.0.1:1", None));
        assert!(!is_empty(&config));
    }

    #[test]
    fn a_file_of_another_shape_is_refused_by_field() {
        let mut config = json!({"clusters": "none"});
        assert_eq!(
            add(&mut config, &connection()).unwrap_err(),
            "clusters: it is not a list"
        );
    }
}
