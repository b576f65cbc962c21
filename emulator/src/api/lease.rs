//! The lease of a node: its kubelet, in this same process, renews it every ten seconds, and whoever reads it sees the last
//! renewal. Nothing is written for that: an idle emulator sleeps, and its disk too (`pkg/kubelet/nodelease`).

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::controllers::node::LEASES;

/// The pause between two renewals: a quarter of what the lease lasts.
const PERIOD: i64 = 10;

/// The lease as it is now, where it is one that a node holds for itself; any other as it is stored.
pub(super) fn renewed(lease: Arc<Value>, now: Timestamp) -> Arc<Value> {
    let metadata = &lease["metadata"];
    let is_of_node = metadata["namespace"] == LEASES && metadata["name"] == lease["spec"]["holderIdentity"];
    let since = lease["spec"]["renewTime"].as_str().and_then(|time| time.parse().ok());
    let Some(since) = since.filter(|_| is_of_node) else {
        return lease;
    };
    let passed = now.duration_since(since).as_secs().max(0);
    let last = since.checked_add(SignedDuration::from_secs(passed - passed % PERIOD));
    let mut lease = Value::clone(&lease);
    lease["spec"]["renewTime"] = json!(last.unwrap_or(since).strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string());
    Arc::new(lease)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nodes_lease_is_renewed_every_ten_seconds_and_no_other() {
        let lease = |namespace: &str| {
            Arc::new(json!({"metadata": {"namespace": namespace, "name": "emulator"},
                "spec": {"holderIdentity": "emulator", "renewTime": "2026-01-01T00:00:00.000000Z"}}))
        };
        let now = "2026-01-01T00:01:39.5Z".parse().unwrap();
        let time = |lease: Arc<Value>| renewed(lease, now)["spec"]["renewTime"].clone();
        assert_eq!(time(lease(LEASES)), "2026-01-01T00:01:30.000000Z");
        assert_eq!(time(lease("default")), "2026-01-01T00:00:00.000000Z");
    }
}
