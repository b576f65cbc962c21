//! The emulator's API server in memory, without the network.

use std::sync::{Arc, LazyLock};

use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use emulator::api::streaming::echo_runtime::Echo;
use emulator::api::{Api, metrics::Meter};
use emulator::clock::Clock;
use emulator::controllers::namespaces::{ensure_built_in, provide};
use emulator::features::Features;
use emulator::store::{Key, Resource, Store};
use emulator::tokens::Signer;
use serde_json::Value;

/// JSON, as kubectl sends it.
pub(crate) const JSON: &str = "application/json";
/// YAML, as `kubectl apply --server-side` sends it.
pub(crate) const YAML: &str = "application/yaml";

/// Where the pods are.
pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";

/// One server for all inputs.
static SERVER: LazyLock<Arc<Api>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder for a key");
    let signer = Signer::load_or_create(&folder.path().join("key")).expect("a key");
    let (store, clock) = (Store::in_memory(), Clock::system());
    ensure_built_in(&store, clock.now());
    provide(&store, "default", "", clock.now());
    Arc::new(Api {
        store,
        clock,
        runtime: Arc::new(Echo::at(0)),
        signer: Arc::new(signer),
        features: Features::default(),
        meter: Meter::default(),
    })
});

/// Changes are made on threads of their own, and bodies are awaited for a time.
static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().expect("a runtime")
});

/// Asks as the administrator; returns the code and the answer, which is JSON whatever was asked.
pub(crate) fn ask(method: &str, path: &str, content_type: &str, body: &[u8]) -> (u16, Value) {
    let (code, answer, _) = ask_for_warnings(method, path, content_type, body);
    (code, answer)
}

/// The same, with the texts of the warnings.
pub(crate) fn ask_for_warnings(method: &str, path: &str, content_type: &str, body: &[u8]) -> (u16, Value, Vec<String>) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, content_type)
        .body(Body::from(body.to_vec()))
        .expect("a request");
    let answered = async {
        let response = SERVER.answer(request, true).await;
        let code = response.status().as_u16();
        let warnings = response.headers().get_all(header::WARNING).iter();
        let warnings: Vec<String> = warnings
            .filter_map(|value| {
                let text = std::str::from_utf8(value.as_bytes()).ok()?;
                let text = text.strip_prefix("299 - \"")?.strip_suffix('"')?;
                Some(text.replace("\\\"", "\"").replace("\\\\", "\\"))
            })
            .collect();
        (code, to_bytes(response.into_body(), usize::MAX).await, warnings)
    };
    let (code, body, warnings) = RUNTIME.block_on(answered);
    let answer = serde_json::from_slice(&body.expect("a whole answer")).expect("an answer in JSON");
    assert!(code < 500, "{method} {path}: {answer}");
    (code, answer, warnings)
}

/// The pod of that name in the store.
pub(crate) fn stored(name: &str) -> Option<Arc<Value>> {
    SERVER.store.get(&key(name))
}

/// Puts a pod into the store as it is.
pub(crate) fn put(name: &str, pod: &Value) {
    let kept = SERVER.store.modify(&key(name), |object| {
        *object = pod.clone();
        Ok::<_, emulator::store::StoreError>(())
    });
    if kept.is_err() {
        SERVER.store.create(key(name), pod.clone()).expect("room for a pod");
    }
}

fn key(name: &str) -> Key {
    Key::new(Resource::Pods, "default", name)
}
