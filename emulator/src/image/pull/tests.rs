//! A registry that lies, floods, dawdles and sends elsewhere.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
};
use futures::{Stream, stream};
use serde_json::json;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

use super::*;
use crate::image::{ImageStore, Images as _, digest};

/// More of it than any of these pulls takes on a busy machine.
const PATIENCE: Patience = Patience {
    silence: Duration::from_secs(120),
    document: Duration::from_secs(120),
    window: Duration::from_secs(120),
    least: 1000,
};

/// A layer that is an empty archive.
const LAYER: [u8; 1024] = [0; 1024];

type Answer = dyn Fn(&Uri, &HeaderMap) -> Response + Send + Sync;

/// What a test's registry was asked: address and authorization.
type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

struct Hostile {
    port: u16,
    asked: Asked,
    serving: JoinHandle<()>,
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Hostile {
    async fn serve(answer: impl Fn(&Uri, &HeaderMap) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Asked::default();
        let state: (Arc<Answer>, Asked) = (Arc::new(answer), Arc::clone(&asked));
        let router = Router::new().fallback(handle).with_state(state);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, asked, serving }
    }

    /// What it was asked without and with proof of who asks.
    fn asked(&self) -> Vec<(String, Option<String>)> {
        self.asked.lock().unwrap().clone()
    }

    /// What comes of pulling from it, by someone with a password.
    async fn pull(&self) -> Result<Image, String> {
        self.pull_within(PATIENCE).await
    }

    async fn pull_within(&self, patience: Patience) -> Result<Image, String> {
        let folder = tempfile::tempdir().unwrap();
        let pulled = self.pull_into(&folder, patience).await;
        let work = folder.path().join("work");
        assert_eq!(
            std::fs::read_dir(work).unwrap().count(),
            0,
            "nothing unfinished is left"
        );
        pulled
    }

    async fn pull_into(&self, folder: &TempDir, patience: Patience) -> Result<Image, String> {
        let store = ImageStore::open(folder.path(), vec![]).unwrap();
        let name = Reference::parse(&format!("127.0.0.1:{}/a:1", self.port)).unwrap();
        let me = Credentials {
            registry: name.registry.clone(),
            username: "me".to_owned(),
            password: "secret".to_owned(),
        };
        let pulled = pull_with(&store, &name, &[me], patience).await;
        let start = format!("rpc error: code = Unknown desc = failed to pull and unpack image \"{name}\": ");
        pulled.map_err(|error| {
            // Only behind a colon: a size may have the digits of the port.
            let port = format!(":{}", self.port);
            let text = error.to_string().replace(&port, ":PORT");
            let start = start.replace(&port, ":PORT");
            text.strip_prefix(&start).unwrap_or(&text).to_owned()
        })
    }
}

async fn handle(State((answer, asked)): State<(Arc<Answer>, Asked)>, uri: Uri, headers: HeaderMap) -> Response {
    let authorization = headers
        .get("authorization")
        .map(|value| value.to_str().unwrap().to_owned());
    asked.lock().unwrap().push((uri.path().to_owned(), authorization));
    answer(&uri, &headers)
}

fn status(status: u16) -> Response {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

fn redirect(target: &str) -> Response {
    let response = Response::builder().status(307).header("location", target);
    response.body(Body::empty()).unwrap()
}

fn challenge(text: &str) -> Response {
    let response = Response::builder().status(401).header("www-authenticate", text);
    response.body(Body::empty()).unwrap()
}

/// Zeros without end.
fn flood() -> Response {
    let parts = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[0; 64 << 10])));
    Response::new(Body::from_stream(parts))
}

/// A byte now and then, without end.
fn drip() -> Response {
    Response::new(Body::from_stream(slowly()))
}

fn slowly() -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Some((Ok(Bytes::from_static(b" ")), ()))
    })
}

fn config() -> Vec<u8> {
    let config = json!({"rootfs": {"type": "layers", "diff_ids": [digest::of(&LAYER)]}, "config": {"Cmd": ["sh"]}});
    config.to_string().into_bytes()
}

/// A manifest whose layer has the size that a test says.
fn manifest(layer_size: u64) -> Vec<u8> {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"digest": digest::of(&config()), "size": config().len()},
        "layers": [{"digest": digest::of(&LAYER), "size": layer_size}],
    });
    manifest.to_string().into_bytes()
}

/// What an honest registry answers.
fn honest(uri: &Uri) -> Response {
    let (config_path, layer_path) = (digest::of(&config()), digest::of(&LAYER));
    match uri.path().rsplit('/').next().unwrap() {
        "1" => Response::new(Body::from(manifest(LAYER.len() as u64))),
        blob if blob == config_path => Response::new(Body::from(config())),
        blob if blob == layer_path => Response::new(Body::from(&LAYER[..])),
        _ => status(404),
    }
}

fn is_layer(uri: &Uri) -> bool {
    uri.path().ends_with(&digest::of(&LAYER))
}

fn is_config(uri: &Uri) -> bool {
    uri.path().ends_with(&digest::of(&config()))
}

fn is_manifest(uri: &Uri) -> bool {
    uri.path().contains("/manifests/")
}

#[tokio::test]
async fn an_honest_registry_is_pulled_from_also_by_way_of_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let platform = json!({"os": "linux", "architecture": crate::image::manifest::architecture()});
    let index = json!({
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {"digest": "sha256:0", "platform": {"os": "plan9", "architecture": "vax"}},
            {"digest": digest::of(&manifest(1024)), "platform": platform},
        ],
    });
    let registry = Hostile::serve(move |uri, _| match uri.path() {
        "/v2/a/manifests/1" => Response::new(Body::from(index.to_string())),
        path if path.ends_with(&digest::of(&manifest(1024))) => Response::new(Body::from(manifest(1024))),
        _ => honest(uri),
    })
    .await;
    let image = registry.pull_into(&folder, PATIENCE).await.unwrap();
    assert_eq!(
        (image.config.cmd, image.size),
        (vec!["sh".to_owned()], 1024 + config().len() as u64)
    );
    assert!(
        registry
            .asked()
            .iter()
            .all(|(_, authorization)| authorization.is_none()),
        "who does not ask is told no password"
    );
    let store = ImageStore::open(folder.path(), vec![]).unwrap();
    let by_digest = format!("127.0.0.1:{}/a@{}", registry.port, digest::of(&manifest(1024)));
    assert_eq!(store.status(&by_digest).await.unwrap().unwrap().id, image.id);
}

#[tokio::test]
async fn documents_without_end_are_not_read_to_it() {
    let registry = Hostile::serve(|uri, _| if is_manifest(uri) { flood() } else { honest(uri) }).await;
    assert_eq!(
        registry.pull().await.unwrap_err(),
        "failed to resolve image: the manifest is larger than the 4194304 bytes that it may have"
    );
    let registry = Hostile::serve(|uri, _| if is_config(uri) { flood() } else { honest(uri) }).await;
    assert_eq!(
        registry.pull().await.unwrap_err(),
        format!(
            "failed to copy: the configuration is larger than the {} bytes that it may have",
            config().len()
        )
    );
    let registry = Hostile::serve(|uri, headers| match uri.path() {
        "/token" => flood(),
        _ => challenge(&format!("Bearer realm=\"http://{}/token\"", host(headers))),
    })
    .await;
    assert_eq!(
        registry.pull().await.unwrap_err(),
        "failed to resolve image: the answer of the token service is larger than the 1048576 bytes that it may have"
    );
}

#[tokio::test]
async fn a_layer_is_what_its_manifest_says_of_size_and_digest() {
    let registry = Hostile::serve(|uri, _| if is_layer(uri) { flood() } else { honest(uri) }).await;
    let wanted = digest::of(&LAYER);
    assert_eq!(
        registry.pull().await.unwrap_err(),
        format!("failed to copy: layer {wanted} is larger than the 1024 bytes that it may have")
    );
    for short in [&b"other"[..], &[1; 1024]] {
        let registry = Hostile::serve(move |uri, _| match is_layer(uri) {
            true => Response::new(Body::from(short)),
            false => honest(uri),
        })
        .await;
        assert_eq!(
            registry.pull().await.unwrap_err(),
            format!(
                "failed to copy: failed commit on ref \"layer-{wanted}\": unexpected commit digest {}, expected \
                 {wanted}: failed precondition",
                digest::of(short)
            )
        );
    }
    let registry = Hostile::serve(|uri, _| match is_manifest(uri) {
        true => Response::new(Body::from(manifest(u64::MAX))),
        false => honest(uri),
    })
    .await;
    assert_eq!(registry.pull().await.unwrap_err(), "it is larger than an image may be");
    assert!(!registry.asked().iter().any(|(path, _)| path.contains("blobs")));
}

#[tokio::test]
async fn a_digest_does_not_lead_out_of_the_repository() {
    let registry = Hostile::serve(|uri, _| match is_manifest(uri) {
        true => {
            let config = json!({"digest": "../../../admin", "size": 1});
            Response::new(Body::from(json!({"config": config, "layers": []}).to_string()))
        }
        false => honest(uri),
    })
    .await;
    assert_eq!(
        registry.pull().await.unwrap_err(),
        "failed to copy: the manifest names what is no SHA-256 digest"
    );
    assert_eq!(registry.asked().len(), 1);
}

#[tokio::test]
async fn who_sends_nothing_or_next_to_nothing_is_given_up() {
    let short = Duration::from_secs(2);
    let (document, window) = (
        Patience {
            document: short,
            ..PATIENCE
        },
        Patience {
            window: short,
            ..PATIENCE
        },
    );
    for (slow, patience, said) in [
        (
            is_manifest as fn(&Uri) -> bool,
            document,
            "failed to resolve image: the registry did not go on within 2s",
        ),
        (
            is_config,
            document,
            "failed to copy: the registry did not go on within 2s",
        ),
        (is_layer, window, "the registry is too slow: "),
    ] {
        // The configuration has room for what drips in meanwhile.
        let registry = Hostile::serve(move |uri, _| if slow(uri) { drip() } else { honest(uri) }).await;
        let error = registry.pull_within(patience).await.unwrap_err();
        assert!(error.contains(said), "{error}");
    }
    let silent = || Response::new(Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()));
    let registry = Hostile::serve(move |uri, _| if is_layer(uri) { silent() } else { honest(uri) }).await;
    let silence = Patience {
        silence: short,
        ..PATIENCE
    };
    assert_eq!(
        registry.pull_within(silence).await.unwrap_err(),
        "failed to copy: the registry did not go on within 2s"
    );
}

#[tokio::test]
async fn a_circle_of_redirects_is_left() {
    let registry = Hostile::serve(|uri, _| redirect(&format!("{}x", uri.path()))).await;
    assert_eq!(
        registry.pull().await.unwrap_err(),
        "failed to resolve image: stopped after 10 redirects"
    );
    assert_eq!(registry.asked().len(), 11);
    for nowhere in ["http://[", "file:///etc/shadow", ""] {
        let registry = Hostile::serve(move |_, _| redirect(nowhere)).await;
        assert!(registry.pull().await.is_err(), "{nowhere}");
    }
}

#[tokio::test]
async fn nobody_but_the_registry_learns_the_password() {
    let elsewhere = Arc::new(
        Hostile::serve(|uri, headers| match uri.path().starts_with("/kept") {
            true => honest(uri),
            // It asks as well, for itself.
            false => challenge(&format!("Bearer realm=\"http://{}/token\"", host(headers))),
        })
        .await,
    );
    for (place, works) in [("kept", true), ("asking", false)] {
        let other = format!("http://127.0.0.1:{}/{place}", elsewhere.port);
        let registry = Hostile::serve(move |uri, headers| match headers.contains_key("authorization") {
            true if is_layer(uri) => redirect(&format!("{other}{}", uri.path())),
            true => honest(uri),
            false => challenge("Basic realm=\"here\""),
        })
        .await;
        assert_eq!(registry.pull().await.is_ok(), works, "{place}");
        let with = registry
            .asked()
            .into_iter()
            .filter_map(|(_, authorization)| authorization);
        assert!(
            with.into_iter()
                .all(|authorization| authorization == "Basic bWU6c2VjcmV0")
        );
    }
    assert!(elsewhere.asked().len() >= 2);
    assert!(
        elsewhere
            .asked()
            .iter()
            .all(|(_, authorization)| authorization.is_none())
    );
}

#[tokio::test]
async fn a_token_is_fetched_with_the_password_and_used_for_the_rest() {
    let registry = Hostile::serve(|uri, headers| {
        let given = headers.get("authorization").and_then(|value| value.to_str().ok());
        match (uri.path(), given) {
            ("/token", Some("Basic bWU6c2VjcmV0")) => Response::new(Body::from(r#"{"token": "t"}"#)),
            ("/token", _) => status(403),
            (_, Some("Bearer t")) => honest(uri),
            _ => challenge(&format!(
                "Bearer realm=\"http://{}/token\",service=\"s\"",
                host(headers)
            )),
        }
    })
    .await;
    registry.pull().await.unwrap();
    let paths: Vec<_> = registry.asked().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths.iter().filter(|path| *path == "/token").count(), 1, "{paths:?}");
}

#[tokio::test]
async fn a_token_that_is_none_is_no_panic() {
    for (answer, said) in [
        (r#"{"token": "a\nb"}"#, "failed to resolve image: the token is not one"),
        ("{}", "failed to resolve image: the token service has sent no token"),
        ("[", "failed to resolve image: the token service has sent no token"),
    ] {
        let registry = Hostile::serve(move |uri, headers| match uri.path() {
            "/token" => Response::new(Body::from(answer)),
            _ => challenge(&format!("Bearer realm=\"http://{}/token\"", host(headers))),
        })
        .await;
        assert_eq!(registry.pull().await.unwrap_err(), said);
    }
}

#[tokio::test]
async fn what_the_registry_says_of_a_refusal_is_told_and_no_more_than_a_line_of_it() {
    let registry = Hostile::serve(|_, _| {
        let said = json!({"errors": [{"code": "TOOMANYREQUESTS", "message": "slow down"}]});
        Response::builder()
            .status(429)
            .body(Body::from(said.to_string()))
            .unwrap()
    })
    .await;
    assert_eq!(
        registry.pull().await.unwrap_err(),
        "failed to resolve image: unexpected status from GET request to http://127.0.0.1:PORT/v2/a/manifests/1: 429 Too \
         Many Requests: toomanyrequests: slow down"
    );
    let registry = Hostile::serve(|_, _| {
        let mut response = flood();
        *response.status_mut() = axum::http::StatusCode::BAD_GATEWAY;
        response
    })
    .await;
    assert!(registry.pull().await.unwrap_err().ends_with("502 Bad Gateway"));
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_told_in_the_words_of_a_node() {
    let registry = Hostile::serve(|_, _| status(500)).await;
    registry.serving.abort();
    while tokio::net::TcpStream::connect(("127.0.0.1", registry.port))
        .await
        .is_ok()
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        registry.pull().await.unwrap_err(),
        "failed to resolve image: failed to do request: Head \"http://127.0.0.1:PORT/v2/a/manifests/1\": \
         dial tcp 127.0.0.1:PORT: connect: connection refused"
    );
}

fn host(headers: &HeaderMap) -> &str {
    headers["host"].to_str().unwrap()
}
