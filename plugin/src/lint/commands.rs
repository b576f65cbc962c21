//! Commands that look like a shell's, while none reads them.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::{Lints, places};
use crate::findings::message::say;

/// What only a shell understands.
const SHELL: [&str; 6] = ["&&", "||", " | ", ";", " > ", " < "];

pub(super) fn rules(spec: &PodSpec, lints: &mut Lints) {
    for place in places(spec) {
        let container = place.container;
        let command = container.command.as_deref().unwrap_or_default();
        let args = container.args.as_deref().unwrap_or_default();
        if let Some(first) = command.first()
            && first.contains(char::is_whitespace)
        {
            lints.warn(
                place.at("command[0]"),
                say("lint.command-with-blanks").with("command", first.as_str()),
                say("lint.command-with-blanks.help"),
            );
        }
        if !has_shell(container) && !command.is_empty() {
            let words = command
                .iter()
                .enumerate()
                .skip(1)
                .map(|(number, word)| (format!("command[{number}]"), word))
                .chain(
                    args.iter()
                        .enumerate()
                        .map(|(number, word)| (format!("args[{number}]"), word)),
                );
            for (field, word) in words {
                if SHELL.iter().any(|operator| word.trim() == operator.trim()) {
                    lints.warn(
                        place.at(&field),
                        say("lint.no-shell").with("word", word.as_str()),
                        say("lint.no-shell.help"),
                    );
                }
            }
        }
        references(&place, lints);
    }
}

fn is_shell(word: &str) -> bool {
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word);
    matches!(
        name.strip_suffix(".exe").unwrap_or(name),
        "sh" | "bash"
            | "ash"
            | "dash"
            | "zsh"
            | "ksh"
            | "mksh"
            | "fish"
            | "csh"
            | "tcsh"
            | "busybox"
            | "cmd"
            | "pwsh"
            | "powershell"
    )
}

/// Whether a shell reads the container's words: one of them names it, or the image's own program is one.
fn has_shell(container: &Container) -> bool {
    let words = container.command.iter().chain(&container.args).flatten();
    if words.into_iter().any(|word| is_shell(word)) {
        return true;
    }
    if container.command.as_ref().is_some_and(|command| !command.is_empty()) {
        return false;
    }
    let image = container.image.as_deref().unwrap_or_default();
    let repository = image.split(['@']).next().unwrap_or(image);
    let name = repository.rsplit('/').next().unwrap_or(repository);
    let takes_script = |word: &String| {
        let flags = word.strip_prefix('-').unwrap_or_default();
        flags.len() <= 4 && flags.ends_with('c') && flags.bytes().all(|flag| flag.is_ascii_lowercase())
    };
    is_shell(name.split(':').next().unwrap_or(name)) || container.args.iter().flatten().next().is_some_and(takes_script)
}

/// `$(NAME)` where no variable of this name is set: it stays as it is.
fn references(place: &super::Place<'_>, lints: &mut Lints) {
    let container = place.container;
    if container.env_from.iter().flatten().next().is_some() {
        return;
    }
    let known: BTreeSet<&str> = container
        .env
        .iter()
        .flatten()
        .map(|variable| variable.name.as_str())
        .collect();
    // A shell has a use of its own for these.
    if has_shell(container) {
        return;
    }
    let lists = [("command", &container.command), ("args", &container.args)];
    for (list, words) in lists {
        for (number, word) in words.iter().flatten().enumerate() {
            for name in references_in(word) {
                // Services add variables of their own.
                if !known.contains(name) && !name.contains("_SERVICE_") && !name.contains("_PORT") {
                    lints.warn(
                        place.at(&format!("{list}[{number}]")),
                        say("lint.unknown-variable").with("name", name),
                        say("lint.unknown-variable.help"),
                    );
                }
            }
        }
    }
}

fn references_in(word: &str) -> impl Iterator<Item = &str> {
    word.match_indices("$(").filter_map(|(place, _)| {
        let is_escaped = word[..place].ends_with('$');
        let name = word[place + 2..].split(')').next()?;
        let is_name = !name.is_empty()
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.'));
        (is_name && !is_escaped && word[place + 2..].contains(')')).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substitution_of_a_shell_is_no_missing_variable() {
        let found = |container: serde_json::Value| {
            let mut container = container;
            container["name"] = "a".into();
            let spec = serde_json::json!({"containers": [container]});
            let mut lints = Lints::default();
            rules(&serde_json::from_value(spec).unwrap(), &mut lints);
            lints.0.len()
        };
        let line = "echo $(date)";
        for shell in [
            serde_json::json!({"image": "i", "args": ["/bin/sh", "-c", line]}),
            serde_json::json!({"image": "i", "command": ["/bin/bash"], "args": ["-c", line]}),
            serde_json::json!({"image": "i", "args": ["-ec", line]}),
            serde_json::json!({"image": "docker.io/library/bash:5", "args": [line]}),
        ] {
            assert_eq!(found(shell.clone()), 0, "{shell}");
        }
        for none in [
            serde_json::json!({"image": "i", "args": [line]}),
            serde_json::json!({"image": "bash", "command": ["/app"], "args": ["-c", line]}),
        ] {
            assert_eq!(found(none.clone()), 1, "{none}");
        }
    }

    #[test]
    fn variables_are_found_and_escaped_ones_are_not() {
        assert_eq!(references_in("--a=$(A) $$(B) $(C D)").collect::<Vec<_>>(), ["A"]);
    }
}
