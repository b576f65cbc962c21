//! Five minutes of patience with a node that is not ready or can't be reached.

use serde_json::{Value, json};

use super::tree;

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// Adds the default tolerations that are not covered yet.
pub(super) fn apply(pod: &mut Value) {
    let spec = tree::object_or_new(pod, "spec");
    for key in [NOT_READY, UNREACHABLE] {
        let covered = tree::items(spec, "tolerations").any(|toleration| {
            let field = |name: &str| toleration.get(name).and_then(Value::as_str).unwrap_or_default();
            (field("key") == key || field("key").is_empty())
                && (field("effect") == "NoExecute" || field("effect").is_empty())
        });
        if !covered {
            let toleration = json!({
                "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300
            });
            tree::push(spec, "tolerations", toleration);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_that_tolerates_everything_gets_none() {
        let mut pod = json!({"spec": {"tolerations": [{"operator": "Exists"}]}});
        apply(&mut pod);
        assert_eq!(pod["spec"]["tolerations"], json!([{"operator": "Exists"}]));
    }
}
