//! Commands that can be pasted: names come from a cluster, and a shell must read them as names.

use super::Finding;
use super::message::Message;
use crate::pod::Facts;
use crate::pod::container::Container;

/// A kubectl command, its words quoted where a shell would read more into them.
pub(crate) fn kubectl(words: &[&str]) -> String {
    words
        .iter()
        .fold("kubectl".to_owned(), |line, word| format!("{line} {}", quoted(word)))
}

/// A kubectl command about something in the pod's namespace.
pub(crate) fn here(facts: &Facts, words: &[&str]) -> String {
    let mut all = words.to_vec();
    all.extend(["-n", facts.namespace.as_str()]);
    kubectl(&all)
}

/// The command with further flags; what is no kubectl command is left alone.
pub(crate) fn with_flags(command: &str, flags: &[String]) -> String {
    if !command.starts_with("kubectl ") {
        return command.to_owned();
    }
    flags
        .iter()
        .fold(command.to_owned(), |line, flag| format!("{line} {}", quoted(flag)))
}

/// `kubectl logs …` for a container.
pub(crate) fn logs(facts: &Facts, container: &str, is_previous: bool) -> String {
    let mut words = vec!["logs", facts.name.as_str(), "-c", container];
    if is_previous {
        words.push("--previous");
    }
    here(facts, &words)
}

/// `kubectl describe node …` for the pod's own node; nothing where it has none.
pub(crate) fn describe_node(facts: &Facts) -> Option<String> {
    let node = facts.spec()?.node_name.as_deref().filter(|name| !name.is_empty())?;
    Some(kubectl(&["describe", "node", node]))
}

/// What shows the command that a container is told to run.
pub(crate) fn show_command(facts: &Facts, container: &Container) -> String {
    let path = container.spec_path();
    let shown = format!("jsonpath={{.{path}.command}} {{.{path}.args}}");
    here(facts, &["get", "pod", &facts.name, "-o", &shown])
}

impl Finding {
    /// Adds an advice, where there is one.
    #[must_use]
    pub(crate) fn advised(self, advice: Option<Message>) -> Self {
        match advice {
            Some(advice) => self.then(advice),
            None => self,
        }
    }

    /// Adds a command, where there is one.
    #[must_use]
    pub(crate) fn maybe_run(self, command: Option<String>) -> Self {
        match command {
            Some(command) => self.run(command),
            None => self,
        }
    }
}

/// A word as a POSIX shell takes it for one.
fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=,@%+".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_a_name_in_a_shell() {
        assert_eq!(kubectl(&["get", "pod", "web-1"]), "kubectl get pod web-1");
        assert_eq!(kubectl(&["get", "$(id)"]), "kubectl get '$(id)'");
        assert_eq!(kubectl(&["get", "a'; b"]), "kubectl get 'a'\\''; b'");
    }

    #[test]
    fn a_command_reaches_the_cluster_that_was_asked() {
        let flags = ["--context".to_owned(), "prod eu".to_owned()];
        assert_eq!(
            with_flags("kubectl get nodes", &flags),
            "kubectl get nodes --context 'prod eu'"
        );
        assert_eq!(with_flags("raise the limit", &flags), "raise the limit");
    }
}
