//! Ports and names in the network.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PodSpec;

use super::{Lints, places};
use crate::findings::message::say;

pub(super) fn rules(spec: &PodSpec, lints: &mut Lints) {
    let uses_node_network = spec.host_network == Some(true);
    if uses_node_network && matches!(spec.dns_policy.as_deref(), None | Some("ClusterFirst")) {
        lints.warn(
            "spec.hostNetwork",
            say("lint.host-network"),
            say("lint.host-network.help"),
        );
    }
    let mut taken = BTreeSet::new();
    for place in places(spec) {
        let mut names = BTreeSet::new();
        for (number, port) in place.container.ports.iter().flatten().enumerate() {
            let path = place.at(&format!("ports[{number}]"));
            if !(1..=65_535).contains(&port.container_port) {
                lints.refused(
                    format!("{path}.containerPort"),
                    say("lint.port-range").with("port", port.container_port.to_string()),
                    say("lint.port-range.help"),
                );
            }
            if let Some(name) = port.name.as_deref()
                && !names.insert(name)
            {
                lints.refused(
                    format!("{path}.name"),
                    say("lint.port-twice").with("name", name),
                    say("lint.port-twice.help"),
                );
            }
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            let is_taken = !taken.insert((port.container_port, protocol));
            // A container of its own at the same number cannot listen: they share one address.
            if is_taken && (!place.is_init || place.is_sidecar()) {
                lints.warn(
                    format!("{path}.containerPort"),
                    say("lint.port-shared").with("port", port.container_port.to_string()),
                    say("lint.port-shared.help"),
                );
            }
            if port.host_port.is_some_and(|port| port > 0) && !uses_node_network {
                lints.note(
                    format!("{path}.hostPort"),
                    say("lint.host-port").with("port", port.host_port.unwrap_or(0).to_string()),
                    say("lint.host-port.help"),
                );
            }
        }
        let serves = place.container.ports.iter().flatten().next().is_some();
        if serves && !place.is_init && place.container.readiness_probe.is_none() {
            lints.note(
                place.path.clone(),
                say("lint.no-readiness").with("container", place.container.name.as_str()),
                say("lint.no-readiness.help"),
            );
        }
    }
}
