//! What a deletion does to an object: at once, or by its grace.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::time::seconds;
use crate::store::Resource;

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

/// Decides what a deletion does.
pub(crate) fn delete(resource: Resource, object: &Value, grace: Option<i64>, now: Timestamp) -> Outcome {
    let grace = match resource {
        Resource::Pods => pod_grace(object, grace),
        _ => 0,
    };
    let held = object["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|all| !all.is_empty());
    // A namespace's content goes first.
    let removed = grace == 0 && !held && resource != Resource::Namespaces;
    if removed && resource != Resource::Pods {
        return Outcome::Removed(None);
    }
    let marked = object["metadata"]["deletionTimestamp"].is_string();
    let before = object["metadata"]["deletionGracePeriodSeconds"]
        .as_i64()
        .unwrap_or_default();
    if marked && (resource != Resource::Pods || grace >= before) {
        return if removed {
            Outcome::Removed(None)
        } else {
            Outcome::Unchanged
        };
    }
    let mut object = object.clone();
    let start = match object["metadata"]["deletionTimestamp"]
        .as_str()
        .and_then(|time| time.parse::<Timestamp>().ok())
    {
        // Counted from the first deletion.
        Some(deadline) => deadline.checked_sub(SignedDuration::from_secs(before)).unwrap_or(now),
        None => now,
    };
    let deadline = start.checked_add(SignedDuration::from_secs(grace)).unwrap_or(now);
    object["metadata"]["deletionTimestamp"] = json!(seconds(deadline));
    object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
    if let Some(generation) = object["metadata"]["generation"].as_i64().filter(|_| !marked) {
        object["metadata"]["generation"] = json!(generation + 1);
    }
    if resource == Resource::Namespaces {
        object["status"]["phase"] = json!("Terminating");
    }
    if removed {
        Outcome::Removed(Some(object))
    } else {
        Outcome::Marked(object)
    }
}

/// How many seconds a pod has.
fn pod_grace(pod: &Value, asked: Option<i64>) -> i64 {
    let scheduled = pod["spec"]["nodeName"].as_str().is_some_and(|node| !node.is_empty());
    let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if !scheduled || ended {
        return 0;
    }
    match asked
        .or_else(|| pod["spec"]["terminationGracePeriodSeconds"].as_i64())
        .unwrap_or(30)
    {
        negative if negative < 0 => 1,
        grace => grace,
    }
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
    fn a_later_deletion_can_only_shorten() {
        let first = marked(&pod(), Some(10), now());
        assert_eq!(delete(Resource::Pods, &first, Some(20), now()), Outcome::Unchanged);
        let later = "2026-01-01T00:00:05Z".parse().unwrap();
        let second = marked(&first, Some(2), later);
        assert_eq!(second["metadata"]["deletionTimestamp"], "2026-01-01T00:00:02Z");
        assert_eq!(second["metadata"]["generation"], 2);
        assert!(goes(delete(Resource::Pods, &second, Some(0), later)));
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
    }
}
