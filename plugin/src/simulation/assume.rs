//! `--assume`: what is to be taken for granted of a simulated pod, in words.

use std::time::Duration;

use super::grammar;
use crate::cli::duration;
use crate::cli::usage::UsageError;
use crate::pod::quantity;

/// One `--assume`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumption {
    /// What it is about: a container, `node`, `pod`, or `*` for all containers.
    pub target: String,
    /// What is assumed.
    pub clauses: Vec<Clause>,
    /// As it was written.
    pub text: String,
}

/// One thing that is assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clause {
    /// `start 40s`: until then, no probe succeeds.
    Start(Duration),
    /// `ready after 90s`: until then, the readiness probe fails.
    Ready(Duration),
    /// `run 5m`, `run forever`.
    Run(Option<Duration>),
    /// `exit 1`.
    Exit(i32),
    /// `exit oom`.
    OutOfMemory,
    /// `hang after 3m`: from then on, no probe succeeds.
    Hang(Duration),
    /// `stop 20s`, `stop never`: how long it takes to end once it is asked to.
    Stop(Option<Duration>),
    /// `prestop 15s`.
    PreStop(Duration),
    /// `poststart 3s`.
    PostStart(Duration),
    /// `poststart fails`.
    PostStartFails,
    /// `pull 30s`.
    Pull(Duration),
    /// `pull fails`.
    PullFails,
    /// `fails to start`.
    FailsToStart,
    /// `then`: what follows is about the next run.
    Then,
    /// `delete at 10m`, `delete at 10m grace 5s`.
    Delete {
        /// When.
        at: Duration,
        /// With which grace; the pod's own where absent.
        grace: Option<Duration>,
    },
    /// `cpu 2`, `memory 4Gi`: what the node has for the pod.
    Room {
        /// Of which resource.
        resource: String,
        /// How much.
        quantity: String,
    },
    /// `condition TYPE at 30s`: a readiness gate becomes true.
    Condition {
        /// Its type.
        kind: String,
        /// When.
        at: Duration,
    },
    /// `gate NAME opens at 30s`: a scheduling gate is removed.
    Gate {
        /// Its name.
        name: String,
        /// When.
        at: Duration,
    },
}

impl Assumption {
    /// Reads one.
    ///
    /// # Errors
    /// What cannot be understood, and what could be.
    pub fn parse(text: &str) -> Result<Self, UsageError> {
        let Some((target, clauses)) = text.split_once(':') else {
            return Err(wrong(text, &grammar::with_all("it does not say what it is about")));
        };
        let target = target.trim();
        if target.is_empty() {
            return Err(wrong(text, &grammar::with_all("it does not say what it is about")));
        }
        let is_pod = matches!(target, "node" | "pod");
        let clauses = clauses
            .split(',')
            .map(str::trim)
            .map(|clause| {
                let words: Vec<&str> = clause.split_whitespace().collect();
                let read = if is_pod { deed(&words) } else { behaviour(&words) };
                read.map_err(|why| wrong(text, &why))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            target: target.to_owned(),
            clauses,
            text: text.trim().to_owned(),
        })
    }
}

fn wrong(text: &str, why: &str) -> UsageError {
    UsageError::new(format!("invalid argument {text:?} for \"--assume\" flag: {why}"))
}

fn time(text: &str) -> Result<Duration, String> {
    match text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        true => Err(format!("{text:?} is no duration: write {text}s, {text}m or {text}h")),
        false => duration::parse(text).map_err(|_| format!("{text:?} is no duration such as 40s, 5m or 1h30m")),
    }
}

/// A clause about a container.
fn behaviour(words: &[&str]) -> Result<Clause, String> {
    Ok(match words {
        ["then"] => Clause::Then,
        ["start" | "starts", length] => Clause::Start(time(length)?),
        ["ready", length] | ["ready", "after" | "in", length] => Clause::Ready(time(length)?),
        ["run" | "runs", "forever"] => Clause::Run(None),
        ["run" | "runs", length] => Clause::Run(Some(time(length)?)),
        ["exit" | "exits", "oom" | "OOMKilled"] => Clause::OutOfMemory,
        ["exit" | "exits", code] => match code.parse::<u8>() {
            Ok(code) => Clause::Exit(i32::from(code)),
            Err(_) => return Err(format!("{code:?} is no exit code from 0 to 255, nor oom")),
        },
        ["hang" | "hangs", "after" | "at", length] => Clause::Hang(time(length)?),
        ["stop" | "stops", "never"] => Clause::Stop(None),
        ["stop" | "stops", length] => Clause::Stop(Some(time(length)?)),
        ["prestop" | "preStop", length] => Clause::PreStop(time(length)?),
        ["poststart" | "postStart", "fails"] => Clause::PostStartFails,
        ["poststart" | "postStart", length] => Clause::PostStart(time(length)?),
        ["pull", "fails"] => Clause::PullFails,
        ["pull" | "pulls", length] => Clause::Pull(time(length)?),
        ["fails", "to", "start"] => Clause::FailsToStart,
        [] => return Err("a clause is empty".to_owned()),
        ["delete" | "condition" | "gate", ..] => {
            return Err(format!(
                "{:?} is about the pod: say 'node: {}'",
                words.join(" "),
                words.join(" ")
            ));
        }
        [first, ..] => return Err(grammar::not_understood(words, first, &grammar::CONTAINER)),
    })
}

/// A clause about the pod as a whole.
fn deed(words: &[&str]) -> Result<Clause, String> {
    Ok(match words {
        ["delete" | "deleted", "at" | "after", at] => Clause::Delete {
            at: time(at)?,
            grace: None,
        },
        ["delete" | "deleted", "at" | "after", at, "grace", grace] => Clause::Delete {
            at: time(at)?,
            grace: Some(time(grace)?),
        },
        [resource @ ("cpu" | "memory" | "ephemeral-storage"), quantity] => Clause::Room {
            resource: (*resource).to_owned(),
            quantity: amount(quantity)?,
        },
        [resource, quantity] if resource.contains('/') => Clause::Room {
            resource: (*resource).to_owned(),
            quantity: amount(quantity)?,
        },
        ["condition", kind, "at" | "after", at] => Clause::Condition {
            kind: (*kind).to_owned(),
            at: time(at)?,
        },
        ["gate", name, "opens" | "open", "at" | "after", at] => Clause::Gate {
            name: (*name).to_owned(),
            at: time(at)?,
        },
        [] => return Err("a clause is empty".to_owned()),
        [first, ..] => return Err(grammar::not_understood(words, first, &grammar::POD)),
    })
}

/// A quantity, as it was written.
fn amount(text: &str) -> Result<String, String> {
    match quantity::value(text) {
        Some(value) if value >= 0.0 => Ok(text.to_owned()),
        _ => Err(format!("{text:?} is no quantity such as 500m, 2 or 4Gi")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clauses(text: &str) -> Vec<Clause> {
        Assumption::parse(text).unwrap().clauses
    }

    fn refused(text: &str) -> String {
        Assumption::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_container_starts_runs_and_ends() {
        assert_eq!(
            clauses("app: start 40s, run 5m, exit 1"),
            [
                Clause::Start(Duration::from_secs(40)),
                Clause::Run(Some(Duration::from_secs(300))),
                Clause::Exit(1)
            ]
        );
        assert_eq!(
            clauses("app: ready after 90s"),
            [Clause::Ready(Duration::from_secs(90))]
        );
        assert_eq!(
            clauses("node: delete at 10m"),
            [Clause::Delete {
                at: Duration::from_secs(600),
                grace: None
            }]
        );
    }

    #[test]
    fn what_cannot_be_understood_is_quoted_with_what_could_be() {
        let said = refused("app: strat 40s");
        assert!(
            said.ends_with("\"strat 40s\" is not understood, did you mean 'start 40s'?"),
            "{said}"
        );
        assert!(refused("app: exit").ends_with("\"exit\" is not understood: write 'exit 1' or 'exit oom'"));
        assert!(refused("app: bluescreen 3s").contains("what can be said: of a container"));
        assert!(refused("node: memory 4Gb").ends_with("\"4Gb\" is no quantity such as 500m, 2 or 4Gi"));
        assert!(
            refused("node: delete").ends_with("is not understood: write 'delete at 10m' or 'delete at 10m grace 5s'")
        );
        assert!(refused("app: run 5").contains("\"5\" is no duration: write 5s, 5m or 5h"));
        assert!(refused("app: exit 300").contains("no exit code from 0 to 255"));
        assert!(refused("app start 40s").contains("does not say what it is about"));
        assert!(refused("app: delete at 5s").contains("say 'node: delete at 5s'"));
        assert!(refused("app: run 5m,").contains("a clause is empty"));
    }
}
