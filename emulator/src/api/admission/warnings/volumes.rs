//! Warnings about volumes of types that no longer work, and about claims of a fraction of a byte.

use serde_json::Value;

use super::{Warnings, items, spec::fractions};

/// Types of volumes that no node provides any more.
const REMOVED: [(&str, &str); 9] = [
    ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

pub(super) fn check(spec: &Value, warnings: &mut Warnings) {
    for (path, volume) in items(&spec["volumes"], "spec.volumes") {
        for (kind, message) in REMOVED.iter().filter(|(kind, _)| !volume[*kind].is_null()) {
            // The server spells this one as the type's name in Go.
            let spelt = if *kind == "storageos" { "storageOS" } else { *kind };
            let text = format!("{path}.{spelt}: {message}");
            warnings.add_text(format!("{path}.{kind}"), text);
        }
        let resources = &volume["ephemeral"]["volumeClaimTemplate"]["spec"]["resources"];
        for list in ["requests", "limits"] {
            let path = format!("{path}.ephemeral.volumeClaimTemplate.spec.resources.{list}");
            fractions(&resources[list], &path, &["storage"], warnings);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::admission::warnings::texts;

    #[test]
    fn removed_types_of_volumes_are_warned_of() {
        for (kind, message) in REMOVED {
            let pod = json!({"spec": {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", kind: {}}]}});
            let spelt = kind.replace("storageos", "storageOS");
            assert_eq!(texts(&pod), [format!("spec.volumes[1].{spelt}: {message}")]);
        }
    }

    #[test]
    fn claims_of_a_fraction_of_a_byte_are_warned_of() {
        let volume = |amount: &str| {
            let resources = json!({"requests": {"storage": amount}, "limits": {"storage": amount}});
            json!({"name": "e", "ephemeral": {"volumeClaimTemplate": {"spec": {"resources": resources}}}})
        };
        let pod = json!({"spec": {"volumes": [volume("200Mi"), volume("200m")]}});
        let path = "spec.volumes[1].ephemeral.volumeClaimTemplate.spec.resources";
        let expected = ["requests", "limits"].map(|list| {
            format!("{path}.{list}[storage]: fractional byte value \"200m\" is invalid, must be an integer")
        });
        assert_eq!(texts(&pod), expected);
    }
}
