//! What quotas refuse, and what their status says.

use super::*;

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn quota(spec: &Value) -> Value {
    json!({"metadata": {"name": "q"}, "spec": spec})
}

fn pod(requests: &Value) -> Value {
    json!({"metadata": {"name": "p"}, "spec": {"containers": [
        {"name": "a", "resources": {"requests": requests, "limits": requests}}]}})
}

/// The namespace with one quota and these pods.
fn listed<'a>(quota: &'a Value, pods: &'a [Value]) -> impl Fn(Resource) -> Vec<Arc<Value>> + 'a {
    move |resource| match resource {
        Resource::ResourceQuotas => vec![Arc::new(quota.clone())],
        Resource::Pods => pods.iter().cloned().map(Arc::new).collect(),
        _ => Vec::new(),
    }
}

fn refused(spec: &Value, pods: &[Value], new: &Value) -> Option<String> {
    let quota = quota(spec);
    refusal(Resource::Pods, None, new, &listed(&quota, pods), now())
}

#[test]
fn pod_beyond_the_quota_is_refused_with_its_sums() {
    let spec = json!({"hard": {"pods": "2", "requests.cpu": "2", "memory": "1Gi"}});
    let pods = [pod(&json!({"cpu": "1", "memory": "100Mi"}))];
    assert_eq!(refused(&spec, &pods, &pod(&json!({"cpu": "1", "memory": "1Mi"}))), None);
    assert_eq!(
        refused(&spec, &pods, &pod(&json!({"cpu": "1500m", "memory": "1Gi"}))).unwrap(),
        "exceeded quota: q, requested: memory=1Gi,requests.cpu=1500m, used: memory=100Mi,requests.cpu=1, limited: \
         memory=1Gi,requests.cpu=2"
    );
}

#[test]
fn pod_must_name_what_is_limited() {
    let spec = json!({"hard": {"limits.cpu": "2", "requests.memory": "1Gi", "ephemeral-storage": "1Gi"}});
    let mut new = pod(&json!({}));
    new["spec"]["initContainers"] = json!([{"name": "i", "resources": {"limits": {"cpu": "1"}}}]);
    assert_eq!(
        refused(&spec, &[], &new).unwrap(),
        "failed quota: q: must specify limits.cpu for: a; requests.memory for: a,i"
    );
}

#[test]
fn ended_pods_free_what_they_used() {
    let spec = json!({"hard": {"pods": "1"}});
    let mut other = pod(&json!({}));
    assert!(refused(&spec, &[other.clone()], &pod(&json!({}))).is_some());
    other["status"] = json!({"phase": "Failed"});
    assert_eq!(refused(&spec, &[other.clone()], &pod(&json!({}))), None);
    let counting = json!({"hard": {"count/pods": "1"}});
    assert_eq!(
        refused(&counting, &[other], &pod(&json!({}))).unwrap(),
        "exceeded quota: q, requested: count/pods=1, used: count/pods=1, limited: count/pods=1"
    );
}

#[test]
fn scopes_decide_which_pods_count() {
    let best_effort = pod(&json!({}));
    let burstable = pod(&json!({"cpu": "1"}));
    let mut terminating = pod(&json!({}));
    terminating["spec"]["activeDeadlineSeconds"] = json!(5);
    let mut high = pod(&json!({}));
    high["spec"]["priorityClassName"] = json!("high");
    let mut across = pod(&json!({}));
    across["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
        json!([{"namespaces": ["other"]}]);
    let of_priority = |operator: &str, values: Value| {
        json!({"scopeSelector": {"matchExpressions": [
            {"scopeName": "PriorityClass", "operator": operator, "values": values}]}})
    };
    for (mut spec, inside, outside) in [
        (json!({"scopes": ["BestEffort"]}), &best_effort, &burstable),
        (json!({"scopes": ["NotBestEffort"]}), &burstable, &best_effort),
        (json!({"scopes": ["Terminating"]}), &terminating, &burstable),
        (json!({"scopes": ["NotTerminating"]}), &burstable, &terminating),
        (json!({"scopes": ["PriorityClass"]}), &high, &burstable),
        (json!({"scopes": ["CrossNamespacePodAffinity"]}), &across, &burstable),
        (of_priority("In", json!(["high"])), &high, &burstable),
        (of_priority("NotIn", json!(["high"])), &burstable, &high),
        (of_priority("DoesNotExist", json!([])), &burstable, &high),
    ] {
        spec["hard"] = json!({"pods": "0"});
        assert!(refused(&spec, &[], inside).is_some(), "{spec}");
        assert_eq!(refused(&spec, &[], outside), None, "{spec}");
    }
}

#[test]
fn resize_is_charged_by_its_difference() {
    let (old, new) = (pod(&json!({"cpu": "1"})), pod(&json!({"cpu": "2"})));
    let resized = |hard: &str| {
        let quota = quota(&json!({"hard": {"requests.cpu": hard, "pods": "1"}}));
        let pods = [old.clone()];
        refusal(Resource::Pods, Some(&old), &new, &listed(&quota, &pods), now())
    };
    assert_eq!(resized("2"), None);
    assert_eq!(
        resized("1500m").unwrap(),
        "exceeded quota: q, requested: requests.cpu=1, used: requests.cpu=1, limited: requests.cpu=1500m"
    );
}

#[test]
fn objects_of_other_kinds_are_counted() {
    let quota = quota(&json!({"hard": {"configmaps": "0", "count/secrets": "1"}}));
    let list = listed(&quota, &[]);
    let refused = |resource| refusal(resource, None, &json!({}), &list, now());
    assert_eq!(
        refused(Resource::ConfigMaps).unwrap(),
        "exceeded quota: q, requested: configmaps=1, used: configmaps=0, limited: configmaps=0"
    );
    assert_eq!(refused(Resource::Secrets), None);
    assert_eq!(refused(Resource::ServiceAccounts), None);
}

#[test]
fn status_shows_what_is_tracked() {
    let quota = quota(&json!({"hard": {"cpu": "4", "pods": "3", "services": "5", "count/deployments.apps": "1"}}));
    let pods = [pod(&json!({"cpu": "500m"})), pod(&json!({"cpu": "1"}))];
    assert_eq!(
        status(&quota, &listed(&quota, &pods), now()),
        json!({
            "hard": {"count/deployments.apps": "1", "cpu": "4", "pods": "3", "services": "5"},
            "used": {"cpu": "1500m", "pods": "2", "services": "0"},
        })
    );
}
