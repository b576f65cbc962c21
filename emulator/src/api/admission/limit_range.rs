//! LimitRanges of a namespace: what its pods get where they say nothing, and what they may ask for
//! (`plugin/pkg/admission/limitranger`).

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Map, Value};

use super::{
    defaults::{Amounts, aggregate, amounts},
    quantity::Quantity,
    tree,
};

/// Names what was set.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// Gives containers the requests and limits that they leave out, and says so in an annotation.
pub(super) fn apply_defaults(pod: &mut Value, ranges: &[Arc<Value>]) {
    for range in ranges {
        let (limits, requests) = (defaults(range, "default"), defaults(range, "defaultRequest"));
        let mut said = Vec::new();
        let spec = tree::object_or_new(pod, "spec");
        for (list, word) in [("containers", "container"), ("initContainers", "init container")] {
            for container in tree::items(spec, list) {
                let name = container["name"].as_str().unwrap_or_default().to_owned();
                let set_limits = fill(container, "limits", &limits);
                for (set, kind) in [
                    (fill(container, "requests", &requests), "request"),
                    (set_limits, "limit"),
                ] {
                    if !set.is_empty() {
                        let set: Vec<String> = set.into_iter().collect();
                        said.push(format!("{} {kind} for {word} {name}", set.join(", ")));
                    }
                }
            }
        }
        if !said.is_empty() {
            let annotations = tree::object_or_new(&mut pod["metadata"], "annotations");
            annotations[ANNOTATION] = format!("LimitRanger plugin set: {}", said.join("; ")).into();
        }
    }
}

/// The defaults of a range's containers: a later item wins.
fn defaults(range: &Value, field: &str) -> Map<String, Value> {
    let mut defaults = Map::new();
    for item in items(range).filter(|item| item["type"] == "Container") {
        for (name, amount) in item[field].as_object().into_iter().flatten() {
            defaults.insert(name.clone(), amount.clone());
        }
    }
    defaults
}

/// Adds what is missing, and returns its names.
fn fill(container: &mut Value, field: &str, defaults: &Map<String, Value>) -> BTreeSet<String> {
    let has = |name: &str| !container["resources"][field][name].is_null();
    let missing: BTreeSet<String> = defaults.keys().filter(|name| !has(name)).cloned().collect();
    if !missing.is_empty() {
        let amounts = tree::object_or_new(tree::object_or_new(container, "resources"), field);
        for name in &missing {
            amounts[name] = defaults[name].clone();
        }
    }
    missing
}

fn items(range: &Value) -> impl Iterator<Item = &Value> {
    range["spec"]["limits"].as_array().into_iter().flatten()
}

/// Why the ranges of a namespace refuse a pod: the first range that does, with all that it says.
pub(super) fn refusal(pod: &Value, ranges: &[Arc<Value>]) -> Option<String> {
    let mut refusals = ranges.iter().map(|range| mistakes(pod, range));
    let mistakes = refusals.find(|mistakes| !mistakes.is_empty())?;
    Some(match mistakes.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    })
}

fn mistakes(pod: &Value, range: &Value) -> Vec<String> {
    let spec = &pod["spec"];
    let mut mistakes: Vec<String> = Vec::new();
    for item in items(range) {
        let kind = item["type"].as_str().unwrap_or_default();
        let found = match kind {
            "Container" => {
                let lists = ["containers", "initContainers"];
                let containers = lists.iter().filter_map(|list| spec[*list].as_array()).flatten();
                let found = containers.flat_map(|container| {
                    let of = |field: &str| amounts(&container["resources"][field]);
                    constraints(item, kind, &of("requests"), &of("limits"))
                });
                found.collect()
            }
            "Pod" => constraints(item, kind, &of_pod(spec, "requests"), &of_pod(spec, "limits")),
            _ => Vec::new(),
        };
        for one in found {
            // Containers that make the same mistake are told once.
            if !mistakes.contains(&one) {
                mistakes.push(one);
            }
        }
    }
    mistakes
}

/// What all containers of a pod have at once; what the pod has of its own counts instead.
fn of_pod(spec: &Value, field: &str) -> Amounts {
    let mut all = aggregate(spec, field);
    let own = amounts(&spec["resources"][field]);
    all.extend(
        own.into_iter()
            .filter(|(name, _)| matches!(name.as_str(), "cpu" | "memory")),
    );
    all
}

/// One item of a range against one container or pod.
fn constraints(item: &Value, kind: &str, requests: &Amounts, limits: &Amounts) -> Vec<String> {
    let mut found = Vec::new();
    for field in ["min", "max", "maxLimitRequestRatio"] {
        for (name, enforced) in amounts(&item[field]) {
            let usage = Usage {
                name: &name,
                kind,
                enforced,
                request: requests.get(&name).copied(),
                limit: limits.get(&name).copied(),
            };
            found.extend(match field {
                "min" => usage.below_minimum(),
                "max" => usage.above_maximum(),
                _ => usage.above_ratio(),
            });
        }
    }
    found
}

/// What a container or pod asks for of one resource, and the amount that a range enforces.
struct Usage<'a> {
    name: &'a str,
    kind: &'a str,
    enforced: Quantity,
    request: Option<Quantity>,
    limit: Option<Quantity>,
}

impl Usage<'_> {
    fn below_minimum(&self) -> Option<String> {
        let Self {
            name, kind, enforced, ..
        } = self;
        let why = match (self.request, self.limit) {
            (None, _) => ".  No request is specified".to_owned(),
            (Some(request), _) if request < *enforced => format!(", but request is {request}"),
            (_, Some(limit)) if limit < *enforced => format!(", but limit is {limit}"),
            _ => return None,
        };
        Some(format!("minimum {name} usage per {kind} is {enforced}{why}"))
    }

    fn above_maximum(&self) -> Option<String> {
        let Self {
            name, kind, enforced, ..
        } = self;
        let why = match (self.limit, self.request) {
            (None, _) => ".  No limit is specified".to_owned(),
            (Some(limit), _) if limit > *enforced => format!(", but limit is {limit}"),
            (_, Some(request)) if request > *enforced => format!(", but request is {request}"),
            _ => return None,
        };
        Some(format!("maximum {name} usage per {kind} is {enforced}{why}"))
    }

    fn above_ratio(&self) -> Option<String> {
        let Self {
            name, kind, enforced, ..
        } = self;
        let given = |amount: Option<Quantity>| amount.filter(|amount| *amount != Quantity::ZERO);
        let why = match (given(self.request), given(self.limit)) {
            (None, _) => "no request is specified or request is 0".to_owned(),
            (_, None) => "no limit is specified or limit is 0".to_owned(),
            (Some(request), Some(limit)) => {
                let ratio = limit.ratio_to(request);
                if ratio <= enforced.ratio_to(Quantity::from_units(1)) {
                    return None;
                }
                format!("provided ratio is {ratio:.6}")
            }
        };
        Some(format!(
            "{name} max limit to request ratio per {kind} is {enforced}, but {why}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn range(limits: &Value) -> [Arc<Value>; 1] {
        [Arc::new(json!({"spec": {"limits": limits}}))]
    }

    fn pod(resources: &Value) -> Value {
        json!({"metadata": {}, "spec": {
            "containers": [{"name": "a", "resources": resources}],
            "initContainers": [{"name": "i", "resources": resources}]}})
    }

    #[test]
    fn defaults_fill_gaps_and_are_annotated() {
        let mut pod = pod(&json!({"requests": {"cpu": "1"}}));
        let limits = json!([{"type": "Container", "default": {"memory": "2Gi"},
            "defaultRequest": {"memory": "1Gi", "cpu": "2"}}]);
        apply_defaults(&mut pod, &range(&limits));
        let expected = json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}});
        assert_eq!(pod["spec"]["containers"][0]["resources"], expected);
        assert_eq!(pod["spec"]["initContainers"][0]["resources"], expected);
        assert_eq!(
            pod["metadata"]["annotations"][ANNOTATION],
            "LimitRanger plugin set: memory request for container a; memory limit for container a; memory request for \
             init container i; memory limit for init container i"
        );
        let done = pod.clone();
        apply_defaults(&mut pod, &range(&limits));
        assert_eq!(pod, done);
    }

    #[test]
    fn container_outside_its_range_is_refused() {
        let refused = |resources: Value, item: Value| {
            let mut item = item;
            item["type"] = json!("Container");
            refusal(&pod(&resources), &range(&json!([item])))
        };
        for (resources, item, expected) in [
            (
                json!({"requests": {"memory": "50Mi"}}),
                json!({"min": {"memory": "100Mi"}}),
                "minimum memory usage per Container is 100Mi, but request is 50Mi",
            ),
            (
                json!({}),
                json!({"min": {"cpu": "1"}}),
                "minimum cpu usage per Container is 1.  No request is specified",
            ),
            (
                json!({"requests": {"cpu": "1"}, "limits": {"cpu": "3"}}),
                json!({"max": {"cpu": "2"}}),
                "maximum cpu usage per Container is 2, but limit is 3",
            ),
            (
                json!({"requests": {"cpu": "3"}}),
                json!({"max": {"cpu": "2"}}),
                "maximum cpu usage per Container is 2.  No limit is specified",
            ),
            (
                json!({"requests": {"cpu": "1"}, "limits": {"cpu": "3"}}),
                json!({"maxLimitRequestRatio": {"cpu": "2"}}),
                "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
            ),
            (
                json!({"limits": {"cpu": "3"}}),
                json!({"maxLimitRequestRatio": {"cpu": "2"}}),
                "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0",
            ),
        ] {
            assert_eq!(refused(resources, item).as_deref(), Some(expected));
        }
        let fits = json!({"requests": {"cpu": "1"}, "limits": {"cpu": "2"}});
        assert_eq!(
            refused(
                fits,
                json!({"min": {"cpu": "1"}, "max": {"cpu": "2"}, "maxLimitRequestRatio": {"cpu": "2"}})
            ),
            None
        );
    }

    #[test]
    fn pod_limits_add_up_containers_unless_the_pod_has_its_own() {
        let mut pod = json!({"spec": {
            "containers": [{"resources": {"limits": {"cpu": "2"}}}, {"resources": {"limits": {"cpu": "1500m"}}}],
            "initContainers": [{"resources": {"limits": {"cpu": "3"}}}]}});
        let range = range(&json!([{"type": "Pod", "max": {"cpu": "3"}}]));
        assert_eq!(
            refusal(&pod, &range).as_deref(),
            Some("maximum cpu usage per Pod is 3, but limit is 3500m")
        );
        pod["spec"]["resources"] = json!({"limits": {"cpu": "3"}});
        assert_eq!(refusal(&pod, &range), None);
    }

    #[test]
    fn several_mistakes_are_listed_together() {
        let range = range(&json!([{"type": "Container", "min": {"cpu": "1", "memory": "1Mi"}}]));
        assert_eq!(
            refusal(&pod(&json!({})), &range).as_deref(),
            Some(
                "[minimum cpu usage per Container is 1.  No request is specified, minimum memory usage per Container is \
                 1Mi.  No request is specified]"
            )
        );
    }
}
