//! Which pods make room for one of a higher priority (`framework/preemption`, `plugins/defaultpreemption`): pure.

use serde_json::Value;

use super::fit::{Unfit, unfit};

/// What preemption comes to for a pod that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Preemption<'a> {
    /// These have to go.
    Victims(Vec<&'a Value>),
    /// Some are going already for this pod.
    Underway,
    /// It does not help; the end of the scheduler's sentence.
    Helpless(String),
}

/// Decides. `there` are the pods of the node.
pub(super) fn preemption<'a>(pod: &Value, node: &Value, there: &[&'a Value], unfit_for: &Unfit) -> Preemption<'a> {
    let of_nodes = |reason: &str| Preemption::Helpless(format!("0/1 nodes are available: 1 {reason}"));
    if pod["spec"]["preemptionPolicy"] == "Never" {
        return Preemption::Helpless("not eligible due to preemptionPolicy=Never".to_owned());
    }
    let lower = |other: &&Value| priority(other) < priority(pod);
    let is_nominated = pod["status"]["nominatedNodeName"].is_string();
    let mut going = there.iter().copied().filter(lower);
    if is_nominated && going.any(|other| other["metadata"]["deletionTimestamp"].is_string()) {
        return Preemption::Underway;
    }
    if !unfit_for.preemption_could_help() {
        return of_nodes("Preemption is not helpful for scheduling");
    }
    let alive = |other: &&Value| !super::is_over(other);
    let mut candidates: Vec<&Value> = there.iter().copied().filter(lower).filter(alive).collect();
    if candidates.is_empty() {
        return of_nodes("No preemption victims found for incoming pod");
    }
    let mut kept: Vec<&Value> = there.iter().copied().filter(|other| !lower(other)).collect();
    if let Some(still) = unfit(pod, node, &kept) {
        let reasons = still.reasons().join(", 1 ");
        return of_nodes(&reasons);
    }
    // The more important ones stay where there is room for them: of a higher priority, or there for longer.
    let since = |other: &Value| other["status"]["startTime"].as_str().unwrap_or_default().to_owned();
    candidates.sort_by_key(|other| (-priority(other), since(other)));
    let mut victims = Vec::new();
    for candidate in candidates {
        kept.push(candidate);
        if unfit(pod, node, &kept).is_some() {
            kept.pop();
            victims.push(candidate);
        }
    }
    Preemption::Victims(victims)
}

fn priority(pod: &Value) -> i64 {
    pod["spec"]["priority"].as_i64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, priority: i64, cpu: &str) -> Value {
        json!({"metadata": {"name": name}, "status": {"phase": "Running"}, "spec": {"priority": priority,
            "containers": [{"name": "a", "resources": {"requests": {"cpu": cpu}}}]}})
    }

    fn decide<'a>(pod: &Value, there: &[&'a Value]) -> Preemption<'a> {
        let node = json!({"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "4", "pods": "9"}}});
        let unfit_for = unfit(pod, &node, there).unwrap();
        preemption(pod, &node, there, &unfit_for)
    }

    #[test]
    fn the_least_important_pods_that_make_room_go() {
        let (low, lower, same) = (pod("low", 5, "2"), pod("lower", 1, "1"), pod("same", 10, "1"));
        let there = [&low, &lower, &same];
        assert_eq!(decide(&pod("p", 10, "1"), &there), Preemption::Victims(vec![&lower]));
        assert_eq!(
            decide(&pod("p", 10, "3"), &there),
            Preemption::Victims(vec![&low, &lower])
        );
    }

    #[test]
    fn what_does_not_help_is_said_in_the_schedulers_words() {
        let why = |pod: &Value, there: &[&Value]| match decide(pod, there) {
            Preemption::Helpless(why) => why,
            other => panic!("{other:?}"),
        };
        let (low, same) = (pod("low", 1, "1"), pod("same", 10, "3"));
        assert_eq!(
            why(&pod("p", 10, "2"), &[&same]),
            "0/1 nodes are available: 1 No preemption victims found for incoming pod"
        );
        assert_eq!(
            why(&pod("p", 10, "2"), &[&low, &same]),
            "0/1 nodes are available: 1 Insufficient cpu"
        );
        let mut never = pod("p", 10, "2");
        never["spec"]["preemptionPolicy"] = json!("Never");
        assert_eq!(
            why(&never, &[&low, &same]),
            "not eligible due to preemptionPolicy=Never"
        );
    }

    #[test]
    fn a_pod_that_others_are_going_for_waits() {
        let mut going = pod("low", 1, "4");
        going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let mut waits = pod("p", 10, "2");
        waits["status"] = json!({"nominatedNodeName": "n"});
        assert_eq!(decide(&waits, &[&going]), Preemption::Underway);
    }
}
