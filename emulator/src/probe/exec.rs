//! A command in the container: exit code 0 is success.

use std::time::Duration;

use super::OUTPUT_MAX;
use crate::{
    container_config::expansion::expand,
    kubelet::edges::{Aim, Outcome},
    runtime::{RuntimeError, SharedRuntime},
};

/// Runs it. `$(VAR)` is replaced by the values that the manifest itself gives.
pub(super) async fn probe(runtime: &SharedRuntime, aim: &Aim<'_>, command: &[String], timeout: Duration) -> Outcome {
    let env = aim.declared.container.env.as_deref().unwrap_or_default();
    let known = |name: &str| env.iter().rev().find(|variable| variable.name == name)?.value.clone();
    let command: Vec<String> = command.iter().map(|word| expand(word, known)).collect();
    match runtime.exec(aim.id, &command, Some(timeout)).await {
        Ok(result) if result.exit_code == 0 => Outcome::Success,
        Ok(result) => {
            let output = result.output();
            let kept = &output[..output.len().min(OUTPUT_MAX)];
            Outcome::Failure(String::from_utf8_lossy(kept).into_owned())
        }
        Err(RuntimeError::TimedOut(_)) => {
            let seconds = timeout.as_secs();
            Outcome::Failure(format!(
                "command timed out: {:?} timed out after {seconds}s",
                command.join(" ")
            ))
        }
        Err(error) => Outcome::Errored("unknown", super::over_cri(&error)),
    }
}
