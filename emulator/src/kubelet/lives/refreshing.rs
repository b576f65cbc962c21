//! The content of volumes while the pod runs.

use super::*;
use crate::runtime::scripted::Refreshes;

fn pod() -> Value {
    json!({
        "containers": [{"name": "app"}],
        "volumes": [{"name": "cfg", "configMap": {"name": "settings", "optional": true}}],
    })
}

fn failures(count: usize) -> Vec<VolumeFailure> {
    let failure = VolumeFailure {
        volume: "cfg".into(),
        message: "configmap references non-existent config key: a".into(),
    };
    vec![failure; count]
}

/// How often volumes have been refreshed.
fn count(refreshes: &Refreshes) -> usize {
    refreshes.lock().unwrap().len()
}

impl Life {
    /// One whose pod has been running for ten seconds, and its refreshes.
    async fn refreshed(edges: ScriptedEdges, frequency: Option<u64>) -> (Self, Refreshes) {
        let refreshes = edges.refreshes();
        let frequency = frequency.map(Duration::from_secs);
        let life = Self::synced_every(frequency, Script::default(), ScriptedImages::default(), edges, None);
        life.create(pod());
        life.pass(10).await;
        (life, refreshes)
    }

    fn create_config_map(&self, name: &str) {
        let key = Key::new(Resource::ConfigMaps, "default", name);
        self.store.create(key, json!({"metadata": {"name": name}})).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn change_of_a_source_refreshes_the_volumes_at_once() {
    let (life, refreshes) = Life::refreshed(ScriptedEdges::default(), None).await;
    let before = count(&refreshes);
    life.create_config_map("other");
    life.pass(1).await;
    assert_eq!(count(&refreshes), before);
    life.create_config_map("settings");
    life.pass(1).await;
    assert_eq!(count(&refreshes), before + 1);
}

#[tokio::test(start_paused = true)]
async fn change_of_the_labels_refreshes_the_volumes_at_once() {
    let (life, refreshes) = Life::refreshed(ScriptedEdges::default(), None).await;
    let before = count(&refreshes);
    life.change(|pod| pod["metadata"]["labels"] = json!({"a": "b"}));
    life.pass(1).await;
    assert!(count(&refreshes) > before);
}

#[tokio::test(start_paused = true)]
async fn sync_frequency_delays_the_refresh_until_the_next_sync() {
    let (life, refreshes) = Life::refreshed(ScriptedEdges::default(), Some(20)).await;
    let before = count(&refreshes);
    life.create_config_map("settings");
    life.pass(10).await;
    assert_eq!(count(&refreshes), before);
    life.pass(20).await;
    assert_eq!(count(&refreshes), before + 1);
}

#[tokio::test(start_paused = true)]
async fn token_is_renewed_on_time() {
    let moment = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
    // The sync after the start takes the first.
    let edges = ScriptedEdges::default().renewals([moment(0), moment(40), moment(4000)]);
    let (life, refreshes) = Life::refreshed(edges, None).await;
    assert_eq!(count(&refreshes), 1);
    life.pass(29).await;
    assert_eq!(count(&refreshes), 1);
    life.pass(2).await;
    assert_eq!(count(&refreshes), 2);
}

#[tokio::test(start_paused = true)]
async fn failed_refresh_is_reported_and_tried_again() {
    let (life, refreshes) = Life::refreshed(ScriptedEdges::default().refresh_failures(failures(4)), None).await;
    life.create_config_map("settings");
    life.pass(60).await;
    let times: Vec<u64> = refreshes.lock().unwrap().iter().map(Duration::as_secs).collect();
    // With a back-off of 1, 2, 4 and 8 seconds.
    assert_eq!(times.len(), 5, "{times:?}");
    assert!(times[4] - times[0] >= 15, "{times:?}");
    let message =
        "FailedMount : MountVolume.SetUp failed for volume \"cfg\" : configmap references non-existent config key: a";
    assert!(life.events().contains(&message.to_owned()));
    assert_eq!(life.starts("app").len(), 1);
    assert_eq!(life.states("app").last().unwrap(), "running");
}

#[tokio::test(start_paused = true)]
async fn change_of_a_source_ends_the_back_off() {
    let (life, refreshes) = Life::refreshed(ScriptedEdges::default().refresh_failures(failures(7)), None).await;
    life.change(|pod| pod["metadata"]["labels"] = json!({"a": "b"}));
    life.pass(60).await;
    let before = count(&refreshes);
    life.create_config_map("settings");
    life.pass(1).await;
    assert_eq!(count(&refreshes), before + 1);
}

#[tokio::test(start_paused = true)]
async fn container_restarts_while_its_volumes_cannot_be_refreshed() {
    let edges = ScriptedEdges::default().refresh_failures(failures(100));
    let script = Script::default().with("app", [fails(5, 1), Play::forever()]);
    let life = Life::with(script, ScriptedImages::default(), edges);
    life.create(pod());
    life.pass(3).await;
    life.create_config_map("settings");
    life.pass(57).await;
    assert_eq!(life.starts("app").len(), 2);
}
