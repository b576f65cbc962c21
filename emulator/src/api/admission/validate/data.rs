//! The data of ConfigMaps and Secrets.

use serde_json::Value;

use crate::api::admission::{
    field_error::{Errors, Path},
    names,
};

/// All values of one object together.
const MOST_BYTES: usize = 1024 * 1024;

/// Checks a ConfigMap.
pub(super) fn config_map(object: &Value, errors: &mut Errors) {
    let mut bytes = 0;
    for (field, other) in [("data", "binaryData"), ("binaryData", "data")] {
        let path = Path::new(field);
        for (key, value) in object[field].as_object().into_iter().flatten() {
            errors.invalid_each(&path.key(key), key, names::config_key(key));
            if field == "data" && !object[other][key].is_null() {
                errors.invalid(
                    &path.key(key),
                    key.as_str(),
                    format!("duplicate of key present in {other}"),
                );
            }
            bytes += size(value, field == "binaryData");
        }
    }
    if bytes > MOST_BYTES {
        errors.too_long(&Path::new("[]"), MOST_BYTES);
    }
}

/// Checks a Secret.
pub(super) fn secret(object: &Value, errors: &mut Errors) {
    let path = Path::new("data");
    let mut bytes = 0;
    for (key, value) in object["data"].as_object().into_iter().flatten() {
        errors.invalid_each(&path.key(key), key, names::config_key(key));
        bytes += size(value, true);
    }
    if bytes > MOST_BYTES {
        errors.too_long(&path, MOST_BYTES);
    }
    let has = |key: &str| !object["data"][key].is_null();
    let mut need = |key: &str, shown: &str| {
        if !has(key) {
            errors.required(&path.key(shown), "");
        }
    };
    match object["type"].as_str().unwrap_or_default() {
        "kubernetes.io/dockercfg" => need(".dockercfg", ".dockercfg"),
        "kubernetes.io/dockerconfigjson" => need(".dockerconfigjson", ".dockerconfigjson"),
        "kubernetes.io/ssh-auth" => need("ssh-privatekey", "%ssh-privatekey"),
        "kubernetes.io/tls" => {
            need("tls.crt", "tls.crt");
            need("tls.key", "tls.key");
        }
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            need("username", "%username");
            need("password", "%password");
        }
        "kubernetes.io/service-account-token" => {
            let annotation = "kubernetes.io/service-account.name";
            if object["metadata"]["annotations"][annotation]
                .as_str()
                .unwrap_or_default()
                .is_empty()
            {
                errors.required(&Path::new("metadata").child("annotations").key(annotation), "");
            }
        }
        _ => {}
    }
}

fn size(value: &Value, base64: bool) -> usize {
    let length = value.as_str().map_or(0, str::len);
    if base64 { length / 4 * 3 } else { length }
}
