//! How assumptions are written, for whoever wrote something else.

use crate::cli::usage::nearest;

/// What can be said.
const GRAMMAR: &str = "of a container, 'NAME: CLAUSE, CLAUSE...' (* for all): start 40s | ready after 90s | run 5m | run \
                           forever | exit 1 | exit oom | hang after 3m | stop 20s | stop never | prestop 15s | poststart 3s | \
                           poststart fails | pull 30s | pull fails | fails to start | then (the next run); of the pod, 'node: \
                           delete at 10m [grace 5s]', 'node: cpu 2, memory 4Gi' (what it has), 'pod: condition TYPE at \
                           30s', 'pod: gate NAME opens at 30s'";

/// How each clause about a container is written, by its first word.
pub(super) const CONTAINER: [(&str, &str); 11] = [
    ("start", "start 40s"),
    ("ready", "ready after 90s"),
    ("run", "run 5m' or 'run forever"),
    ("exit", "exit 1' or 'exit oom"),
    ("hang", "hang after 3m"),
    ("stop", "stop 20s' or 'stop never"),
    ("prestop", "prestop 15s"),
    ("poststart", "poststart 3s' or 'poststart fails"),
    ("pull", "pull 30s' or 'pull fails"),
    ("fails", "fails to start"),
    ("then", "then"),
];

/// The same for clauses about the pod and its node.
pub(super) const POD: [(&str, &str); 5] = [
    ("delete", "delete at 10m' or 'delete at 10m grace 5s"),
    ("condition", "condition TYPE at 30s"),
    ("gate", "gate NAME opens at 30s"),
    ("cpu", "cpu 2"),
    ("memory", "memory 4Gi"),
];

/// A fault, with all that could be said.
pub(super) fn with_all(fault: &str) -> String {
    format!("{fault}; what can be said: {GRAMMAR}")
}

/// That a clause is not understood, with what was meant where its first word tells.
pub(super) fn not_understood(words: &[&str], first: &str, known: &[(&str, &str)]) -> String {
    let said = format!("{:?} is not understood", words.join(" "));
    let form = |word: &str| known.iter().find(|(name, _)| *name == word).map(|(_, form)| *form);
    if let Some(form) = form(first) {
        return format!("{said}: write '{form}'");
    }
    match nearest(first, known.iter().map(|(name, _)| *name)).and_then(form) {
        Some(form) => format!("{said}, did you mean '{form}'?"),
        None => with_all(&said),
    }
}
