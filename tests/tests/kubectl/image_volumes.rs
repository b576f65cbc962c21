//! Volumes that are images.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::kubectl::Version;

use crate::World;

crate::with_either_kubectl! { an_image_is_a_volume_that_nobody_writes a_folder_of_an_image_that_is_not_there_is_said }

fn pod(name: &str, script: &str, mounts: &Value) -> String {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "restartPolicy": "Never",
        "containers": [{"name": "main", "image": "busybox:1", "imagePullPolicy": "Never", "command": ["sh", "-c", script],
            "volumeMounts": mounts}],
        "volumes": [{"name": "image", "image": {"reference": "busybox:1"}}],
    }});
    pod.to_string()
}

fn an_image_is_a_volume_that_nobody_writes(version: Version) {
    let world = World::new(version);
    let script = "/image/bin/busybox cat /etc-of/passwd; touch /image/new /etc-of/new 2>&1; sed -n 's/.* \\(\\/image\\) .*\\bro\\b.*/\\1 ro/p' /proc/mounts";
    let mounts = json!([
        {"name": "image", "mountPath": "/image"},
        {"name": "image", "mountPath": "/etc-of", "subPath": "etc"},
    ]);
    let _ = world
        .kubectl
        .feed("apply -f -", &pod("reader", script, &mounts))
        .succeeded();
    let _ = world
        .kubectl
        .until("get pod reader -o jsonpath={.status.phase}", |phase| {
            phase == "Succeeded"
        });
    assert_eq!(
        world.kubectl.says("logs reader"),
        "root:x:0:0:root:/root:/bin/sh\n\
         touch: /image/new: Read-only file system\n\
         touch: /etc-of/new: Read-only file system\n\
         /image ro\n"
    );
    let _ = world.kubectl.run("delete pod reader").succeeded();
    // The object of a pod that has ended goes at once, its volumes a moment later.
    let folder = format!("{}/", world.emulator.data().join("volumes").display());
    let mounts = || fs::read_to_string("/proc/self/mountinfo").expect("the mounts");
    let start = Instant::now();
    while mounts().contains(&folder) {
        assert!(start.elapsed() < Duration::from_secs(60), "{}", mounts());
        thread::sleep(Duration::from_millis(100));
    }
}

fn a_folder_of_an_image_that_is_not_there_is_said(version: Version) {
    let world = World::new(version);
    for (name, within, words) in [
        ("none", "srv/none", "openat srv/none: no such file or directory"),
        ("out", "usr/bin", "openat usr/bin: path escapes from parent"),
        (
            "file",
            "etc/passwd",
            "only directory subpath is supported, subpath: \"etc/passwd\"",
        ),
    ] {
        let mounts = json!([{"name": "image", "mountPath": "/image", "subPath": within}]);
        let _ = world
            .kubectl
            .feed("apply -f -", &pod(name, "true", &mounts))
            .succeeded();
        let waiting = world.kubectl.until(
            &format!("get pod {name} -o jsonpath={{.status.containerStatuses[0].state.waiting}}"),
            |waiting| waiting.contains("CreateContainerError"),
        );
        let begin = format!(
            "failed to mount image volume: ImageVolumeMountFailed: failed to ensure image subpath {within:?} in "
        );
        let message = waiting.replace("\\\"", "\"");
        assert!(message.contains(&begin) && message.contains(words), "{message}");
    }
}
