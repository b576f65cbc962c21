//! `pods/eviction`: a deletion that says why, and that what guards a pod may refuse. No PodDisruptionBudgets are
//! served, so nothing guards one here.

use super::Api;
use super::condition::Condition;
use super::delete;
use super::deletion::Options;
use super::part::{Part, done};
use super::request::Asked;
use super::status::Status;
use super::target::Target;
use super::write::Refused;
use axum::body::Body;
use axum::http::Response;

/// What an evicted pod says of itself (`pkg/registry/core/pod/storage/eviction.go`).
const CONDITION: Condition = Condition {
    kind: "DisruptionTarget",
    reason: "EvictionByEvictionAPI",
    message: "Eviction API: evicting",
};

/// `POST …/pods/NAME/eviction`.
pub(super) async fn evict(api: &Api, target: &Target, name: &str, asked: &Asked) -> Result<Response<Body>, Status> {
    let eviction = Part::EVICTION.read(&asked.body)?;
    if eviction["metadata"]["name"] != name {
        return Err(Status::bad_request(
            "name in URL does not match name in Eviction object",
        ));
    }
    let mut options = Options::of(&eviction["deleteOptions"]);
    options.dry_run |= asked.is_dry_run()?;
    let pod = Target {
        subresource: None,
        ..target.clone()
    };
    if !options.dry_run {
        let marked = api.store.modify::<Refused>(&pod.key(name), |object| {
            delete::preconditions(&pod, name, object, &options)?;
            // The options' version is the client's: what is written here is not to conflict with it.
            CONDITION.set(object, api.clock.now());
            Ok(())
        });
        marked.map_err(|refused| refused.status(&pod, name))?;
        options.version = None;
    }
    let deletion = delete::begin(api, &pod, name, &options)?;
    delete::finish(api, vec![deletion]).await?;
    Ok(done())
}
