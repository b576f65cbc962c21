//! A pod's defaults.

use serde_json::{Value, json};

use super::{container, resources, volume};
use crate::api::admission::tree;

/// Fills in a pod's defaults.
pub(super) fn apply(pod: &mut Value) {
    template(pod);
    let spec = tree::object_or_new(pod, "spec");
    tree::default(spec, "enableServiceLinks", true);
    for field in ["containers", "initContainers"] {
        for one in tree::items(spec, field) {
            resources::requests_from_limits(one);
        }
    }
    resources::pod_level(spec);
}

/// Fills in the defaults that the template of a pod has too: those of its spec (`SetDefaults_PodSpec`).
pub(super) fn template(template: &mut Value) {
    let spec = tree::object_or_new(template, "spec");
    tree::default(spec, "dnsPolicy", "ClusterFirst");
    tree::default(spec, "restartPolicy", "Always");
    tree::default(spec, "securityContext", json!({}));
    tree::default(spec, "terminationGracePeriodSeconds", 30);
    tree::default(spec, "schedulerName", "default-scheduler");
    for field in ["containers", "initContainers", "ephemeralContainers"] {
        for one in tree::items(spec, field) {
            container::apply(one);
        }
    }
    for one in tree::items(spec, "volumes") {
        volume::apply(one);
    }
    if spec["hostNetwork"] == true {
        for field in ["containers", "initContainers"] {
            for one in tree::items(spec, field) {
                for port in tree::items(one, "ports") {
                    let number = port["containerPort"].clone();
                    if port["hostPort"].as_i64().unwrap_or_default() == 0 && !number.is_null() {
                        port["hostPort"] = number;
                    }
                }
            }
        }
    }
    service_account_twin(spec);
}

/// `serviceAccount` is the old name of `serviceAccountName`; both are written.
fn service_account_twin(spec: &mut Value) {
    let name = match (spec["serviceAccountName"].as_str(), spec["serviceAccount"].as_str()) {
        (Some(name), _) if !name.is_empty() => name.to_owned(),
        (_, Some(name)) if !name.is_empty() => name.to_owned(),
        _ => {
            // Reading a missing field by index must leave none behind.
            if let Some(spec) = spec.as_object_mut() {
                spec.retain(|field, value| !(field.starts_with("serviceAccount") && value.is_null()));
            }
            return;
        }
    };
    spec["serviceAccount"] = name.as_str().into();
    spec["serviceAccountName"] = name.into();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_the_hosts_network_a_port_is_the_hosts() {
        let mut pod =
            json!({"spec": {"hostNetwork": true, "containers": [{"name": "a", "ports": [{"containerPort": 80}]}]}});
        apply(&mut pod);
        assert_eq!(
            pod["spec"]["containers"][0]["ports"],
            json!([{"containerPort": 80, "protocol": "TCP", "hostPort": 80}])
        );
    }

    #[test]
    fn twice_is_as_once() {
        let mut pod = json!({"spec": {"serviceAccount": "x", "volumes": [{"name": "v"}],
            "containers": [{"name": "a", "image": "b", "resources": {"limits": {"cpu": "1"}}}]}});
        apply(&mut pod);
        let once = pod.clone();
        apply(&mut pod);
        assert_eq!(pod, once);
        assert_eq!(pod["spec"]["serviceAccountName"], "x");
        assert_eq!(pod["spec"]["volumes"], json!([{"name": "v", "emptyDir": {}}]));
    }
}
