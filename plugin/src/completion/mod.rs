//! What completes the words after `kubectl pod`: kubectl asks a program of the name `kubectl_complete-pod` for it, and
//! reads its answer as cobra writes one.
//!
//! What cannot be asked for is not offered: no answer is an error, and none keeps the shell waiting for long.

pub mod fields;
pub mod flags;
pub mod objects;
mod typed;

use std::ffi::{OsStr, OsString};

use clap_complete::CompletionCandidate;
use clap_complete::engine::complete;

use crate::cli;
use typed::Typed;

/// The name of the program that kubectl asks, and the word that says the same to this one.
const PROGRAM: &str = "kubectl_complete-pod";
const WORD: &str = "__complete";

/// cobra's directives: what the shell does with the answer.
const NO_SPACE: u8 = 2;
const NO_FILES: u8 = 4;

/// The words to complete, where the program was called for that.
pub fn asked(arguments: &[OsString]) -> Option<&[OsString]> {
    let program = arguments.first().map(std::path::Path::new)?;
    if program.file_stem() == Some(OsStr::new(PROGRAM)) {
        return Some(&arguments[1..]);
    }
    (arguments.get(1).map(OsString::as_os_str) == Some(OsStr::new(WORD))).then(|| &arguments[2..])
}

/// The answer to some words, the last of which is to be completed: candidates, one a line, then the directive.
pub fn answer(words: &[OsString]) -> String {
    let typed = Typed::of(words);
    let current = typed.current.clone();
    if typed.wants_file {
        return ":0\n".to_owned();
    }
    typed::remember(typed);
    let mut arguments = vec![OsString::from("kubectl-pod")];
    arguments.extend_from_slice(words);
    if words.is_empty() {
        arguments.push(OsString::new());
    }
    let place = arguments.len() - 1;
    let found = complete(&mut cli::command(), arguments, place, None).unwrap_or_default();
    // The shell adds what stands before the value of --flag=value itself.
    let before = match current.split_once('=') {
        Some((flag, _)) if flag.starts_with('-') => format!("{flag}="),
        _ => String::new(),
    };
    let mut lines: Vec<String> = Vec::new();
    for candidate in found.iter().filter(|candidate| !candidate.is_hide_set()) {
        let value = candidate.get_value().to_string_lossy();
        let is_flag = value.starts_with('-') && before.is_empty();
        if is_flag != current.starts_with('-') && before.is_empty() {
            continue;
        }
        let value = value.strip_prefix(&before).unwrap_or(&value);
        lines.push(match candidate.get_help().map(ToString::to_string) {
            Some(help) => format!("{value}\t{}", help.lines().next().unwrap_or_default()),
            None => value.to_owned(),
        });
    }
    let goes_on = |line: &String| line.split('\t').next().unwrap_or_default().ends_with(['/', '.', '=']);
    let directive = match !lines.is_empty() && lines.iter().all(goes_on) {
        true => NO_FILES | NO_SPACE,
        false => NO_FILES,
    };
    lines.push(format!(":{directive}\n"));
    lines.join("\n")
}

/// Candidates out of names that begin as what was typed.
fn beginning(names: impl IntoIterator<Item = String>, current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    names
        .into_iter()
        .filter(|name| name.starts_with(current.as_ref()))
        .map(CompletionCandidate::new)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(words: &[&str]) -> String {
        answer(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn it_is_asked_by_name_and_by_word() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(
            asked(&words(&["/usr/bin/kubectl_complete-pod", "desc"])),
            Some(words(&["desc"]).as_slice())
        );
        assert_eq!(
            asked(&words(&["kubectl-pod", "__complete", "desc"])),
            Some(words(&["desc"]).as_slice())
        );
        assert_eq!(asked(&words(&["kubectl-pod", "describe"])), None);
    }

    #[test]
    fn commands_and_flags_are_offered_with_what_they_are() {
        let commands = answered(&["de"]);
        assert!(commands.starts_with("describe\t"), "{commands}");
        assert!(commands.ends_with("\n:4\n"), "{commands}");
        let flags = answered(&["describe", "--sel"]);
        assert!(flags.starts_with("--selector\t"), "{flags}");
        assert!(!answered(&["lifecycle", "--until", ""]).contains("--"));
    }

    #[test]
    fn values_of_flags_are_offered_without_their_flag() {
        assert!(answered(&["lifecycle", "--until=Rea"]).starts_with("Ready"));
        assert!(answered(&["lifecycle", "--until", "Rea"]).starts_with("Ready"));
        assert!(answered(&["describe", "-o=ya"]).starts_with("yaml\n"));
        assert!(answered(&["describe", "-o", "js"]).contains("json\n"));
    }

    #[test]
    fn files_are_left_to_the_shell() {
        assert_eq!(answered(&["describe", "-f", ""]), ":0\n");
        assert_eq!(answered(&["describe", "--kubeconfig", "x"]), ":0\n");
    }

    #[test]
    fn topics_and_fields_are_offered_without_a_cluster() {
        let topics = answered(&["explain", "Crash"]);
        assert!(topics.contains("CrashLoopBackOff"), "{topics}");
        let fields = answered(&["explain", "spec.containers.liv"]);
        assert!(fields.starts_with("spec.containers.livenessProbe.\t"), "{fields}");
        assert!(fields.ends_with(":6\n"), "{fields}");
        let leaf = answered(&["explain", "spec.containers.imag"]);
        assert!(leaf.contains("spec.containers.image\t") && leaf.contains("spec.containers.imagePullPolicy\t"));
    }
}
