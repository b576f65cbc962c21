//! Which pods make room for a critical one that the node has to run (`pkg/kubelet/preemption`): pure.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    kubelet::qos::qos_class,
    quantity::{self, Amounts},
    scheduler::fit::Short,
};

use super::pod::Pod;

/// The priority of `system-cluster-critical`, and of everything above it.
pub(super) const CRITICAL: i64 = 2_000_000_000;

/// Whether others make room for the pod.
pub(super) fn is_critical(pod: &Value) -> bool {
    let annotations = &pod["metadata"]["annotations"];
    let source = annotations["kubernetes.io/config.source"].as_str();
    source.is_some_and(|source| source != "api")
        || annotations["kubernetes.io/config.mirror"].is_string()
        || pod["spec"]["priority"]
            .as_i64()
            .is_some_and(|priority| priority >= CRITICAL)
}

/// The pods that go so that there is room, as few and as cheap as can be; an error names what can't be had.
pub(super) fn victims<'a>(pod: &Value, short: &[Short], others: &[&'a Value]) -> Result<Vec<&'a Value>, String> {
    let needed: Amounts = short
        .iter()
        .map(|short| (short.name.clone(), short.used + short.requested - short.capacity))
        .collect();
    let priority = |pod: &Value| pod["spec"]["priority"].as_i64().unwrap_or(0);
    let may_go = |other: &&&Value| !is_critical(other) || (is_critical(pod) && priority(pod) > priority(other));
    let mut classes: BTreeMap<&str, Vec<Candidate<'a>>> = BTreeMap::new();
    for other in others.iter().filter(may_go) {
        if let Ok(read) = Pod::read(other) {
            let mut requests = quantity::requests(&read.spec);
            requests.insert("pods".into(), 1000);
            let candidate = Candidate { pod: other, requests };
            classes.entry(qos_class(&read)).or_default().push(candidate);
        }
    }
    let mut of = |class: &str| classes.remove(class).unwrap_or_default();
    let (best_effort, burstable, guaranteed) = (of("BestEffort"), of("Burstable"), of("Guaranteed"));
    let lacking = less(&less(&less(&needed, &best_effort), &burstable), &guaranteed);
    if !lacking.is_empty() {
        let list: String = lacking
            .iter()
            .map(|(name, amount)| format!("(res: {name}, q: {}), ", shown(name, *amount)))
            .collect();
        return Err(format!("no set of running pods found to reclaim resources: [{list}]"));
    }
    // Of each class only what the classes below it can't give.
    let guaranteed = nearest(guaranteed, less(&less(&needed, &best_effort), &burstable));
    let burstable = nearest(burstable, less(&less(&needed, &best_effort), &guaranteed));
    let best_effort = nearest(best_effort, less(&less(&needed, &burstable), &guaranteed));
    let all = best_effort.into_iter().chain(burstable).chain(guaranteed);
    Ok(all.map(|candidate| candidate.pod).collect())
}

struct Candidate<'a> {
    pod: &'a Value,
    requests: Amounts,
}

/// What is still needed once these have gone.
fn less(needed: &Amounts, gone: &[Candidate<'_>]) -> Amounts {
    let mut left = needed.clone();
    for candidate in gone {
        for (name, amount) in &mut left {
            *amount -= candidate.requests.get(name).copied().unwrap_or(0);
        }
    }
    left.retain(|_, amount| *amount > 0);
    left
}

/// Takes the one that comes nearest to what is needed, until there is enough.
fn nearest(mut candidates: Vec<Candidate<'_>>, mut needed: Amounts) -> Vec<Candidate<'_>> {
    let mut taken = Vec::new();
    while !needed.is_empty() && !candidates.is_empty() {
        let best = (0..candidates.len()).min_by_key(|place| {
            let requests = &candidates[*place].requests;
            (distance(requests, &needed), size(requests))
        });
        let Some(best) = best else { break };
        let candidate = candidates.remove(best);
        needed = less(&needed, std::slice::from_ref(&candidate));
        taken.push(candidate);
    }
    taken
}

/// The squared shares of what would still be lacking, in millionths.
fn distance(requests: &Amounts, needed: &Amounts) -> i128 {
    let share = |(name, amount): (&String, &i128)| {
        let left = (amount - requests.get(name).copied().unwrap_or(0)).max(0);
        let share = left * 1000 / (*amount).max(1);
        share * share
    };
    needed.iter().map(share).sum()
}

fn size(requests: &Amounts) -> (i128, i128) {
    let of = |name: &str| requests.get(name).copied().unwrap_or(0);
    (of("memory"), of("cpu"))
}

fn shown(name: &str, amount: i128) -> i128 {
    if name == "cpu" { amount } else { amount / 1000 }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, priority: i64, resources: Value) -> Value {
        json!({"metadata": {"name": name}, "spec": {"priority": priority, "containers": [{"name": "a", "resources": resources}]}})
    }

    fn cpu(milli: i128) -> Vec<Short> {
        vec![Short {
            name: "cpu".into(),
            requested: milli,
            used: 0,
            capacity: 0,
        }]
    }

    #[test]
    fn the_lowest_class_that_gives_enough_goes() {
        let both = json!({"cpu": "1", "memory": "1Mi"});
        let guaranteed = pod("guaranteed", 0, json!({"requests": both, "limits": both}));
        let burstable = pod("burstable", 0, json!({"requests": {"cpu": "1"}}));
        let bigger = pod("bigger", 0, json!({"requests": {"cpu": "3"}}));
        let critical = pod("critical", CRITICAL, json!({"requests": {"cpu": "9"}}));
        let others = [&guaranteed, &burstable, &bigger, &critical];
        let preemptor = pod("p", CRITICAL, json!({}));
        let names = |milli| -> Result<Vec<String>, String> {
            let victims = victims(&preemptor, &cpu(milli), &others)?;
            Ok(victims
                .iter()
                .map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned())
                .collect())
        };
        assert_eq!(names(1000).unwrap(), ["burstable"]);
        assert_eq!(names(2500).unwrap(), ["bigger"]);
        assert_eq!(names(5000).unwrap(), ["bigger", "burstable", "guaranteed"]);
        assert_eq!(
            names(6000).unwrap_err(),
            "no set of running pods found to reclaim resources: [(res: cpu, q: 1000), ]"
        );
    }
}
