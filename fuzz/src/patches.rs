//! A patch of a pod: JSON patch, merge patch, strategic merge patch and server-side apply, of the pod and of its parts.

use std::sync::LazyLock;

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use crate::api_server::{JSON, PODS, ask, put, stored};

/// The pod that is patched.
const NAME: &str = "patched";

const KINDS: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

const PARTS: [&str; 4] = ["", "/status", "/ephemeralcontainers", "/resize"];

/// The pod before a patch, as the server has made it.
static ORIGINAL: LazyLock<Value> = LazyLock::new(|| {
    let manifest = include_bytes!("patched.yaml");
    let (code, pod) = ask("POST", &format!("{PODS}?dryRun=All"), "application/yaml", manifest);
    assert_eq!(code, 201, "{pod}");
    pod
});

/// The first byte chooses kind and part, the rest is the patch. A patch that is refused changes nothing; one that is
/// taken leaves the same pod by name and UID, which clients can read and send back, and is no news the second time.
pub fn check(data: &[u8]) {
    let Some((choice, patch)) = data.split_first() else {
        return;
    };
    let choice = usize::from(*choice);
    let (kind, part) = (KINDS[choice % 4], PARTS[choice / 4 % 4]);
    put(NAME, &ORIGINAL);
    let before = stored(NAME).expect("it was put there");
    let path = format!("{PODS}/{NAME}{part}?fieldManager=fuzz&force=true");
    let (code, answer) = ask("PATCH", &path, kind, patch);
    let Some(after) = stored(NAME) else {
        // Its last finalizer went.
        assert_eq!(code, 200, "{answer}");
        return;
    };
    if code != 200 {
        assert_eq!(before, after, "refused with {answer}");
        return;
    }
    assert_eq!(*after, answer);
    for own in ["name", "namespace", "uid", "creationTimestamp"] {
        assert_eq!(before["metadata"][own], after["metadata"][own], "{own}");
    }
    let read = serde_json::from_value::<Pod>(answer.clone());
    assert!(read.is_ok(), "no client can read {answer}: {}", read.unwrap_err());
    let (code, same) = ask(
        "PUT",
        &format!("{PODS}/{NAME}{part}"),
        JSON,
        answer.to_string().as_bytes(),
    );
    assert_eq!(code, 200, "what is stored is refused: {same}");
    assert_eq!(same, answer, "it is changed when it is sent back");
    if kind != KINDS[0] {
        let (code, again) = ask("PATCH", &path, kind, patch);
        assert_eq!(code, 200, "the second time it is refused: {again}");
        assert_eq!(again, answer, "the second time it changes something");
    }
}
