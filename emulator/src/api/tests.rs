//! The API server as its clients see it, without the network.

mod policies;

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, header};
use serde_json::{Value, json};

use super::streaming::echo_runtime::Echo;
use super::*;
use crate::controllers::namespaces::ensure_built_in;
use crate::features::Features;
use crate::store::Key;

/// An API server with the namespaces of every cluster, and the folder of its key.
pub(super) fn api() -> (Arc<Api>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::in_memory();
    let clock = Clock::system();
    ensure_built_in(&store, clock.now());
    let signer = Arc::new(Signer::load_or_create(&folder.path().join("key")).unwrap());
    let runtime = Arc::new(Echo::at(0));
    let api = Api {
        store,
        clock,
        runtime,
        signer,
        features: Features::default(),
        meter: metrics::Meter::default(),
    };
    (Arc::new(api), folder)
}

fn request(method: &str, path: &str, accept: &str, body: &Value) -> Request<Body> {
    let body = if body.is_null() {
        Body::empty()
    } else {
        Body::from(body.to_string())
    };
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::ACCEPT, accept)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .unwrap()
}

async fn text(response: Response<Body>) -> String {
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What the administrator gets.
async fn ask(api: &Arc<Api>, method: &str, path: &str, body: Value) -> (u16, Value) {
    let response = api.answer(request(method, path, "*/*", &body), true).await;
    let code = response.status().as_u16();
    (code, serde_json::from_str(&text(response).await).unwrap())
}

/// The events of a watch that lasts a second at most.
async fn watched(api: &Arc<Api>, path: &str) -> Vec<Value> {
    let path = format!("{path}&watch=true&timeoutSeconds=1");
    let response = api.answer(request("GET", &path, "*/*", &Value::Null), true).await;
    let lines = text(response).await;
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn make(api: &Arc<Api>, name: &str) -> Value {
    let (code, map) = ask(
        api,
        "POST",
        MAPS,
        json!({"metadata": {"name": name, "labels": {"of": name}}}),
    )
    .await;
    assert_eq!(code, 201, "{map}");
    map
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn custom_resource_definitions_are_an_empty_list() {
    let (api, _folder) = api();
    let path = discovery::DEFINITIONS;
    let (code, list) = ask(&api, "GET", &format!("{path}?limit=500"), Value::Null).await;
    assert_eq!((code, &list["kind"]), (200, &json!("CustomResourceDefinitionList")));
    assert_eq!(list["items"], json!([]));
    assert!(list["metadata"]["resourceVersion"].is_string());
    assert_eq!(ask(&api, "POST", path, json!({})).await.0, 405);
    assert_eq!(ask(&api, "GET", &format!("{path}?watch=1"), Value::Null).await.0, 405);
    let anonymous = api.answer(request("GET", path, "*/*", &Value::Null), false).await;
    assert_eq!(anonymous.status(), 403);
}

#[tokio::test]
async fn pages_follow_one_another_to_the_end() {
    let (api, _folder) = api();
    for name in ["a", "b", "c"] {
        make(&api, name).await;
    }
    let (_, first) = ask(&api, "GET", &format!("{MAPS}?limit=2"), Value::Null).await;
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 1);
    let token = first["metadata"]["continue"].as_str().unwrap();
    let (_, last) = ask(&api, "GET", &format!("{MAPS}?limit=2&continue={token}"), Value::Null).await;
    assert_eq!(names(&last), ["c"]);
    assert_eq!(last["metadata"]["continue"], Value::Null);
    assert_eq!(
        last["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
    assert_eq!(
        ask(&api, "GET", &format!("{MAPS}?continue=x"), Value::Null).await.0,
        400
    );
}

#[tokio::test]
async fn a_watch_from_a_version_that_is_kept_no_more_ends_with_410() {
    let (api, _folder) = api();
    let map = make(&api, "a").await;
    let version = map["metadata"]["resourceVersion"].as_str().unwrap();
    for number in 0..4200 {
        let key = crate::store::Key::new(Resource::ConfigMaps, "default", "a");
        let written = api.store.modify(&key, |map| {
            map["data"] = json!({"n": number.to_string()});
            Ok::<_, crate::store::StoreError>(())
        });
        written.unwrap();
    }
    let events = watched(&api, &format!("{MAPS}?resourceVersion={version}")).await;
    assert_eq!(events[0]["type"], "ERROR");
    assert_eq!(
        (&events[0]["object"]["code"], &events[0]["object"]["reason"]),
        (&json!(410), &json!("Expired"))
    );
}

#[tokio::test]
async fn a_watch_list_begins_with_what_there_is_and_says_where_that_ends() {
    let (api, _folder) = api();
    let map = make(&api, "a").await;
    let path = format!("{MAPS}?sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
    let events = watched(&api, &path).await;
    assert_eq!((&events[0]["type"], &events[0]["object"]), (&json!("ADDED"), &map));
    assert_eq!(events[1]["type"], "BOOKMARK");
    assert_eq!(
        events[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
    assert_eq!(
        ask(
            &api,
            "GET",
            &format!("{MAPS}?watch=true&sendInitialEvents=true"),
            Value::Null
        )
        .await
        .0,
        422
    );
}

#[tokio::test]
async fn who_leaves_the_selection_of_a_watch_is_deleted_for_it() {
    let (api, _folder) = api();
    let map = make(&api, "a").await;
    let version = map["metadata"]["resourceVersion"].as_str().unwrap();
    let mut changed = map.clone();
    changed["metadata"]["labels"]["of"] = json!("other");
    let (_, changed) = ask(&api, "PUT", &format!("{MAPS}/a"), changed).await;
    let events = watched(&api, &format!("{MAPS}?resourceVersion={version}&labelSelector=of%3Da")).await;
    assert_eq!(events[0]["type"], "DELETED");
    assert_eq!(events[0]["object"]["metadata"]["labels"]["of"], "a");
    assert_eq!(
        events[0]["object"]["metadata"]["resourceVersion"],
        changed["metadata"]["resourceVersion"]
    );
}

#[tokio::test]
async fn an_update_of_what_somebody_else_has_changed_is_a_conflict() {
    let (api, _folder) = api();
    let map = make(&api, "a").await;
    let mut first = map.clone();
    first["data"] = json!({"x": "1"});
    assert_eq!(ask(&api, "PUT", &format!("{MAPS}/a"), first).await.0, 200);
    let mut second = map;
    second["data"] = json!({"x": "2"});
    let (code, status) = ask(&api, "PUT", &format!("{MAPS}/a"), second).await;
    let words = "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again";
    assert_eq!((code, &status["message"]), (409, &json!(words)));
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let (api, _folder) = api();
    make(&api, "a").await;
    let version = api.store.version();
    let new = json!({"metadata": {"name": "b"}});
    assert_eq!(ask(&api, "POST", &format!("{MAPS}?dryRun=All"), new).await.0, 201);
    assert_eq!(
        ask(&api, "DELETE", &format!("{MAPS}/a?dryRun=All"), Value::Null)
            .await
            .0,
        200
    );
    assert_eq!(api.store.version(), version);
}

#[tokio::test]
async fn some_namespaces_stay_and_missing_ones_take_nothing() {
    let (api, _folder) = api();
    let (code, status) = ask(&api, "DELETE", "/api/v1/namespaces/default", Value::Null).await;
    let words = "namespaces \"default\" is forbidden: this namespace may not be deleted";
    assert_eq!((code, &status["message"]), (403, &json!(words)));
    let map = json!({"metadata": {"name": "a"}});
    let (code, status) = ask(&api, "POST", "/api/v1/namespaces/none/configmaps", map.clone()).await;
    assert_eq!(
        (code, &status["message"]),
        (404, &json!("namespaces \"none\" not found"))
    );
    let namespace = json!({"metadata": {"name": "shop"}});
    assert_eq!(ask(&api, "POST", "/api/v1/namespaces", namespace).await.0, 201);
    assert_eq!(ask(&api, "DELETE", "/api/v1/namespaces/shop", Value::Null).await.0, 200);
    let (code, status) = ask(&api, "POST", "/api/v1/namespaces/shop/configmaps", map).await;
    assert_eq!(
        (code, &status["details"]["causes"][0]["reason"]),
        (403, &json!("NamespaceTerminating"))
    );
    assert_eq!(ask(&api, "DELETE", "/api/v1/namespaces", Value::Null).await.0, 405);
}

#[tokio::test]
async fn objects_come_in_the_form_that_is_wanted() {
    let (api, _folder) = api();
    make(&api, "a").await;
    for (accept, kind) in [
        ("application/json", "ConfigMapList"),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "Table"),
        (
            "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
            "PartialObjectMetadataList",
        ),
    ] {
        let response = api.answer(request("GET", MAPS, accept, &Value::Null), true).await;
        let list: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(list["kind"], kind);
    }
}

#[tokio::test]
async fn strangers_get_the_version_and_no_objects() {
    let (api, _folder) = api();
    let code = async |path: &str, token: Option<&str>| {
        let mut request = request("GET", path, "*/*", &Value::Null);
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        api.answer(request, false).await.status().as_u16()
    };
    assert_eq!(code("/version", None).await, 200);
    assert_eq!(code("/api/v1/pods", None).await, 403);
    assert_eq!(code("/api", None).await, 403);
    assert_eq!(code("/api/v1/pods", Some("no.such.token")).await, 401);
    let key = Key::new(Resource::ServiceAccounts, "default", "default");
    let account = json!({"metadata": {"name": "default", "uid": "sa"}});
    api.store.create(key.clone(), account).unwrap();
    let path = "/api/v1/namespaces/default/serviceaccounts/default/token";
    let (_, answer) = ask(&api, "POST", path, json!({"spec": {}})).await;
    let token = answer["status"]["token"].as_str().unwrap().to_owned();
    assert_eq!(code("/api/v1", Some(&token)).await, 200);
    assert_eq!(code("/api/v1/pods", Some(&token)).await, 403);
    api.store.delete(&key, None).unwrap();
    assert_eq!(code("/api/v1", Some(&token)).await, 401);
}

/// Adds a service account, a pod that runs as it on the node, and a Secret.
fn add_bound_objects(api: &Api) {
    let add = |resource, namespace, name: &str, spec: Value| {
        let meta = json!({"name": name, "namespace": namespace, "uid": format!("uid-of-{name}")});
        let object = json!({"metadata": meta, "spec": spec});
        api.store.create(Key::new(resource, namespace, name), object).unwrap();
    };
    add(Resource::ServiceAccounts, "default", "robot", json!({}));
    add(Resource::Secrets, "default", "bound", json!({}));
    add(Resource::Nodes, "", "emulator", json!({}));
    let spec = json!({"serviceAccountName": "robot", "nodeName": "emulator"});
    add(Resource::Pods, "default", "web", spec);
}

const ROBOT: &str = "/api/v1/namespaces/default/serviceaccounts/robot/token";

/// A request for a token that is bound to an object.
fn bound_to(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"boundObjectRef": {"apiVersion": "v1", "kind": kind, "name": name}}})
}

#[tokio::test]
async fn token_request_is_answered_as_by_an_api_server() {
    let (api, _folder) = api();
    add_bound_objects(&api);
    let (code, answer) = ask(&api, "POST", ROBOT, bound_to("Pod", "web")).await;
    assert_eq!(code, 201, "{answer}");
    assert_eq!(answer["spec"]["audiences"], json!([crate::tokens::ISSUER]));
    assert_eq!(answer["spec"]["expirationSeconds"], 3600);
    assert_eq!(answer["metadata"]["name"], "robot");
    assert_eq!(answer["metadata"]["namespace"], "default");
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let created = time(&answer["metadata"]["creationTimestamp"]);
    let lifetime = time(&answer["status"]["expirationTimestamp"]).duration_since(created);
    assert_eq!(lifetime.as_secs(), 3600);
}

#[tokio::test]
async fn token_request_that_does_not_fit_is_refused() {
    let (api, _folder) = api();
    add_bound_objects(&api);
    let lifetime = |seconds: i64| json!({"spec": {"expirationSeconds": seconds}});
    let named = json!({"metadata": {"name": "other"}, "spec": {}});
    let mut old = bound_to("Secret", "bound");
    old["spec"]["boundObjectRef"]["uid"] = json!("old");
    for (path, body, code, message) in [
        (
            ROBOT,
            lifetime(599),
            422,
            "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes",
        ),
        (
            ROBOT,
            lifetime((1 << 32) + 1),
            422,
            "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds",
        ),
        (
            ROBOT,
            named,
            422,
            "TokenRequest.authentication.k8s.io \"robot\" is invalid: metadata.name: Invalid value: \"other\": must match the service account name if specified",
        ),
        (
            ROBOT,
            bound_to("ConfigMap", "bound"),
            400,
            "cannot bind token to object of type /v1, Kind=ConfigMap",
        ),
        (ROBOT, bound_to("Secret", "none"), 404, "secrets \"none\" not found"),
        (
            ROBOT,
            old,
            409,
            "Operation cannot be fulfilled on Secret \"bound\": the UID in the bound object reference (old) does not match the UID in record. The object might have been deleted and then recreated",
        ),
        (
            "/api/v1/namespaces/default/serviceaccounts/none/token",
            lifetime(600),
            404,
            "serviceaccounts \"none\" not found",
        ),
    ] {
        let (found, status) = ask(&api, "POST", path, body).await;
        assert_eq!((found, status["message"].as_str()), (code, Some(message)));
    }
}

/// What the holder of a token for `robot` that is bound to an object is answered.
async fn ask_with_token(api: &Arc<Api>, token: &str, path: &str, body: Value) -> (u16, Value) {
    let mut request = request("POST", path, "*/*", &body);
    let value = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, value);
    let response = api.answer(request, false).await;
    let code = response.status().as_u16();
    (code, serde_json::from_str(&text(response).await).unwrap())
}

const WHO: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

#[tokio::test]
async fn token_of_an_object_that_is_gone_is_unauthorized() {
    for (kind, resource, namespace, name) in [
        ("Pod", Resource::Pods, "default", "web"),
        ("Secret", Resource::Secrets, "default", "bound"),
        ("Node", Resource::Nodes, "", "emulator"),
    ] {
        let (api, _folder) = api();
        add_bound_objects(&api);
        let (_, answer) = ask(&api, "POST", ROBOT, bound_to(kind, name)).await;
        let token = answer["status"]["token"].as_str().unwrap().to_owned();
        assert_eq!(ask_with_token(&api, &token, WHO, json!({})).await.0, 201, "{kind}");
        api.store.delete(&Key::new(resource, namespace, name), None).unwrap();
        assert_eq!(ask_with_token(&api, &token, WHO, json!({})).await.0, 401, "{kind}");
    }
}

#[tokio::test]
async fn review_of_oneself_carries_uid_extra_and_rules() {
    let (api, _folder) = api();
    add_bound_objects(&api);
    let (_, answer) = ask(&api, "POST", ROBOT, bound_to("Pod", "web")).await;
    let token = answer["status"]["token"].as_str().unwrap().to_owned();
    let (_, review) = ask_with_token(&api, &token, WHO, json!({})).await;
    let user = &review["status"]["userInfo"];
    assert_eq!(user["username"], "system:serviceaccount:default:robot");
    assert_eq!(user["uid"], "uid-of-robot");
    let of = |key: &str| user["extra"][format!("authentication.kubernetes.io/{key}")].clone();
    assert_eq!(of("pod-name"), json!(["web"]));
    assert_eq!(of("pod-uid"), json!(["uid-of-web"]));
    assert_eq!(of("node-name"), json!(["emulator"]));
    assert_eq!(of("node-uid"), json!(["uid-of-emulator"]));
    assert!(of("credential-id")[0].as_str().unwrap().starts_with("JTI="));

    let rules = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let (_, review) = ask_with_token(&api, &token, rules, json!({"spec": {"namespace": "default"}})).await;
    let resources = review["status"]["resourceRules"].as_array().unwrap();
    let expected =
        json!({"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]});
    assert!(resources.contains(&expected), "{review}");
    assert!(
        !review["status"]["nonResourceRules"].as_array().unwrap().is_empty(),
        "{review}"
    );
    let (code, status) = ask_with_token(&api, &token, rules, json!({"spec": {}})).await;
    assert_eq!(
        (code, status["message"].as_str()),
        (400, Some("no namespace on request"))
    );

    let access = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let may = async |attributes: Value| {
        let (_, review) = ask_with_token(&api, &token, access, json!({"spec": attributes})).await;
        review["status"]["allowed"].as_bool().unwrap()
    };
    assert!(may(json!({"nonResourceAttributes": {"verb": "get", "path": "/apis/metrics.k8s.io"}})).await);
    assert!(!may(json!({"resourceAttributes": {"verb": "get", "resource": "pods"}})).await);
}

#[tokio::test]
async fn a_scheduler_of_ones_own_binds_a_pod_once() {
    let (api, _folder) = api();
    let key = Key::new(Resource::ServiceAccounts, "default", "default");
    api.store.create(key, json!({"metadata": {"name": "default"}})).unwrap();
    let pod = json!({"metadata": {"name": "p"}, "spec": {
        "schedulerName": "mine", "containers": [{"name": "c", "image": "i"}], "schedulingGates": [{"name": "a.b/c"}],
    }});
    let pods = "/api/v1/namespaces/default/pods";
    assert_eq!(ask(&api, "POST", pods, pod).await.0, 201);
    let path = format!("{pods}/p/binding");
    let binding =
        |target: Value| json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": target});
    let message = |answer: (u16, Value)| (answer.0, answer.1["message"].as_str().unwrap_or_default().to_owned());

    let wrong = ask(&api, "POST", &path, binding(json!({"kind": "Pod"}))).await;
    let words = "Binding \"p\" is invalid: [target.kind: Unsupported value: \"Pod\": supported values: \"Node\", \"<empty>\", target.name: Required value]";
    assert_eq!(message(wrong), (422, words.to_owned()));
    let emulator = json!({"kind": "Node", "name": "emulator"});
    let gated = ask(&api, "POST", &path, binding(emulator.clone())).await;
    let words = "Operation cannot be fulfilled on pods/binding \"p\": pod p has non-empty .spec.schedulingGates";
    assert_eq!(message(gated), (409, words.to_owned()));
    let gates = json!([{"op": "remove", "path": "/spec/schedulingGates"}]);
    let mut patch = request("PATCH", &format!("{pods}/p"), "*/*", &gates);
    patch
        .headers_mut()
        .insert(header::CONTENT_TYPE, "application/json-patch+json".parse().unwrap());
    assert_eq!(api.answer(patch, true).await.status(), 200);

    // The older path takes the name from the body alone.
    let older = "/api/v1/namespaces/default/bindings";
    let (code, status) = ask(&api, "POST", older, binding(emulator.clone())).await;
    assert_eq!((code, &status["status"]), (201, &json!("Success")));
    let unnamed = json!({"kind": "Binding", "target": emulator});
    assert_eq!(ask(&api, "POST", older, unnamed).await.0, 400);
    let bound = ask(&api, "GET", &format!("{pods}/p"), Value::Null).await.1;
    assert_eq!(bound["spec"]["nodeName"], "emulator");
    assert_eq!(bound["status"]["conditions"][0]["type"], "PodScheduled");
    assert_eq!(bound["status"]["conditions"][0]["status"], "True");
    let again = ask(&api, "POST", &path, binding(emulator)).await;
    let words = "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"emulator\"";
    assert_eq!(message(again), (409, words.to_owned()));
}

#[tokio::test]
async fn an_eviction_is_about_the_pod_of_its_path() {
    let (api, _folder) = api();
    let path = "/api/v1/namespaces/default/pods/p/eviction";
    let eviction =
        |version: &str, name: &str| json!({"apiVersion": version, "kind": "Eviction", "metadata": {"name": name}});
    let (code, status) = ask(&api, "POST", path, eviction("policy/v1", "q")).await;
    assert_eq!(
        (code, status["message"].as_str()),
        (400, Some("name in URL does not match name in Eviction object"))
    );
    let (code, status) = ask(&api, "POST", path, eviction("policy/v2", "p")).await;
    assert_eq!(
        (code, status["message"].as_str()),
        (
            400,
            Some("the API version in the data (policy/v2) does not match the expected API version (policy/v1)")
        )
    );
    let (code, status) = ask(&api, "POST", path, eviction("policy/v1", "p")).await;
    assert_eq!((code, status["message"].as_str()), (404, Some("pods \"p\" not found")));
    assert_eq!(ask(&api, "GET", path, Value::Null).await.0, 405);
}

#[tokio::test]
async fn events_have_two_groups_and_are_the_same_in_both() {
    let (api, _folder) = api();
    let old = json!({
        "metadata": {"name": "old"}, "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "reason": "Said", "message": "so", "type": "Normal",
    });
    let path = "/api/v1/namespaces/default/events";
    let newer = "/apis/events.k8s.io/v1/namespaces/default/events";
    assert_eq!(ask(&api, "POST", path, old).await.0, 201);
    let new = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "new"}, "note": "also",
        "regarding": {"kind": "Pod", "name": "p", "namespace": "default"}, "reason": "Said", "action": "Saying",
        "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "a.b/c", "reportingInstance": "c-1", "type": "Normal",
    });
    let (code, made) = ask(&api, "POST", newer, new).await;
    assert_eq!((code, &made["note"]), (201, &json!("also")), "{made}");
    let core = ask(&api, "GET", &format!("{path}/new"), Value::Null).await.1;
    assert_eq!((&core["message"], &core["apiVersion"]), (&json!("also"), &json!("v1")));
    let list = ask(
        &api,
        "GET",
        &format!("{newer}?fieldSelector=regarding.name=p"),
        Value::Null,
    )
    .await
    .1;
    assert_eq!(list["apiVersion"], "events.k8s.io/v1");
    assert_eq!(names(&list), ["new", "old"]);
    assert_eq!(list["items"][1]["note"], "so");
    let merge = json!({"note": "changed"});
    let mut patch = request("PATCH", &format!("{newer}/old"), "*/*", &merge);
    patch
        .headers_mut()
        .insert(header::CONTENT_TYPE, "application/merge-patch+json".parse().unwrap());
    assert_eq!(api.answer(patch, true).await.status(), 200);
    assert_eq!(
        ask(&api, "GET", &format!("{path}/old"), Value::Null).await.1["message"],
        "changed"
    );
}

#[tokio::test]
async fn classes_of_priority_are_made_and_guarded() {
    let (api, _folder) = api();
    crate::controllers::priority_classes::ensure_built_in(&api.store, api.clock.now());
    let path = "/apis/scheduling.k8s.io/v1/priorityclasses";
    let class = |name: &str, value: i64, default: bool| json!({"metadata": {"name": name}, "value": value, "globalDefault": default});
    let message = |answer: (u16, Value)| (answer.0, answer.1["message"].as_str().unwrap_or_default().to_owned());
    let made = ask(&api, "POST", path, class("high", 1000, true)).await;
    assert_eq!(
        (made.0, &made.1["preemptionPolicy"]),
        (201, &json!("PreemptLowerPriority"))
    );
    for (class, code, words) in [
        (
            class("higher", 2000, true),
            403,
            "priorityclasses.scheduling.k8s.io \"higher\" is forbidden: PriorityClass high is already marked as default. Only one default can exist",
        ),
        (
            class("too-high", 1_000_000_001, false),
            422,
            "PriorityClass.scheduling.k8s.io \"too-high\" is invalid: value: Forbidden: maximum allowed value of a user defined priority is 1000000000",
        ),
        (
            class("system-mine", 1, false),
            422,
            "PriorityClass.scheduling.k8s.io \"system-mine\" is invalid: metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-mine is not a known system priority class",
        ),
        (
            class("high", 1, false),
            409,
            "priorityclasses.scheduling.k8s.io \"high\" already exists",
        ),
    ] {
        assert_eq!(message(ask(&api, "POST", path, class).await), (code, words.to_owned()));
    }
    let changed = ask(&api, "PUT", &format!("{path}/high"), class("high", 1, true)).await;
    let words =
        "PriorityClass.scheduling.k8s.io \"high\" is invalid: value: Forbidden: may not be changed in an update.";
    assert_eq!(message(changed), (422, words.to_owned()));
    assert_eq!(
        names(&ask(&api, "GET", path, Value::Null).await.1),
        ["high", "system-cluster-critical", "system-node-critical"]
    );
}

#[tokio::test]
async fn later_pages_show_the_moment_of_the_first() {
    let (api, _folder) = api();
    for name in ["a", "b", "c"] {
        make(&api, name).await;
    }
    let first = ask(&api, "GET", &format!("{MAPS}?limit=1"), Value::Null).await.1;
    assert_eq!(first["metadata"]["remainingItemCount"], 2);
    let token = first["metadata"]["continue"].as_str().unwrap();
    let (code, _) = ask(&api, "DELETE", &format!("{MAPS}/b"), Value::Null).await;
    assert_eq!(code, 200);
    make(&api, "d").await;
    let rest = ask(&api, "GET", &format!("{MAPS}?continue={token}"), Value::Null)
        .await
        .1;
    assert_eq!(names(&rest), ["b", "c"]);
    assert_eq!(
        rest["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
    let both = ask(
        &api,
        "GET",
        &format!("{MAPS}?continue={token}&resourceVersion=1"),
        Value::Null,
    )
    .await;
    assert_eq!(both.0, 400);
    let broken = ask(&api, "GET", &format!("{MAPS}?continue=x"), Value::Null).await.1;
    assert_eq!(broken["message"], "invalid continue token: continue key is not valid");
}

#[tokio::test]
async fn a_page_whose_moment_is_forgotten_has_expired_and_can_be_gone_on_from() {
    let (api, _folder) = api();
    for name in ["a", "b", "c"] {
        make(&api, name).await;
    }
    let first = ask(&api, "GET", &format!("{MAPS}?limit=1"), Value::Null).await.1;
    let token = first["metadata"]["continue"].as_str().unwrap();
    let version = first["metadata"]["resourceVersion"].as_str().unwrap();
    // More than the history keeps.
    for number in 0..5000 {
        let key = Key::new(Resource::Nodes, "", format!("n{number}"));
        api.store.create(key, json!({})).unwrap();
    }
    let (code, expired) = ask(&api, "GET", &format!("{MAPS}?limit=1&continue={token}"), Value::Null).await;
    assert_eq!((code, &expired["reason"]), (410, &json!("Expired")));
    let token = expired["metadata"]["continue"].as_str().unwrap();
    let rest = ask(&api, "GET", &format!("{MAPS}?continue={token}"), Value::Null)
        .await
        .1;
    assert_eq!(names(&rest), ["b", "c"]);
    let exact = format!("{MAPS}?resourceVersion={version}&resourceVersionMatch=Exact");
    let (code, expired) = ask(&api, "GET", &exact, Value::Null).await;
    assert_eq!(
        (code, expired["message"].as_str()),
        (410, Some("The resourceVersion for the provided list is too old."))
    );
}

#[tokio::test]
async fn a_watch_begins_with_what_the_client_wishes() {
    let (api, _folder) = api();
    make(&api, "a").await;
    let streamed = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    let kinds = |events: &[Value]| -> Vec<String> {
        events
            .iter()
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = watched(&api, &format!("{MAPS}?{streamed}&allowWatchBookmarks=true")).await;
    assert_eq!(kinds(&all), ["ADDED", "BOOKMARK"]);
    assert_eq!(
        all[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
    assert_eq!(kinds(&watched(&api, &format!("{MAPS}?{streamed}")).await), ["ADDED"]);
    let none = "sendInitialEvents=false&resourceVersionMatch=NotOlderThan";
    assert_eq!(
        kinds(&watched(&api, &format!("{MAPS}?{none}")).await),
        Vec::<String>::new()
    );
    assert_eq!(
        kinds(&watched(&api, &format!("{MAPS}?resourceVersion=0")).await),
        ["ADDED"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_is_told_of_each_renewal_of_a_nodes_lease_and_nothing_is_written_without_one() {
    let (mut api, _folder) = api();
    let start = "2026-01-01T00:00:00Z".parse().unwrap();
    Arc::get_mut(&mut api).unwrap().clock = Clock::scripted(start);
    let lease = json!({"metadata": {"namespace": "kube-node-lease", "name": "n"},
        "spec": {"holderIdentity": "n", "renewTime": "2026-01-01T00:00:00.000000Z"}});
    api.store
        .create(Key::new(Resource::Leases, "kube-node-lease", "n"), lease)
        .unwrap();
    let created = api.store.version();
    let path = |namespace: &str| format!("/apis/coordination.k8s.io/v1{namespace}/leases?watch=true&timeoutSeconds=35");
    let seen = async |namespace: &str| {
        let response = api
            .answer(request("GET", &path(namespace), "*/*", &Value::Null), true)
            .await;
        let lines = text(response).await;
        let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of = |event: Value| {
            let (kind, object) = (event["type"].as_str().unwrap().to_owned(), &event["object"]);
            let version: u64 = object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
            (
                kind,
                object["spec"]["renewTime"].as_str().unwrap()[14..19].to_owned(),
                version - created,
            )
        };
        events.map(of).collect::<Vec<_>>()
    };
    tokio::time::sleep(std::time::Duration::from_secs(62)).await;
    assert!(seen("/namespaces/default").await.is_empty());
    assert_eq!(api.store.version(), created, "nobody has looked");
    let event = |kind: &str, time: &str, version| (kind.to_owned(), time.to_owned(), version);
    let expected = [
        event("ADDED", "01:30", 1),
        event("MODIFIED", "01:40", 2),
        event("MODIFIED", "01:50", 3),
        event("MODIFIED", "02:00", 4),
        event("MODIFIED", "02:10", 5),
    ];
    assert_eq!(seen("/namespaces/kube-node-lease").await, expected);
}

/// A pod with many items in one list.
fn large_pod(name: &str, field: &str, items: Vec<Value>) -> Value {
    let mut pod = json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    match field {
        "volumes" | "tolerations" => pod["spec"][field] = json!(items),
        _ => pod["spec"]["containers"][0][field] = json!(items),
    }
    pod
}

/// With work that grows with the square of a list each of these takes minutes; a busy machine takes seconds for them as they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn large_lists_keep_nobody_waiting() {
    let (api, _folder) = api();
    let account = json!({"metadata": {"name": "default"}});
    assert_eq!(
        ask(&api, "POST", "/api/v1/namespaces/default/serviceaccounts", account)
            .await
            .0,
        201
    );
    let pods = "/api/v1/namespaces/default/pods";
    let make = |item: fn(usize) -> Value| (0..12_000).map(item).collect::<Vec<Value>>();
    for (name, field, items) in [
        (
            "env",
            "env",
            make(|index| json!({"name": format!("V{index}"), "value": "x"})),
        ),
        (
            "volumes",
            "volumes",
            make(|index| json!({"name": format!("v{index}"), "emptyDir": {}})),
        ),
        (
            "ports",
            "ports",
            make(|index| json!({"containerPort": index + 1, "hostPort": index + 1})),
        ),
        (
            "tolerations",
            "tolerations",
            make(|index| json!({"key": format!("k{index}"), "operator": "Exists"})),
        ),
    ] {
        let create = ask(&api, "POST", pods, large_pod(name, field, items));
        tokio::pin!(create);
        let begin = std::time::Instant::now();
        let mut answered = 0;
        let (code, pod) = loop {
            tokio::select! {
                created = &mut create => break created,
                (code, _) = ask(&api, "GET", "/api/v1/namespaces/default", Value::Null) => {
                    assert_eq!(code, 200);
                    answered += 1;
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
            }
        };
        assert_eq!(code, 201, "{name}: {}", pod["message"]);
        assert!(answered > 0, "{name}: nobody else was answered");
        let patch = Request::patch(format!("{pods}/{name}"))
            .header(header::CONTENT_TYPE, "application/merge-patch+json")
            .body(Body::from(r#"{"metadata": {"labels": {"a": "b"}}}"#))
            .unwrap();
        assert_eq!(api.answer(patch, true).await.status(), 200);
        let elapsed = begin.elapsed();
        assert!(elapsed < std::time::Duration::from_secs(60), "{name}: {elapsed:?}");
    }
}

#[tokio::test]
async fn json_patch_beyond_its_limits_is_too_large() {
    let (api, _folder) = api();
    make(&api, "a").await;
    let patch = async |patch: Value| {
        let patch = Request::patch(format!("{MAPS}/a"))
            .header(header::CONTENT_TYPE, "application/json-patch+json")
            .body(Body::from(patch.to_string()))
            .unwrap();
        let response = api.answer(patch, true).await;
        (response.status().as_u16(), text(response).await)
    };
    let copies: Vec<Value> = (0..40)
        .map(|index| json!({"op": "copy", "from": "/metadata", "path": format!("/metadata/c{index}")}))
        .collect();
    let (code, status) = patch(json!(copies)).await;
    assert!(
        code == 413 && status.contains("RequestEntityTooLarge"),
        "{code} {status}"
    );
    let test = json!({"op": "test", "path": "/kind", "value": "ConfigMap"});
    assert_eq!(patch(json!(vec![test; 10_001])).await.0, 413);
    let (code, map) = ask(&api, "GET", &format!("{MAPS}/a"), Value::Null).await;
    assert_eq!((code, &map["metadata"]["labels"]), (200, &json!({"of": "a"})));
}

#[tokio::test]
async fn abandoned_request_changes_nothing() {
    let (api, _folder) = api();
    let body = json!({"metadata": {"name": "a"}});
    let asked = Asked::read(request("POST", MAPS, "*/*", &body)).await.unwrap();
    drop(asked.client());
    let target = Target::of(MAPS).unwrap();
    assert_eq!(write::create(&api, &target, &asked).unwrap_err().code, 504);
    assert_eq!(ask(&api, "GET", &format!("{MAPS}/a"), Value::Null).await.0, 404);
}

#[tokio::test]
async fn other_proxies_are_absent_by_name() {
    let (api, _folder) = api();
    for (path, words) in [
        (
            "/api/v1/namespaces/default/services/web:80/proxy/",
            "services/proxy is not served",
        ),
        ("/api/v1/nodes/emulator/proxy/pods", "nodes/proxy is not served"),
        ("/api/v1/namespaces/default/pods/p/proxy/", "pods \"p\" not found"),
    ] {
        let (code, status) = ask(&api, "GET", path, Value::Null).await;
        assert_eq!(code, 404, "{path}");
        assert!(status["message"].as_str().unwrap().contains(words), "{status}");
    }
    let denied = request("GET", "/api/v1/namespaces/default/pods/p/proxy/", "*/*", &Value::Null);
    assert_eq!(api.answer(denied, false).await.status(), 403);
}
