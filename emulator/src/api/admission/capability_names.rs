//! Names of capabilities that give and take nothing: no server refuses them, and runtimes ignore them.

use serde_json::Value;

use crate::container_config::security::is_capability;

/// A warning for each such name of a pod's spec.
pub(super) fn warnings(spec: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    for containers in ["initContainers", "containers", "ephemeralContainers"] {
        for (number, container) in spec[containers].as_array().into_iter().flatten().enumerate() {
            for list in ["add", "drop"] {
                let names = container["securityContext"]["capabilities"][list].as_array();
                let names = names.into_iter().flatten().filter_map(Value::as_str).enumerate();
                warnings.extend(names.filter(|(_, name)| !is_capability(name)).map(|(index, name)| {
                    let path = format!("spec.{containers}[{number}].securityContext.capabilities.{list}[{index}]");
                    let upper = name.to_uppercase();
                    match upper.strip_prefix("CAP_").filter(|short| is_capability(short)) {
                        Some(short) => {
                            format!("{path}: {name:?} has no effect, CAP_ is put before each name: use {short:?}")
                        }
                        None => format!("{path}: {name:?} has no effect: it is no capability of Linux"),
                    }
                }));
            }
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_without_effect_are_warned_of() {
        let capabilities =
            |add: &[&str], drop: &[&str]| json!([{"securityContext": {"capabilities": {"add": add, "drop": drop}}}]);
        let spec = json!({
            "initContainers": [{}],
            "containers": capabilities(&["NET_ADMIN", "net_raw", "CAP_SYS_PTRACE"], &["all", "CAP_ALL"]),
            "ephemeralContainers": capabilities(&["FLY"], &[]),
        });
        assert_eq!(
            warnings(&spec),
            [
                "spec.containers[0].securityContext.capabilities.add[2]: \"CAP_SYS_PTRACE\" has no effect, CAP_ is put before each \
                 name: use \"SYS_PTRACE\"",
                "spec.containers[0].securityContext.capabilities.drop[1]: \"CAP_ALL\" has no effect, CAP_ is put before each name: \
                 use \"ALL\"",
                "spec.ephemeralContainers[0].securityContext.capabilities.add[0]: \"FLY\" has no effect: it is no capability of \
                 Linux",
            ]
        );
    }
}
