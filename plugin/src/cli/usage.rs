//! Mistakes on the command line, said as kubectl says them, with the nearest thing that exists.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// How the program is called.
const PROGRAM: &str = "kubectl pod";

/// What is wrong with the command line, and where its usage is explained.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}{}", self.suggested(), self.see_also())]
pub struct UsageError {
    message: String,
    /// The nearest thing that exists.
    suggestion: Option<String>,
    /// The command whose help explains it, such as `kubectl pod describe`; absent where the message says it all.
    command: Option<String>,
}

impl UsageError {
    /// A mistake that the message explains by itself.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            suggestion: None,
            command: None,
        }
    }

    /// Adds the nearest thing that exists.
    #[must_use]
    pub fn suggest(mut self, suggestion: Option<impl Into<String>>) -> Self {
        self.suggestion = suggestion.map(Into::into);
        self
    }

    /// Puts clap's finding into kubectl's words.
    pub(super) fn from_clap(error: &clap::Error, arguments: &[OsString], root: &clap::Command) -> Self {
        let text = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.clone()),
            Some(ContextValue::Strings(texts)) => texts.first().cloned(),
            Some(ContextValue::StyledStr(text)) => Some(text.to_string()),
            _ => None,
        };
        let command = command_path(arguments, root);
        let argument = text(ContextKind::InvalidArg).unwrap_or_default();
        let value = text(ContextKind::InvalidValue).unwrap_or_default();
        let flag = argument.split([' ', '[', '=']).next().unwrap_or_default().to_owned();
        let (message, suggestion) = match error.kind() {
            ErrorKind::UnknownArgument if is_shorthand(&argument) => {
                let letter = argument.chars().nth(1).unwrap_or('-');
                (
                    format!("unknown shorthand flag: '{letter}' in {}", typed(arguments, &argument)),
                    None,
                )
            }
            ErrorKind::UnknownArgument if argument.starts_with('-') => (
                format!("unknown flag: {argument}"),
                text(ContextKind::SuggestedArg).or_else(|| nearest_flag(&argument, arguments, root)),
            ),
            ErrorKind::UnknownArgument => (format!("unexpected argument {argument:?}"), None),
            ErrorKind::InvalidSubcommand => {
                let unknown = text(ContextKind::InvalidSubcommand).unwrap_or_default();
                let suggestion = text(ContextKind::SuggestedSubcommand);
                return Self::new(format!("unknown command {unknown:?} for {command:?}")).suggest(suggestion);
            }
            ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                ("a subcommand is required".to_owned(), None)
            }
            ErrorKind::InvalidValue if value.is_empty() => (needs_argument(&flag, arguments, root), None),
            ErrorKind::InvalidValue => {
                let allowed = match error.get(ContextKind::ValidValue) {
                    Some(ContextValue::Strings(values)) => values.join(", "),
                    _ => String::new(),
                };
                let flag = with_shorthand(&flag, arguments, root);
                (
                    format!("invalid argument {value:?} for {flag:?} flag: must be one of: {allowed}"),
                    text(ContextKind::SuggestedValue),
                )
            }
            ErrorKind::ValueValidation => {
                let why = std::error::Error::source(error)
                    .map(ToString::to_string)
                    .unwrap_or_default();
                if flag == "--output" {
                    // kubectl looks at it after it has read the flags.
                    return Self::new(why);
                }
                let flag = with_shorthand(&flag, arguments, root);
                (format!("invalid argument {value:?} for {flag:?} flag: {why}"), None)
            }
            ErrorKind::MissingRequiredArgument => (format!("required: {argument}"), None),
            ErrorKind::ArgumentConflict => {
                let other = text(ContextKind::PriorArg).unwrap_or_default();
                (format!("{flag} cannot be used with {other}"), None)
            }
            _ => (first_line(error), None),
        };
        Self {
            message,
            suggestion,
            command: Some(command),
        }
    }

    fn suggested(&self) -> String {
        match &self.suggestion {
            Some(suggestion) => format!("\n\nDid you mean this?\n\t{suggestion}\n"),
            None => String::new(),
        }
    }

    fn see_also(&self) -> String {
        match &self.command {
            Some(command) => format!("\nSee '{command} --help' for usage."),
            None => String::new(),
        }
    }
}

/// The known word nearest to what was typed, if any is near enough to be meant.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = 1 + typed.chars().count() / 4;
    known
        .into_iter()
        .map(|word| (distance(&typed.to_lowercase(), &word.to_lowercase()), word))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// How many letters have to be added, dropped, changed or swapped with their neighbour (optimal string alignment).
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for row in 1..=from.len() {
        let mut current = vec![row];
        for column in 1..=to.len() {
            let change = usize::from(from[row - 1] != to[column - 1]);
            let mut best = (rows[row - 1][column] + 1)
                .min(current[column - 1] + 1)
                .min(rows[row - 1][column - 1] + change);
            let is_swap = row > 1 && column > 1 && from[row - 1] == to[column - 2] && from[row - 2] == to[column - 1];
            if is_swap {
                best = best.min(rows[row - 2][column - 2] + 1);
            }
            current.push(best);
        }
        rows.push(current);
    }
    rows[from.len()][to.len()]
}

/// A flag without its value is named as it was typed: as `--namespace`, or as `'n' in -n`.
fn needs_argument(flag: &str, arguments: &[OsString], root: &clap::Command) -> String {
    let short = shorthand(flag, arguments, root);
    let last = arguments
        .last()
        .and_then(|argument| argument.to_str())
        .unwrap_or_default();
    match short {
        Some(letter) if is_shorthand(last) && last.ends_with(letter) => {
            format!("flag needs an argument: '{letter}' in {last}")
        }
        _ => format!("flag needs an argument: {flag}"),
    }
}

/// The letter of a flag, if it has one.
fn shorthand(flag: &str, arguments: &[OsString], root: &clap::Command) -> Option<char> {
    std::iter::once(root)
        .chain(subcommands(arguments, root))
        .flat_map(clap::Command::get_arguments)
        .filter(|argument| argument.get_long().is_some_and(|long| flag == format!("--{long}")))
        .find_map(clap::Arg::get_short)
}

/// A flag as pflag names it: `-v, --v`.
fn with_shorthand(flag: &str, arguments: &[OsString], root: &clap::Command) -> String {
    match shorthand(flag, arguments, root) {
        Some(letter) => format!("-{letter}, {flag}"),
        None => flag.to_owned(),
    }
}

fn is_shorthand(argument: &str) -> bool {
    argument.starts_with('-') && !argument.starts_with("--")
}

/// The argument as it was typed: clap reports one letter of `-xyz`.
fn typed(arguments: &[OsString], letter: &str) -> String {
    let letter = letter.chars().nth(1);
    arguments
        .iter()
        .filter_map(|argument| argument.to_str())
        .find(|argument| is_shorthand(argument) && letter.is_some_and(|letter| argument.contains(letter)))
        .map_or_else(|| format!("-{}", letter.unwrap_or('-')), str::to_owned)
}

/// `kubectl pod`, and the subcommands that were typed.
fn command_path(arguments: &[OsString], root: &clap::Command) -> String {
    subcommands(arguments, root)
        .iter()
        .fold(PROGRAM.to_owned(), |path, command| {
            format!("{path} {}", command.get_name())
        })
}

fn subcommands<'a>(arguments: &[OsString], root: &'a clap::Command) -> Vec<&'a clap::Command> {
    let mut current = root;
    let mut path = Vec::new();
    for argument in arguments.iter().skip(1).filter_map(|argument| argument.to_str()) {
        if let Some(command) = current.find_subcommand(argument) {
            path.push(command);
            current = command;
        }
    }
    path
}

fn nearest_flag(flag: &str, arguments: &[OsString], root: &clap::Command) -> Option<String> {
    let path = subcommands(arguments, root);
    let flags: Vec<&str> = std::iter::once(root)
        .chain(path)
        .flat_map(clap::Command::get_arguments)
        .filter_map(clap::Arg::get_long)
        .collect();
    nearest(flag.trim_start_matches('-'), flags).map(|name| format!("--{name}"))
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let known = ["describe", "lifecycle", "explain"];
        assert_eq!(nearest("descrbe", known), Some("describe"));
        assert_eq!(nearest("lifecylce", known), Some("lifecycle"));
        assert_eq!(nearest("delete", known), None);
    }

    fn said(arguments: &[&str]) -> String {
        let arguments = std::iter::once("kubectl-pod")
            .chain(arguments.iter().copied())
            .map(OsString::from);
        match crate::cli::parse(arguments) {
            Err(error) => error.to_string(),
            Ok(_) => "accepted".to_owned(),
        }
    }

    #[test]
    fn unknown_flags_and_commands_are_named_as_kubectl_names_them() {
        assert_eq!(
            said(&["describe", "--foo"]),
            "unknown flag: --foo\nSee 'kubectl pod describe --help' for usage."
        );
        assert_eq!(
            said(&["describe", "-z"]),
            "unknown shorthand flag: 'z' in -z\nSee 'kubectl pod describe --help' for usage."
        );
        assert_eq!(
            said(&["descrbe"]),
            "unknown command \"descrbe\" for \"kubectl pod\"\n\nDid you mean this?\n\tdescribe\n"
        );
    }

    #[test]
    fn a_flag_without_its_value_is_named() {
        assert_eq!(
            said(&["describe", "x", "--namespace"]),
            "flag needs an argument: --namespace\nSee 'kubectl pod describe --help' for usage."
        );
    }
}
