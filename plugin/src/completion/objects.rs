//! Names of objects: pods, what pods belong to, namespaces, containers.

use std::ffi::OsStr;

use clap_complete::CompletionCandidate;

use super::beginning;
use super::typed::recall;
use crate::cli::target::{KINDS, PodsOf, TargetKind};
use crate::cluster::Cluster;
use crate::commands::block_on;
use crate::failure::Failure;

/// How long a shell may wait.
const TIMEOUT: &str = "3s";

/// What `describe` and its kin can be given: pods by name, `TYPE/NAME`, and the types.
pub fn pods(current: &OsStr) -> Vec<CompletionCandidate> {
    let typed = recall();
    let word = current.to_string_lossy();
    if let Some((kind, _)) = word.split_once('/') {
        let names = TargetKind::named(kind).map(names).unwrap_or_default();
        return beginning(names.into_iter().map(|name| format!("{kind}/{name}")), current);
    }
    let kind = typed.positionals.first().and_then(|first| TargetKind::named(first));
    let mut found = names(kind.unwrap_or(&KINDS[0]));
    found.retain(|name| !typed.positionals.contains(name));
    let mut candidates = beginning(found, current);
    if kind.is_none() && !word.is_empty() {
        let types = KINDS.iter().map(|kind| format!("{}/", kind.singular()));
        candidates.extend(beginning(types, current));
    }
    candidates
}

/// Names of namespaces.
pub fn namespaces(current: &OsStr) -> Vec<CompletionCandidate> {
    beginning(ask(async |cluster| Ok(cluster.namespaces().await?)), current)
}

/// Names of the containers of the pod that was named before.
pub fn containers(current: &OsStr) -> Vec<CompletionCandidate> {
    let typed = recall();
    let words: Vec<&String> = typed
        .positionals
        .iter()
        .filter(|word| TargetKind::named(word).is_none())
        .collect();
    let Some(pod) = words.first().map(|word| word.rsplit('/').next().unwrap_or(word)) else {
        return Vec::new();
    };
    beginning(ask(async |cluster| Ok(cluster.containers(pod).await?)), current)
}

fn names(kind: &'static TargetKind) -> Vec<String> {
    let is_anywhere = kind.pods == PodsOf::Node;
    ask(async |cluster| Ok(cluster.names(kind, is_anywhere).await?))
}

/// Asks the cluster; without an answer there is nothing to offer.
fn ask(question: impl AsyncFnOnce(&Cluster) -> Result<Vec<String>, Failure>) -> Vec<String> {
    let mut connection = recall().connection;
    TIMEOUT.clone_into(&mut connection.request_timeout);
    connection.verbosity = 0;
    block_on(async {
        let cluster = Cluster::connect(&connection).await?;
        question(&cluster).await
    })
    .unwrap_or_default()
}
