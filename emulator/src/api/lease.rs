//! The lease of a node: its kubelet, in this same process, renews it every ten seconds, and whoever reads it sees the last
//! renewal (`pkg/kubelet/nodelease`). It is written only while somebody watches: an idle emulator sleeps, and its disk too.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    controllers::node::LEASES,
    store::{Key, Resource, Store, StoreError},
};

/// The pause between two renewals: a quarter of what the lease lasts.
const PERIOD: i64 = 10;

/// The lease as it is now, where it is one that a node holds for itself; any other as it is stored.
pub(super) fn renewed(lease: Arc<Value>, now: Timestamp) -> Arc<Value> {
    let Some((since, passed)) = held(&lease, now) else {
        return lease;
    };
    let last = since.checked_add(SignedDuration::from_secs(passed - passed % PERIOD));
    let mut lease = Value::clone(&lease);
    lease["spec"]["renewTime"] = json!(last.unwrap_or(since).strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string());
    Arc::new(lease)
}

/// Writes the renewals of nodes' leases that are due, for those who watch; how long until the next is.
pub(super) fn renew(store: &Store, now: Timestamp) -> Duration {
    let mut pause = PERIOD;
    for lease in store.list(Resource::Leases, Some(LEASES)).0 {
        let Some((_, passed)) = held(&lease, now) else { continue };
        pause = pause.min(PERIOD - passed % PERIOD);
        let key = Key::new(
            Resource::Leases,
            LEASES,
            lease["metadata"]["name"].as_str().unwrap_or_default(),
        );
        // What can't be written, to a full disk, is seen by whoever reads.
        drop(store.modify(&key, |lease| {
            *lease = Arc::unwrap_or_clone(renewed(Arc::new(lease.take()), now));
            Ok::<_, StoreError>(())
        }));
    }
    Duration::from_secs(pause.unsigned_abs())
}

/// Where a node holds the lease for itself: its last written renewal, and the seconds since.
fn held(lease: &Value, now: Timestamp) -> Option<(Timestamp, i64)> {
    let metadata = &lease["metadata"];
    let is_of_node = metadata["namespace"] == LEASES && metadata["name"] == lease["spec"]["holderIdentity"];
    let since: Timestamp = lease["spec"]["renewTime"].as_str()?.parse().ok()?;
    is_of_node.then(|| (since, now.duration_since(since).as_secs().max(0)))
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

    #[test]
    fn a_renewal_is_written_when_it_is_due_and_not_before() {
        let store = Store::in_memory();
        let key = Key::new(Resource::Leases, LEASES, "emulator");
        let lease = json!({"metadata": {"namespace": LEASES, "name": "emulator"},
            "spec": {"holderIdentity": "emulator", "renewTime": "2026-01-01T00:00:00.000000Z"}});
        store.create(key.clone(), lease).unwrap();
        let before = store.version();
        let at = |time: &str| renew(&store, time.parse().unwrap()).as_secs();
        assert_eq!(at("2026-01-01T00:00:09Z"), 1);
        assert_eq!(store.version(), before);
        assert_eq!(at("2026-01-01T00:01:02Z"), 8);
        assert_eq!(
            store.get(&key).unwrap()["spec"]["renewTime"],
            "2026-01-01T00:01:00.000000Z"
        );
        assert_eq!(store.version(), before + 1);
    }
}
