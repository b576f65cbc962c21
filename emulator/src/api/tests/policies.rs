//! Policies of namespaces, as the API server decides by them.

use super::*;

const PODS: &str = "/api/v1/namespaces/default/pods";

/// An API server whose namespace `default` takes pods.
fn api_with_account() -> (Arc<Api>, tempfile::TempDir) {
    let (api, folder) = api();
    crate::controllers::namespaces::provide(&api.store, "default", "", api.clock.now());
    (api, folder)
}

async fn with_quota(api: &Arc<Api>, hard: Value) {
    let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": hard}});
    let (code, answer) = ask(api, "POST", "/api/v1/namespaces/default/resourcequotas", quota).await;
    assert_eq!(code, 201, "{answer}");
}

async fn used(api: &Arc<Api>) -> Value {
    ask(api, "GET", "/api/v1/namespaces/default/resourcequotas/q", Value::Null)
        .await
        .1["status"]["used"]
        .clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn quota_holds_under_concurrent_creation() {
    let (api, _folder) = api();
    with_quota(&api, json!({"count/secrets": "4"})).await;
    let creations = (0..16).map(|number| {
        let api = api.clone();
        tokio::spawn(async move {
            let secret = json!({"metadata": {"name": format!("s{number}")}});
            ask(&api, "POST", "/api/v1/namespaces/default/secrets", secret).await.0
        })
    });
    let mut created = 0;
    for creation in creations.collect::<Vec<_>>() {
        match creation.await.unwrap() {
            201 => created += 1,
            code => assert_eq!(code, 403),
        }
    }
    assert_eq!(created, 4);
    assert_eq!(used(&api).await, json!({"count/secrets": "4"}));
}

#[tokio::test]
async fn resize_beyond_quota_is_refused_and_within_it_counted() {
    let (api, _folder) = api_with_account();
    with_quota(&api, json!({"requests.cpu": "1"})).await;
    let container = |cpu: &str| json!({"name": "a", "image": "b", "resources": {"requests": {"cpu": cpu}}});
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [container("500m")]}});
    assert_eq!(ask(&api, "POST", PODS, pod.clone()).await.0, 201);
    assert_eq!(used(&api).await, json!({"requests.cpu": "500m"}));
    let resized = |cpu: &str| {
        let mut pod = pod.clone();
        pod["spec"]["containers"] = json!([container(cpu)]);
        pod
    };
    let path = format!("{PODS}/p/resize");
    let (code, refused) = ask(&api, "PUT", &path, resized("2")).await;
    assert_eq!(code, 403);
    assert_eq!(
        refused["message"],
        "pods \"p\" is forbidden: exceeded quota: q, requested: requests.cpu=1500m, used: requests.cpu=500m, limited: \
         requests.cpu=1"
    );
    assert_eq!(ask(&api, "PUT", &path, resized("1")).await.0, 200);
    assert_eq!(used(&api).await, json!({"requests.cpu": "1"}));
}

#[tokio::test]
async fn namespace_with_invalid_policy_is_invalid() {
    let (api, _folder) = api();
    let labels = json!({"pod-security.kubernetes.io/enforce-version": "1.30"});
    let namespace = json!({"metadata": {"name": "n", "labels": labels}});
    let (code, refused) = ask(&api, "POST", "/api/v1/namespaces", namespace).await;
    assert_eq!(code, 422);
    assert_eq!(
        refused["message"],
        "Namespace \"n\" is invalid: metadata.labels[pod-security.kubernetes.io/enforce-version]: Invalid value: \"1.30\": \
         must be \"latest\" or \"v1.x\""
    );
}

#[tokio::test]
async fn quota_keeps_its_scopes_and_its_status() {
    let (api, _folder) = api();
    with_quota(&api, json!({"pods": "1"})).await;
    let path = "/api/v1/namespaces/default/resourcequotas/q";
    let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}, "scopes": ["BestEffort"]}});
    let (code, refused) = ask(&api, "PUT", path, quota).await;
    assert_eq!(code, 422, "{refused}");
    assert_eq!(
        refused["message"],
        "ResourceQuota \"q\" is invalid: spec.scopes: Invalid value: [\"BestEffort\"]: field is immutable"
    );
    let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}, "status": {"used": {"pods": "9"}}});
    let (code, changed) = ask(&api, "PUT", path, quota).await;
    assert_eq!((code, &changed["status"]["used"]["pods"]), (200, &json!("0")));
}
