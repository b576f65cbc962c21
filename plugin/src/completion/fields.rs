//! What `explain` knows: topics and the fields of a Pod, without a cluster; and pods.

use std::ffi::OsStr;

use clap_complete::CompletionCandidate;

use super::objects;
use crate::knowledge::language::Language;
use crate::knowledge::{field, handbook};

/// Topics, fields, and `TYPE/NAME`.
pub fn topics(current: &OsStr) -> Vec<CompletionCandidate> {
    let word = current.to_string_lossy();
    if word.contains('/') {
        return objects::pods(current);
    }
    let begins = |name: &str| name.to_lowercase().starts_with(&word.to_lowercase());
    let mut candidates: Vec<CompletionCandidate> = handbook::PAGES
        .iter()
        .filter(|page| begins(page.name()))
        .map(|page| CompletionCandidate::new(page.name()).help(Some(page.text(Language::English).title.into())))
        .collect();
    candidates.extend(fields(&word));
    candidates
}

/// The fields that a path may go on to.
fn fields(path: &str) -> Vec<CompletionCandidate> {
    let (parent, last) = path.rsplit_once('.').unwrap_or(("", path));
    let Ok(found) = field::explain(parent, false) else {
        return Vec::new();
    };
    let before = if parent.is_empty() {
        String::new()
    } else {
        format!("{parent}.")
    };
    let members: Vec<_> = found
        .members
        .iter()
        .filter(|member| member.name.starts_with(last))
        .collect();
    // The only one that is left, and that has fields itself, is to be gone on from.
    let goes_on = match members.as_slice() {
        [only] => field::explain(&format!("{before}{}", only.name), false).is_ok_and(|field| !field.members.is_empty()),
        _ => false,
    };
    let dot = if goes_on { "." } else { "" };
    let candidate = |member: &&field::Member| {
        let help = format!("{}: {}", member.kind, member.summary);
        CompletionCandidate::new(format!("{before}{}{dot}", member.name)).help(Some(help.into()))
    };
    members.iter().map(candidate).collect()
}
