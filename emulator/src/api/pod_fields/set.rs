//! What the emulator sets: of the metadata, and of the status in lives that have all of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{PODS, create, entries, played_node::PlayedNode, pod_with, schema, verdict::Verdict};
use crate::runtime::scripted::{Play, Script, Termination};

/// Lives in which every part of a status is set at some time.
async fn lives() -> BTreeSet<String> {
    let fields = schema::fields();
    let mut seen = BTreeSet::new();
    let mut look = |pods: &[Value]| {
        for pod in pods {
            seen.extend(schema::leaves(pod, &fields).into_iter().map(|(path, _)| path));
        }
    };
    // Containers that end, are started again, and have the last word.
    let script = Script::default()
        .with("app", [Play::ends(3, Termination::exit(1))])
        .with("init", [Play::ends(3, Termination::exit(0))]);
    let node = PlayedNode::new(script);
    let resources = json!({"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}});
    let pod = pod_with(
        &json!({"spec": {"activeDeadlineSeconds": 20, "volumes": [{"name": "v"}],
        "initContainers": [{"name": "init", "image": "i:1", "command": ["make"], "resources": resources}],
        "containers": [{"resources": resources, "volumeMounts": [
            {"name": "v", "mountPath": "/v", "readOnly": true, "recursiveReadOnly": "Enabled"}]}],
        "ephemeralContainers": [{"name": "debugger", "image": "i:1", "command": ["sh"]}]}}),
    );
    let made = create(&node, &pod).await;
    assert_eq!(made.code, 200, "{}", made.body);
    look(&node.live(5).await.pods);
    node.write_last_words("app", "bye");
    look(&node.live(30).await.pods);
    // A pod that is to come in another's place.
    let node = PlayedNode::new(Script::default().with("app", [Play::stubborn()]));
    let greedy = json!({"spec": {"containers": [{"resources": {"requests": {"cpu": "2"}}}]}});
    create(&node, &pod_with(&greedy)).await;
    node.live(1).await;
    let mut important = pod_with(&greedy);
    important["metadata"]["name"] = "important".into();
    important["spec"]["priorityClassName"] = "system-node-critical".into();
    create(&node, &important).await;
    look(&node.live(2).await.pods);
    // What is known of a pod that others write, and that is on its way.
    let pods: Vec<Value> = vec![
        node.ask(
            "PATCH",
            &format!("{PODS}/important/status"),
            json!({"status": {"conditions": [{"type": "example.com/x", "status": "True"}]}}),
        )
        .await
        .body,
    ];
    look(&pods);
    seen
}

#[tokio::test(start_paused = true)]
async fn every_field_that_is_said_to_be_set_is_and_no_other() {
    let seen = lives().await;
    for (entry, verdict) in entries() {
        match verdict {
            Verdict::Set(_) => assert!(seen.contains(&entry), "{entry} was never set"),
            Verdict::Unset(_) => assert!(!seen.iter().any(|path| path.starts_with(&entry)), "{entry} was set"),
            Verdict::As(_) if entry.starts_with("status.") => {
                assert!(
                    seen.iter().any(|path| path.starts_with(&entry)),
                    "{entry} was never set"
                );
            }
            _ => {}
        }
    }
}
