//! Lives of pods some of whose volumes are images.

use serde_json::{Value, json};

use super::{CREATING, Life, fails};
use crate::runtime::scripted::{Script, ScriptedEdges, ScriptedImages};

/// Two containers, the first of which mounts the image.
fn spec(policy: &str) -> Value {
    json!({
        "containers": [
            {"name": "app", "volumeMounts": [{"name": "model", "mountPath": "/model"}]},
            {"name": "other"},
        ],
        "volumes": [{"name": "model", "image": {"reference": "model:1", "pullPolicy": policy}}],
    })
}

/// What was told of the image.
fn of_the_image(life: &Life) -> Vec<String> {
    let events = life.events();
    events.into_iter().filter(|event| event.contains("model:1")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_volume_is_pulled_for_the_pod_before_the_containers_image() {
    let images = ScriptedImages::default().unpulled(&["model:1"]);
    let life = Life::with(Script::default(), images, ScriptedEdges::default());
    life.create(spec("IfNotPresent"));
    life.pass(5).await;
    let events = life.events();
    let begins = [
        "Scheduled",
        "Pulling : Pulling image \"model:1\"",
        "Pulled : Successfully pulled image \"model:1\"",
    ];
    for (event, begin) in events.iter().zip(begins) {
        assert!(event.starts_with(begin), "{events:#?}");
    }
    assert!(events[3].starts_with("Pulled spec.containers{app}"), "{events:#?}");
    assert_eq!(life.phases(), ["Pending", "Running"]);
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_for_only_when_a_container_starts() {
    let script = Script::default().with("other", [fails(30, 1)]);
    let life = Life::with(script, ScriptedImages::default(), ScriptedEdges::default());
    life.create(spec("IfNotPresent"));
    life.pass(25).await;
    let present = "Pulled : Container image \"model:1\" already present on machine and can be accessed by the pod";
    assert_eq!(of_the_image(&life), [present]);
    life.pass(15).await;
    assert_eq!(life.flag("other", "restartCount"), ["0", "1"]);
    let count = life.store.list(crate::store::Resource::Events, None).0;
    let count = count.iter().find(|event| {
        event["message"]
            .as_str()
            .is_some_and(|message| message.contains("model:1"))
    });
    assert_eq!(count.unwrap()["count"], 2);
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_pulled_keeps_only_those_that_mount_it_from_starting() {
    let images = ScriptedImages::without(&["model:1"]);
    let life = Life::with(Script::default(), images, ScriptedEdges::default());
    life.create(spec("Always"));
    life.pass(12).await;
    assert_eq!(
        life.states("app"),
        [CREATING, "waiting:ErrImagePull", "waiting:ImagePullBackOff"]
    );
    assert_eq!(life.states("other").last().unwrap(), "running");
    let waiting = &life.last()["status"]["containerStatuses"][0]["state"]["waiting"];
    assert_eq!(
        waiting["message"],
        "Back-off pulling image \"model:1\": ErrImagePull: model:1: not found"
    );
    let events = life.events();
    for expected in [
        "Failed : Failed to pull image \"model:1\": model:1: not found",
        "Failed spec.containers{app}: Error: ErrImagePull",
        "BackOff : Back-off pulling image \"model:1\"",
        "Failed spec.containers{app}: Error: ImagePullBackOff",
    ] {
        assert!(events.contains(&expected.to_owned()), "{expected} in {events:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_must_not_be_pulled_is_missing() {
    let images = ScriptedImages::without(&["model:1"]);
    let life = Life::with(Script::default(), images, ScriptedEdges::default());
    life.create(spec("Never"));
    life.pass(5).await;
    assert_eq!(life.states("app"), [CREATING, "waiting:ErrImageNeverPull"]);
    let never = "ErrImageNeverPull : Container image \"model:1\" is not present with pull policy of Never";
    assert!(of_the_image(&life).contains(&never.to_owned()), "{:#?}", life.events());
}
