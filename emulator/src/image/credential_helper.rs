//! `docker-credential-NAME`: programs that keep a machine's passwords, asked as docker asks them.

use std::{process::Stdio, time::Duration};

use serde::Deserialize;
use tokio::{io::AsyncWriteExt, process::Command};

use super::Credentials;

/// How long one may take; some ask their own server.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a helper writes where it knows nothing.
const NOT_FOUND: &str = "credentials not found";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Asks the helper for a registry's credentials; `None` where it knows none.
///
/// # Errors
/// A helper that is not there, or that fails, by its name.
pub(super) async fn ask(helper: &str, registry: &str) -> Result<Option<Credentials>, String> {
    let program = format!("docker-credential-{helper}");
    let is_name = helper
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !is_name {
        return Err(format!("{program:?} is no name of a credential helper"));
    }
    match tokio::time::timeout(PATIENCE, run(&program, registry)).await {
        Ok(outcome) => outcome.map_err(|why| format!("{program}: {why}")),
        Err(_) => Err(format!(
            "{program} did not answer within {} seconds",
            PATIENCE.as_secs()
        )),
    }
}

async fn run(program: &str, registry: &str) -> Result<Option<Credentials>, String> {
    let key = if registry == "docker.io" {
        "https://index.docker.io/v1/"
    } else {
        registry
    };
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut input) = child.stdin.take() {
        // One that does not read its input fails in its answer.
        drop(input.write_all(format!("{key}\n").as_bytes()).await);
    }
    let output = child.wait_with_output().await.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return if text.contains(NOT_FOUND) {
            Ok(None)
        } else {
            Err(output.status.to_string())
        };
    }
    let answer: Answer = serde_json::from_str(&text).map_err(|_| "its answer is not what it should be".to_owned())?;
    if answer.username == "<token>" {
        return Err("it has an identity token, which the emulator can't use".to_owned());
    }
    Ok(Some(Credentials {
        registry: registry.to_owned(),
        username: answer.username,
        password: answer.secret,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_helper_that_is_not_there_is_named() {
        let why = ask("no-such-helper", "ghcr.io").await.err().unwrap();
        assert!(why.starts_with("docker-credential-no-such-helper: "), "{why}");
        assert!(ask("../evil", "ghcr.io").await.is_err());
    }
}
