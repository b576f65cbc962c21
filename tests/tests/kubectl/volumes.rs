//! Volumes of a running pod: their content follows what it comes from, and what is secret lies in memory alone.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::emulator::Emulator;
use tests::kubectl::Version;
use tests::output::Output;

use crate::World;

crate::with_either_kubectl! {
    content_follows_its_sources secrets_lie_in_memory_alone tokens_are_bound_to_their_pod
}

/// Far less than the time between two syncs of a pod, and enough for a machine that is busy.
const SOON: Duration = Duration::from_secs(40);

fn pod(name: &str, mounts: &Value, volumes: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"colour": "blue"}}, "spec": {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": "busybox:1", "imagePullPolicy": "Never", "command": ["sleep", "1000"],
            "resources": {"limits": {"memory": "64Mi"}}, "volumeMounts": mounts}],
        "volumes": volumes,
    }})
}

impl World {
    fn run(&self, pod: &Value) {
        let _ = self.kubectl.feed("apply -f -", &pod.to_string()).succeeded();
        self.kubectl.until_ready(pod["metadata"]["name"].as_str().unwrap());
    }

    /// What a script in the pod `app` prints.
    fn sh(&self, script: &str) -> String {
        let words = ["exec", "app", "--", "sh", "-c", script];
        Output::of(&mut self.kubectl.command_of(&words)).succeeded()
    }

    fn patch(&self, object: &str, patch: &Value) {
        let words = ["patch", object, "-p", &patch.to_string()];
        let _ = Output::of(&mut self.kubectl.command_of(&words)).succeeded();
    }
}

fn content_follows_its_sources(version: Version) {
    let world = World::new(version);
    world.kubectl.does("create configmap looks --from-literal=colour=blue");
    world
        .kubectl
        .does("create secret generic keys --from-literal=token=old");
    let mounts = json!([
        {"name": "looks", "mountPath": "/looks"},
        {"name": "looks", "mountPath": "/pinned", "subPath": "colour"},
        {"name": "keys", "mountPath": "/keys"},
        {"name": "info", "mountPath": "/info"},
        {"name": "more", "mountPath": "/more"},
    ]);
    let labels = json!([{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]);
    let later = json!([{"configMap": {"name": "later", "optional": true}}]);
    let volumes = json!([
        {"name": "looks", "configMap": {"name": "looks"}},
        {"name": "keys", "secret": {"secretName": "keys"}},
        {"name": "info", "downwardAPI": {"items": labels}},
        {"name": "more", "projected": {"sources": later}},
    ]);
    world.run(&pod("app", &mounts, &volumes));
    let read = "cat /looks/colour /keys/token /info/labels; ls /more";
    assert_eq!(world.sh(read), "blueoldcolour=\"blue\"");

    let start = Instant::now();
    world.patch("configmap/looks", &json!({"data": {"colour": "red"}}));
    world.patch("secret/keys", &json!({"stringData": {"token": "new"}}));
    world.kubectl.does("label pod app colour=red --overwrite");
    world.kubectl.does("create configmap later --from-literal=there=yes");
    let _ = world.kubectl.until(
        "exec app -- grep -h . /looks/colour /keys/token /info/labels /more/there",
        |said| said == "red\nnew\ncolour=\"red\"\nyes\n",
    );
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    // What was mounted alone stays.
    assert_eq!(world.sh("cat /pinned"), "blue");

    // What is gone is missed, and stays in the pod as it was.
    world.kubectl.does("delete secret keys");
    let events = "get events --field-selector reason=FailedMount -o jsonpath={.items[*].message}";
    let failure = "MountVolume.SetUp failed for volume \"keys\" : secret \"keys\" not found";
    let _ = world.kubectl.until(events, |said| said.contains(failure));
    assert_eq!(world.sh("cat /keys/token"), "new");
    assert_eq!(
        world
            .kubectl
            .says("get pod app -o jsonpath={.status.containerStatuses[0].restartCount}"),
        "0"
    );
}

fn secrets_lie_in_memory_alone(version: Version) {
    let world = World::new(version);
    world.kubectl.does("create configmap looks --from-literal=colour=blue");
    world
        .kubectl
        .does("create secret generic keys --from-literal=token=s3cret");
    let mounts = json!([
        {"name": "looks", "mountPath": "/looks"},
        {"name": "keys", "mountPath": "/keys"},
        {"name": "info", "mountPath": "/info"},
        {"name": "nested", "mountPath": "/keys/cache"},
    ]);
    let labels = json!([{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]);
    let volumes = json!([
        {"name": "looks", "configMap": {"name": "looks"}},
        {"name": "keys", "secret": {"secretName": "keys"}},
        {"name": "info", "downwardAPI": {"items": labels}},
        {"name": "nested", "emptyDir": {}},
    ]);
    world.run(&pod("app", &mounts, &volumes));
    let token = "/var/run/secrets/kubernetes.io/serviceaccount";
    assert_eq!(
        world.sh(&format!("stat -f -c %T /keys /info {token}; touch /keys/cache/file")),
        "tmpfs\ntmpfs\ntmpfs\n"
    );
    // No volume takes more memory than its pod may have.
    assert_eq!(world.sh("df -k /keys | tail -n 1 | awk '{print $2}'"), "65536\n");
    assert_eq!(world.sh("stat -c %a /keys /looks"), "1777\n777\n");
}

fn tokens_are_bound_to_their_pod(version: Version) {
    let world = World::new(version);
    let token = json!([{"serviceAccountToken": {"path": "token", "expirationSeconds": 600, "audience": "vault"}}]);
    let mounts = json!([{"name": "vault", "mountPath": "/vault"}]);
    world.run(&pod(
        "app",
        &mounts,
        &json!([{"name": "vault", "projected": {"sources": token}}]),
    ));
    let uid = world.kubectl.says("get pod app -o jsonpath={.metadata.uid}");
    let node_uid = world.kubectl.says("get node emulator -o jsonpath={.metadata.uid}");
    let claims = |path: &str| claims(&world.sh(&format!("cat {path}")));
    let vault = claims("/vault/token");
    assert_eq!(vault["aud"], json!(["vault"]));
    let seconds = |claims: &Value| claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(seconds(&vault), 600);
    let own = claims("/var/run/secrets/kubernetes.io/serviceaccount/token");
    assert_eq!(seconds(&own), 365 * 24 * 3600);
    let bound = &own["kubernetes.io"];
    assert_eq!(
        bound["warnafter"].as_i64().unwrap() - own["iat"].as_i64().unwrap(),
        3607
    );
    assert_eq!(bound["pod"], json!({"name": "app", "uid": uid}));
    assert_eq!(bound["node"], json!({"name": "emulator", "uid": node_uid}));
    assert_ne!(own["jti"], vault["jti"]);

    // Its holder is known as long as the pod is there.
    let token = world.sh("cat /var/run/secrets/kubernetes.io/serviceaccount/token");
    let users = world.emulator.file(
        "users",
        &format!("users:\n- {{name: robot, user: {{token: {token}}}}}\n"),
    );
    let both = format!("{}:{users}", world.emulator.kubeconfig().display());
    let ask = || {
        let mut command = world.kubectl.command("get pods --user robot");
        Output::of(command.env("KUBECONFIG", &both)).failed()
    };
    assert!(ask().contains("system:serviceaccount:default:default"), "{}", ask());
    world.kubectl.does("delete pod app");
    assert!(ask().contains("Unauthorized"), "{}", ask());
}

/// What a token says.
fn claims(token: &str) -> Value {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[test]
fn who_holds_a_token_is_shown_with_what_it_is_bound_to() {
    let world = World::with_sleeper(Version::Current);
    let token = world
        .kubectl
        .says("create token default --bound-object-kind Pod --bound-object-name sleeper");
    let users = world.emulator.file(
        "users",
        &format!("users:\n- {{name: robot, user: {{token: {}}}}}\n", token.trim()),
    );
    let both = format!("{}:{users}", world.emulator.kubeconfig().display());
    let mut who = world.kubectl.command("auth whoami -o json --user robot");
    let review: Value = serde_json::from_str(&Output::of(who.env("KUBECONFIG", &both)).succeeded()).unwrap();
    let user = &review["status"]["userInfo"];
    let uid = world
        .kubectl
        .says("get serviceaccount default -o jsonpath={.metadata.uid}");
    assert_eq!(user["uid"], json!(uid));
    assert_eq!(
        user["extra"]["authentication.kubernetes.io/pod-name"],
        json!(["sleeper"])
    );
    let mut rules = world.kubectl.command("auth can-i --list --user robot");
    let said = Output::of(rules.env("KUBECONFIG", &both)).succeeded();
    assert!(said.contains("selfsubjectreviews.authentication.k8s.io"), "{said}");
    assert!(said.contains("[/apis/*]"), "{said}");
    let short = world.kubectl.run("create token default --duration 5m").failed();
    assert!(
        short.contains("may not specify a duration less than 10 minutes"),
        "{short}"
    );
}

#[test]
fn sync_frequency_delays_what_volumes_show() {
    let emulator = Emulator::start_with(&["--kubelet-sync-frequency", "20s"]);
    let kubectl = emulator.kubectl(Version::Current);
    let world = World { emulator, kubectl };
    world.kubectl.does("create configmap looks --from-literal=colour=blue");
    let mounts = json!([{"name": "looks", "mountPath": "/looks"}]);
    let volumes = json!([{"name": "looks", "configMap": {"name": "looks"}}]);
    world.run(&pod("app", &mounts, &volumes));
    // A sync has just been, or is about to be.
    world.patch("configmap/looks", &json!({"data": {"colour": "red"}}));
    let shows = |colour: &str| {
        let _ = world
            .kubectl
            .until("exec app -- cat /looks/colour", |said| said == colour);
    };
    shows("red");
    let start = Instant::now();
    world.patch("configmap/looks", &json!({"data": {"colour": "green"}}));
    shows("green");
    assert!(start.elapsed() > Duration::from_secs(10), "{:?}", start.elapsed());
}
