//! Commands that look like a shell's, while none reads them.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PodSpec;

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
        let has_shell = command.iter().chain(args).any(|word| is_shell(word));
        if !has_shell && !command.is_empty() {
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
    let name = word.rsplit('/').next().unwrap_or(word);
    matches!(
        name,
        "sh" | "bash" | "ash" | "dash" | "zsh" | "busybox" | "cmd" | "pwsh"
    )
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
    let is_shell = container.command.iter().flatten().any(|word| is_shell(word));
    // A shell has a use of its own for these.
    if is_shell {
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
    fn variables_are_found_and_escaped_ones_are_not() {
        assert_eq!(references_in("--a=$(A) $$(B) $(C D)").collect::<Vec<_>>(), ["A"]);
    }
}
