//! Variables from a file in a volume (`fileKeyRef`, KEP-3721; `pkg/kubelet/util/env`).

use k8s_openapi::api::core::v1::FileKeySelector;

use super::{Subject, config_error, inside};
use crate::kubelet::start_failure::StartFailure;

/// The value that a key has in its file; none where it is not there and may be missing.
///
/// # Errors
/// A volume or key that is not there, a file that can't be read or is no env file.
pub(super) fn value(subject: &Subject<'_>, source: &FileKeySelector) -> Result<Option<String>, StartFailure> {
    let name = &source.volume_name;
    let volume = subject
        .volumes
        .get(name)
        .ok_or_else(|| config_error(format!("cannot find the volume {name:?} referenced by FileKeyRef")))?;
    let text = inside::read(volume, &source.path).map_err(|_| config_error("couldn't parse env file"))?;
    let found = find(&text, &source.key).map_err(|Malformed| config_error("couldn't parse env file"))?;
    match found.filter(|value| !value.is_empty()) {
        Some(value) => Ok(Some(value)),
        None if source.optional == Some(true) => Ok(None),
        None => {
            let (key, path) = (&source.key, &source.path);
            Err(config_error(format!(
                "environment variable key {key:?} not found in file {path:?}"
            )))
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Malformed;

/// The value of a key: `KEY='value'`, where the value may go over several lines and a comment may follow it.
fn find(text: &str, key: &str) -> Result<Option<String>, Malformed> {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(None);
        }
        if rest.starts_with('#') {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        let (name, after) = rest.split_once('=').ok_or(Malformed)?;
        let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
        let quoted = after.strip_prefix('\'').filter(|_| is_name).ok_or(Malformed)?;
        let (value, after) = quoted.split_once('\'').ok_or(Malformed)?;
        let (trailing, next) = after.split_once('\n').unwrap_or((after, ""));
        let trailing = trailing.trim();
        if !trailing.is_empty() && !trailing.starts_with('#') {
            return Err(Malformed);
        }
        if name == key {
            return Ok(Some(value.to_owned()));
        }
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_and_may_go_over_lines() {
        let text = "# made by init\nHOST='db.internal'\n\nTEXT='two\nlines' # a note\nEMPTY=''\n";
        assert_eq!(find(text, "HOST"), Ok(Some("db.internal".to_owned())));
        assert_eq!(find(text, "TEXT"), Ok(Some("two\nlines".to_owned())));
        assert_eq!(find(text, "EMPTY"), Ok(Some(String::new())));
        assert_eq!(find(text, "OTHER"), Ok(None));
    }

    #[test]
    fn anything_else_is_no_env_file() {
        for text in ["A=bare", "A = 'spaced'", "A='open", "A='x' y", "just words"] {
            assert_eq!(find(text, "A"), Err(Malformed), "{text}");
        }
    }
}
