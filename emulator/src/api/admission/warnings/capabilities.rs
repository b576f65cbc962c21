//! Names of capabilities that give and take nothing: no server refuses them, and runtimes ignore them.

use serde_json::Value;

use super::{Warnings, visit_containers};
use crate::container_config::security::is_capability;

/// Warns of each such name of a pod's spec.
pub(super) fn check(spec: &Value, warnings: &mut Warnings) {
    for (container_path, container) in visit_containers(spec) {
        for list in ["add", "drop"] {
            let names = container["securityContext"]["capabilities"][list].as_array();
            let names = names.into_iter().flatten().filter_map(Value::as_str).enumerate();
            for (index, name) in names.filter(|(_, name)| !is_capability(name)) {
                let path = format!("{container_path}.securityContext.capabilities.{list}[{index}]");
                let upper = name.to_uppercase();
                match upper.strip_prefix("CAP_").filter(|short| is_capability(short)) {
                    Some(short) => warnings.add(
                        path,
                        format!("{name:?} has no effect, CAP_ is put before each name: use {short:?}"),
                    ),
                    None => warnings.add(path, format!("{name:?} has no effect: it is no capability of Linux")),
                }
            }
        }
    }
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
        let mut warnings = Warnings::default();
        check(&spec, &mut warnings);
        let texts: Vec<String> = warnings.list.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
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
