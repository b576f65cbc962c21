//! What a deletion does to an object: at once, or by its grace.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::time::seconds;
use crate::store::{Key, Resource, Store, StoreError, version_of};

/// What the client wants, from its body or its query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// `gracePeriodSeconds`.
    pub(super) grace: Option<i64>,
    /// `preconditions.uid`.
    pub(super) uid: Option<String>,
    /// `preconditions.resourceVersion`.
    pub(super) version: Option<String>,
    /// `dryRun`.
    pub(super) dry_run: bool,
}

impl Options {
    /// Reads a body of DeleteOptions; an empty one has none.
    ///
    /// # Errors
    /// Where it can't be read.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        let value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        Ok(Self::of(&value))
    }

    /// What DeleteOptions say.
    pub(super) fn of(value: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Self {
            grace: value["gracePeriodSeconds"].as_i64(),
            uid: text(&value["preconditions"]["uid"]),
            version: text(&value["preconditions"]["resourceVersion"]),
            dry_run: value["dryRun"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one == "All")),
        }
    }
}

/// What becomes of the object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// It goes now; a pod is first marked, so that its node sees why.
    Removed(Option<Value>),
    /// It is as it was: it is on its way already.
    Unchanged,
    /// It is marked, and goes when whoever holds it lets go.
    Marked(Value),
}

/// Decides what a deletion does (`apiserver/pkg/registry/rest/delete.go`, `BeforeDelete`).
pub(crate) fn delete(resource: Resource, object: &Value, grace: Option<i64>, now: Timestamp) -> Outcome {
    match resource {
        Resource::Pods => delete_pod(object, grace, now),
        // A namespace's content goes first.
        Resource::Namespaces if time(object).is_none() => {
            let mut object = object.clone();
            mark(&mut object, now, None);
            object["status"]["phase"] = json!("Terminating");
            Outcome::Marked(object)
        }
        Resource::Namespaces if is_filled(&object["spec"]["finalizers"]) => Outcome::Unchanged,
        _ => delete_without_grace(object, now),
    }
}

/// Changes an object and deletes it, where it is still the same one.
///
/// # Errors
/// `NotFound`, `Conflict` where another object has the name now, `Disk`.
pub(crate) fn carry_out(
    store: &Store,
    resource: Resource,
    object: &Value,
    grace: Option<i64>,
    now: Timestamp,
    change: impl FnOnce(&mut Value),
) -> Result<(), StoreError> {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    let key = Key::new(resource, text("namespace"), text("name"));
    let mut removes = false;
    let marked = store.modify(&key, |current| {
        if current["metadata"]["uid"] != object["metadata"]["uid"] {
            return Err(StoreError::Conflict);
        }
        change(current);
        match delete(resource, current, grace, now) {
            Outcome::Marked(marked) => *current = marked,
            Outcome::Removed(marked) => {
                removes = true;
                *current = marked.unwrap_or_else(|| current.take());
            }
            Outcome::Unchanged => {}
        }
        Ok(())
    })?;
    if removes {
        store.delete(&key, version_of(&marked))?;
    }
    Ok(())
}

fn delete_pod(object: &Value, grace: Option<i64>, now: Timestamp) -> Outcome {
    let grace = grace.map(at_least_one);
    let before = object["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
    let (deadline, grace) = match (time(object), grace) {
        (None, _) => {
            let grace = first_grace(object, grace);
            (after(now, grace), grace)
        }
        // An earlier deletion has marked it and got no further.
        (Some(_), _) if before == 0 => return delete_without_grace(object, now),
        // A later deletion can only shorten the time that the first one gave.
        (Some(deadline), Some(grace)) if grace < before => match after(deadline, grace - before) {
            past if past < now => (now, grace.min(1)),
            deadline => (deadline, grace),
        },
        (Some(_), _) => return Outcome::Unchanged,
    };
    let mut object = object.clone();
    mark(&mut object, deadline, Some(grace));
    if grace == 0 && !is_filled(&object["metadata"]["finalizers"]) {
        Outcome::Removed(Some(object))
    } else {
        Outcome::Marked(object)
    }
}

/// Removes an object that has no grace period, or marks it where finalizers hold it
/// (`apiserver/pkg/registry/generic/registry/store.go`, `markAsDeleting`).
fn delete_without_grace(object: &Value, now: Timestamp) -> Outcome {
    if !is_filled(&object["metadata"]["finalizers"]) {
        return Outcome::Removed(None);
    }
    let deadline = time(object).map_or(now, |deadline| deadline.min(now));
    let mut object = object.clone();
    mark(&mut object, deadline, Some(0));
    Outcome::Marked(object)
}

/// Sets the deletion's fields; the first deletion is a new generation.
fn mark(object: &mut Value, deadline: Timestamp, grace: Option<i64>) {
    let metadata = &mut object["metadata"];
    if let Some(generation) = metadata["generation"].as_i64()
        && metadata["deletionTimestamp"].is_null()
    {
        metadata["generation"] = json!(generation + 1);
    }
    metadata["deletionTimestamp"] = json!(seconds(deadline));
    if let Some(grace) = grace {
        metadata["deletionGracePeriodSeconds"] = json!(grace);
    }
}

/// The object's `deletionTimestamp`.
fn time(object: &Value) -> Option<Timestamp> {
    object["metadata"]["deletionTimestamp"].as_str()?.parse().ok()
}

fn after(start: Timestamp, seconds: i64) -> Timestamp {
    start.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(start)
}

fn is_filled(list: &Value) -> bool {
    list.as_array().is_some_and(|all| !all.is_empty())
}

fn at_least_one(grace: i64) -> i64 {
    if grace < 0 { 1 } else { grace }
}

/// Returns how many seconds the first deletion of a pod gives it (`pkg/registry/core/pod/strategy.go`,
/// `CheckGracefulDelete`).
fn first_grace(pod: &Value, asked: Option<i64>) -> i64 {
    let scheduled = pod["spec"]["nodeName"].as_str().is_some_and(|node| !node.is_empty());
    let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if !scheduled || ended {
        return 0;
    }
    let own = pod["spec"]["terminationGracePeriodSeconds"].as_i64();
    at_least_one(asked.or(own).unwrap_or(30))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    /// Whether it goes now, marked with no grace.
    fn goes(outcome: Outcome) -> bool {
        matches!(outcome, Outcome::Removed(Some(pod)) if pod["metadata"]["deletionGracePeriodSeconds"] == 0)
    }

    fn pod() -> Value {
        json!({
            "metadata": {"name": "a", "generation": 1},
            "spec": {"nodeName": "emulator", "terminationGracePeriodSeconds": 30},
            "status": {"phase": "Running"},
        })
    }

    fn marked(pod: &Value, grace: Option<i64>, now: Timestamp) -> Value {
        match delete(Resource::Pods, pod, grace, now) {
            Outcome::Marked(pod) => pod,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_running_pod_gets_its_grace() {
        let pod = marked(&pod(), None, now());
        assert_eq!(pod["metadata"]["deletionTimestamp"], "2026-01-01T00:00:30Z");
        assert_eq!(pod["metadata"]["deletionGracePeriodSeconds"], 30);
        assert_eq!(pod["metadata"]["generation"], 2);
    }

    #[test]
    fn second_deletion_with_shorter_grace_moves_the_deadline() {
        let first = marked(&pod(), Some(10), now());
        for grace in [None, Some(10), Some(20)] {
            assert_eq!(delete(Resource::Pods, &first, grace, now()), Outcome::Unchanged);
        }
        let later = "2026-01-01T00:00:05Z".parse().unwrap();
        let second = marked(&first, Some(6), later);
        assert_eq!(second["metadata"]["deletionTimestamp"], "2026-01-01T00:00:06Z");
        assert_eq!(second["metadata"]["deletionGracePeriodSeconds"], 6);
        assert_eq!(second["metadata"]["generation"], 2);
        assert!(goes(delete(Resource::Pods, &second, Some(0), later)));
    }

    #[test]
    fn second_deletion_never_sets_a_deadline_in_the_past() {
        let first = marked(&pod(), Some(30), now());
        let later = "2026-01-01T00:00:05.7Z".parse().unwrap();
        for grace in [5, 2, 1, -3] {
            let second = marked(&first, Some(grace), later);
            assert_eq!(
                second["metadata"]["deletionTimestamp"], "2026-01-01T00:00:05Z",
                "{grace}"
            );
            assert_eq!(second["metadata"]["deletionGracePeriodSeconds"], 1, "{grace}");
        }
        let Outcome::Removed(Some(gone)) = delete(Resource::Pods, &first, Some(0), later) else {
            panic!()
        };
        assert_eq!(gone["metadata"]["deletionTimestamp"], "2026-01-01T00:00:05Z");
        assert_eq!(gone["metadata"]["deletionGracePeriodSeconds"], 0);
    }

    #[test]
    fn second_deletion_of_an_ended_pod_keeps_the_grace_period() {
        let mut ended = marked(&pod(), Some(30), now());
        ended["status"]["phase"] = json!("Succeeded");
        assert_eq!(delete(Resource::Pods, &ended, None, now()), Outcome::Unchanged);
        assert_eq!(delete(Resource::Pods, &ended, Some(30), now()), Outcome::Unchanged);
    }

    #[test]
    fn deletion_without_grace_waits_for_finalizers_alone() {
        let mut held = pod();
        held["metadata"]["finalizers"] = json!(["example.com/hold"]);
        let first = marked(&held, Some(30), now());
        let second = marked(&first, Some(0), now());
        assert_eq!(second["metadata"]["deletionTimestamp"], "2026-01-01T00:00:00Z");
        assert_eq!(second["metadata"]["deletionGracePeriodSeconds"], 0);
        assert_eq!(marked(&second, None, now()), second);
        let mut free = second.clone();
        free["metadata"]["finalizers"] = json!([]);
        assert_eq!(delete(Resource::Pods, &free, None, now()), Outcome::Removed(None));
    }

    #[test]
    fn what_nothing_runs_of_goes_at_once() {
        let mut ended = pod();
        ended["status"]["phase"] = json!("Succeeded");
        assert!(goes(delete(Resource::Pods, &ended, None, now())));
        let mut unscheduled = pod();
        unscheduled["spec"]["nodeName"] = Value::Null;
        assert!(goes(delete(Resource::Pods, &unscheduled, None, now())));
        assert_eq!(
            marked(&pod(), Some(-5), now())["metadata"]["deletionGracePeriodSeconds"],
            1
        );
    }

    #[test]
    fn finalizers_and_namespaces_are_waited_for() {
        let map = json!({"metadata": {"name": "m", "finalizers": ["x"]}});
        assert!(matches!(
            delete(Resource::ConfigMaps, &map, None, now()),
            Outcome::Marked(_)
        ));
        let namespace = json!({"metadata": {"name": "n"}, "status": {"phase": "Active"}});
        let Outcome::Marked(namespace) = delete(Resource::Namespaces, &namespace, None, now()) else {
            panic!()
        };
        assert_eq!(namespace["status"]["phase"], "Terminating");
        assert!(namespace["metadata"]["deletionGracePeriodSeconds"].is_null());
    }
}
