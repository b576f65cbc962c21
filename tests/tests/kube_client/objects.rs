//! What is stored: create, read, patch, apply, evict, delete.

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{
    Api, AttachParams, DeleteParams, EvictParams, ListParams, Patch, PatchParams, PostParams, Preconditions,
    ValidationDirective,
};
use kube::runtime::conditions::is_deleted;
use kube::runtime::wait::await_condition;
use serde_json::json;

use crate::{SLEEP, World, manifest, pod};

/// The code and reason of a refusal.
fn refusal<T: std::fmt::Debug>(answer: kube::Result<T>) -> (u16, String) {
    match answer.unwrap_err() {
        kube::Error::Api(status) => (status.code, status.reason.clone()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_pod_lives_from_creation_to_deletion() {
    let world = World::new().await;
    let pods = world.pods();
    let running = world.run("sleeper", SLEEP).await;
    assert_eq!(running.spec.unwrap().node_name.as_deref(), Some("emulator"));
    assert_eq!(
        refusal(pods.create(&PostParams::default(), &pod("sleeper", SLEEP)).await),
        (409, "AlreadyExists".to_owned())
    );
    let list = pods.list(&ListParams::default().labels("app=sleeper")).await.unwrap();
    assert_eq!(list.items.len(), 1);
    let uid = running.metadata.uid.unwrap();
    let other = DeleteParams::default().preconditions(Preconditions {
        uid: Some("another".into()),
        resource_version: None,
    });
    assert_eq!(
        refusal(pods.delete("sleeper", &other).await),
        (409, "Conflict".to_owned())
    );
    let deleted = pods.delete("sleeper", &DeleteParams::default()).await.unwrap();
    assert!(deleted.left().unwrap().metadata.deletion_timestamp.is_some());
    await_condition(pods.clone(), "sleeper", is_deleted(&uid))
        .await
        .unwrap();
    assert_eq!(refusal(pods.get("sleeper").await), (404, "NotFound".to_owned()));
}

#[tokio::test]
async fn patches_of_every_kind_change_a_pod() {
    let world = World::new().await;
    let pods = world.pods();
    world.run("sleeper", SLEEP).await;
    let parameters = PatchParams::default();
    let merge = Patch::Merge(json!({"metadata": {"labels": {"by": "merge"}}}));
    let strategic = Patch::Strategic(json!({"metadata": {"annotations": {"by": "strategic"}}}));
    pods.patch("sleeper", &parameters, &merge).await.unwrap();
    let patched = pods.patch("sleeper", &parameters, &strategic).await.unwrap();
    assert_eq!(patched.metadata.labels.unwrap()["by"], "merge");
    assert_eq!(patched.metadata.annotations.unwrap()["by"], "strategic");
    let image = json!({"spec": {"containers": [{"name": "main", "command": ["other"]}]}});
    let (code, reason) = refusal(pods.patch("sleeper", &parameters, &Patch::Strategic(image)).await);
    assert_eq!((code, reason.as_str()), (422, "Invalid"));
    let dry = PatchParams::default().dry_run();
    let labelled = Patch::Merge(json!({"metadata": {"labels": {"by": "nobody"}}}));
    pods.patch("sleeper", &dry, &labelled).await.unwrap();
    assert_eq!(
        pods.get("sleeper").await.unwrap().metadata.labels.unwrap()["by"],
        "merge"
    );
}

#[tokio::test]
async fn applied_fields_belong_to_who_applied_them() {
    let world = World::new().await;
    let pods = world.pods();
    let manifest = manifest("applied", SLEEP);
    let mine = PatchParams::apply("me");
    let applied = pods.patch("applied", &mine, &Patch::Apply(&manifest)).await.unwrap();
    let manager = &applied.metadata.managed_fields.unwrap()[0];
    assert_eq!(manager.manager.as_deref(), Some("me"));
    assert_eq!(manager.operation.as_deref(), Some("Apply"));
    let mut other = manifest.clone();
    other["metadata"]["labels"]["app"] = json!("theirs");
    let theirs = PatchParams::apply("they");
    let conflict = pods.patch("applied", &theirs, &Patch::Apply(&other)).await;
    assert_eq!(refusal(conflict), (409, "Conflict".to_owned()));
    let forced = pods
        .patch("applied", &theirs.clone().force(), &Patch::Apply(&other))
        .await;
    assert_eq!(forced.unwrap().metadata.labels.unwrap()["app"], "theirs");
    let strict = PatchParams {
        field_validation: Some(ValidationDirective::Strict),
        ..mine.force()
    };
    let mut wrong = manifest;
    wrong["spec"]["contianers"] = json!([]);
    let refused = pods.patch("applied", &strict, &Patch::Apply(&wrong)).await;
    assert_eq!(refusal(refused), (400, "BadRequest".to_owned()));
}

#[tokio::test]
async fn an_evicted_pod_says_why_and_goes() {
    let world = World::new().await;
    let pods = world.pods();
    // It goes when it has been looked at: deaf to TERM, as a first process without a trap is.
    let mut deaf = pod("sleeper", "until [ -e /end ]; do sleep 0.1; done");
    deaf.spec.as_mut().unwrap().termination_grace_period_seconds = Some(600);
    let uid = world.run_pod(&deaf).await.metadata.uid.unwrap();
    let dry = EvictParams {
        post_options: PostParams {
            dry_run: true,
            ..PostParams::default()
        },
        ..EvictParams::default()
    };
    assert!(pods.evict("sleeper", &dry).await.unwrap().is_success());
    assert!(pods.get("sleeper").await.unwrap().metadata.deletion_timestamp.is_none());
    assert!(
        pods.evict("sleeper", &EvictParams::default())
            .await
            .unwrap()
            .is_success()
    );
    let target = |pod: &Pod| {
        let conditions = pod.status.clone().unwrap().conditions.unwrap();
        conditions
            .into_iter()
            .find(|condition| condition.type_ == "DisruptionTarget")
    };
    let going = pods.get("sleeper").await.unwrap();
    assert!(going.metadata.deletion_timestamp.is_some());
    let condition = target(&going).unwrap();
    assert_eq!(condition.status, "True");
    assert_eq!(condition.reason.as_deref(), Some("EvictionByEvictionAPI"));
    assert_eq!(condition.message.as_deref(), Some("Eviction API: evicting"));
    let parameters = AttachParams::default();
    let mut end = pods.exec("sleeper", ["touch", "/end"], &parameters).await.unwrap();
    end.take_status().unwrap().await.unwrap();
    await_condition(pods.clone(), "sleeper", is_deleted(&uid))
        .await
        .unwrap();
    assert_eq!(refusal(pods.evict("sleeper", &EvictParams::default()).await).0, 404);
}

#[tokio::test]
async fn an_older_version_can_not_be_replaced() {
    let world = World::new().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(world.client.clone());
    let map: ConfigMap = serde_json::from_value(json!({"metadata": {"generateName": "map-"}})).unwrap();
    let first = maps.create(&PostParams::default(), &map).await.unwrap();
    let name = first.metadata.name.clone().unwrap();
    assert!(name.starts_with("map-") && name.len() == "map-".len() + 5, "{name}");
    let mut second = first.clone();
    second.data = Some([("a".to_owned(), "b".to_owned())].into());
    maps.replace(&name, &PostParams::default(), &second).await.unwrap();
    let late = maps.replace(&name, &PostParams::default(), &first).await;
    assert_eq!(refusal(late), (409, "Conflict".to_owned()));
    let list = maps.list_metadata(&ListParams::default().limit(1)).await.unwrap();
    assert_eq!(list.items.len(), 1);
    assert!(list.metadata.continue_.is_some());
}

/// A field of a protobuf message, shorter than 128 bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let head = [number << 3 | 2, u8::try_from(content.len()).unwrap()];
    [&head, content].concat()
}

/// The body as clients written in Go before 1.25 send it: `clusterName`, field 15 of the metadata, is always in it.
#[tokio::test]
async fn protobuf_of_older_clients_creates_objects() {
    let world = World::new().await;
    let metadata = [field(1, b"old"), field(3, b""), field(15, b"")].concat();
    let data = [field(1, b"colour"), field(2, b"blue")].concat();
    let map = [field(1, &metadata), field(2, &data)].concat();
    let kind = [field(1, b"v1"), field(2, b"ConfigMap")].concat();
    let body = [b"k8s\0".to_vec(), field(1, &kind), field(2, &map)].concat();
    let request = http::Request::post("/api/v1/namespaces/default/configmaps")
        .header("Content-Type", "application/vnd.kubernetes.protobuf")
        .body(body)
        .unwrap();
    let created: ConfigMap = world.client.request(request).await.unwrap();
    assert_eq!(created.metadata.name.as_deref(), Some("old"));
    assert_eq!(created.data.unwrap()["colour"], "blue");
}
