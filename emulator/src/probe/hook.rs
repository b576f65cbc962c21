//! Lifecycle hooks: what is done right after a container's start and right before its end.

use std::time::Duration;

use k8s_openapi::api::core::v1::LifecycleHandler;

use super::http;
use crate::{kubelet::edges::Aim, runtime::SharedRuntime};

/// Runs a hook, no longer than `timeout`; gives a warning where one is due.
///
/// # Errors
/// Why it failed, in the kubelet's words.
pub async fn hook(
    runtime: &SharedRuntime,
    aim: Aim<'_>,
    handler: &LifecycleHandler,
    timeout: Option<Duration>,
) -> Result<Option<String>, String> {
    let work = run(runtime, &aim, handler);
    match timeout {
        None => work.await,
        Some(timeout) => match tokio::time::timeout(timeout, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err("the grace period is over".to_owned()),
        },
    }
}

async fn run(runtime: &SharedRuntime, aim: &Aim<'_>, handler: &LifecycleHandler) -> Result<Option<String>, String> {
    if let Some(action) = &handler.exec {
        let command = action.command.clone().unwrap_or_default();
        let (why, output) = match runtime.exec(aim.id, &command, None).await {
            Ok(result) if result.exit_code == 0 => return Ok(None),
            Ok(result) => {
                let stderr = String::from_utf8_lossy(&result.stderr).into_owned();
                let why = format!(
                    "command '{}' exited with {}: {stderr}",
                    command.join(" "),
                    result.exit_code
                );
                (why, String::from_utf8_lossy(&result.output()).into_owned())
            }
            Err(error) => (super::over_cri(&error), String::new()),
        };
        return Err(format!(
            "Exec lifecycle hook ([{}]) for Container {:?} in Pod {:?} failed - error: {why}, message: {output:?}",
            command.join(" "),
            aim.declared.name(),
            aim.pod.full_name(),
        ));
    }
    if let Some(action) = &handler.http_get {
        let outcome = match http::Request::new(aim, action).await {
            Ok(request) => request.hook(runtime).await,
            Err(why) => Err(why),
        };
        return outcome.map_err(|why| {
            format!(
                "HTTP lifecycle hook ({}) for Container {:?} in Pod {:?} failed - error: {why}",
                action.path.as_deref().unwrap_or_default(),
                aim.declared.name(),
                aim.pod.full_name(),
            )
        });
    }
    if let Some(action) = &handler.sleep {
        tokio::time::sleep(Duration::from_secs(u64::try_from(action.seconds).unwrap_or(0))).await;
        return Ok(None);
    }
    // No node carries it out (`handlers.go`), though every server takes it.
    Err(match handler.tcp_socket {
        Some(_) => "tcpSocket is no lifecycle hook that a node carries out".to_owned(),
        None => "the lifecycle hook has no handler".to_owned(),
    })
}
