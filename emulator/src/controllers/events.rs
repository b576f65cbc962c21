//! Events are forgotten after an hour (`--event-ttl` of kube-apiserver).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    clock::Clock,
    store::{Key, Resource, Store},
};

/// How long an event is kept after it was last seen.
const TTL: SignedDuration = SignedDuration::from_hours(1);

/// How often old ones are looked for; rare, so that an idle emulator sleeps.
const PERIOD: Duration = Duration::from_secs(300);

/// Removes events as they grow old; never ends.
pub(super) async fn run(store: &Store, clock: &Clock) {
    loop {
        remove_old(store, clock.now());
        tokio::time::sleep(PERIOD).await;
    }
}

fn remove_old(store: &Store, now: Timestamp) {
    for event in store.list(Resource::Events, None).0 {
        if last_seen(&event).is_some_and(|seen| now.duration_since(seen) > TTL) {
            let metadata = &event["metadata"];
            let text = |field: &str| metadata[field].as_str().unwrap_or_default();
            // Somebody else may have removed it, or the disk may be full: the next round sees to it.
            let _ = store.delete(&Key::new(Resource::Events, text("namespace"), text("name")), None);
        }
    }
}

/// The newest of the times that an event can carry.
fn last_seen(event: &Value) -> Option<Timestamp> {
    [
        &event["series"]["lastObservedTime"],
        &event["lastTimestamp"],
        &event["eventTime"],
        &event["metadata"]["creationTimestamp"],
    ]
    .into_iter()
    .filter_map(|time| time.as_str()?.parse().ok())
    .max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_goes_an_hour_after_it_was_last_seen() {
        let store = Store::in_memory();
        let event = json!({
            "metadata": {"namespace": "default", "name": "e", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "lastTimestamp": "2026-01-01T00:30:00Z",
        });
        store.create(Key::new(Resource::Events, "default", "e"), event).unwrap();
        remove_old(&store, "2026-01-01T01:30:00Z".parse().unwrap());
        assert_eq!(store.list(Resource::Events, None).0.len(), 1);
        remove_old(&store, "2026-01-01T01:30:01Z".parse().unwrap());
        assert_eq!(store.list(Resource::Events, None).0.len(), 0);
    }
}
