//! Values of flags: contexts, clusters and users of the kubeconfig, forms of the answer, fields to select by.

use std::ffi::OsStr;

use clap_complete::CompletionCandidate;

use super::beginning;
use super::typed::recall;
use crate::cli::output::KINDS;
use crate::cluster::kubeconfig;

/// Names of contexts.
pub fn contexts(current: &OsStr) -> Vec<CompletionCandidate> {
    beginning(kubeconfig::names(&recall().connection).contexts, current)
}

/// Names of clusters.
pub fn clusters(current: &OsStr) -> Vec<CompletionCandidate> {
    beginning(kubeconfig::names(&recall().connection).clusters, current)
}

/// Names of users.
pub fn users(current: &OsStr) -> Vec<CompletionCandidate> {
    beginning(kubeconfig::names(&recall().connection).users, current)
}

/// The forms that every answer has.
pub fn forms(current: &OsStr) -> Vec<CompletionCandidate> {
    let plain = ["text", "wide", "json", "yaml", "name"].map(str::to_owned);
    let templates = KINDS.map(|kind| format!("{kind}="));
    beginning(plain.into_iter().chain(templates), current)
}

/// The forms of an explanation.
pub fn explanation_forms(current: &OsStr) -> Vec<CompletionCandidate> {
    let plain = ["text", "json", "yaml"].map(str::to_owned);
    let templates = KINDS.map(|kind| format!("{kind}="));
    beginning(plain.into_iter().chain(templates), current)
}

/// The forms of a pod's story.
pub fn story_forms(current: &OsStr) -> Vec<CompletionCandidate> {
    let pictures = ["svg", "html"].map(str::to_owned);
    let mut candidates = forms(current);
    candidates.extend(beginning(pictures, current));
    candidates
}

/// The fields that a server can select pods by (`registry/core/pod/strategy.go`).
pub fn selectable_fields(current: &OsStr) -> Vec<CompletionCandidate> {
    let fields = [
        "metadata.name=",
        "metadata.namespace=",
        "spec.nodeName=",
        "spec.restartPolicy=",
        "spec.schedulerName=",
        "spec.serviceAccountName=",
        "spec.hostNetwork=",
        "status.phase=",
        "status.podIP=",
        "status.nominatedNodeName=",
    ];
    beginning(fields.map(str::to_owned), current)
}
