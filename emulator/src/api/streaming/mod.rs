//! Exec, attach and port-forward: connections that stay open, over WebSocket (kubectl ≥ 1.30, kube, Python) or
//! SPDY/3.1 (kubectl before that).

mod channel_codec;
mod outcome;
mod port_channels;
mod port_forward;
mod remote_command;
mod spdy;
mod spdy_command;
mod upgrade;
mod websocket_body;
mod websocket_command;
mod websocket_tunnel;

#[doc(hidden)]
pub mod echo_runtime;
#[cfg(test)]
mod tests;

use axum::{
    body::Body,
    http::{Request, Response, StatusCode},
};
use serde_json::Value;

use self::{
    remote_command::{Command, Target},
    upgrade::{Transport, transport},
};
pub(super) use self::{
    upgrade::TOKEN_PROTOCOL,
    websocket_body::{BodySocket, Content},
};
use super::{
    admission::{FieldError, Kind, Rejection},
    container_of_pod::{choose, is_assigned, pod_of, status_of},
    query::Query,
};
use crate::runtime::{ContainerId, ContainerState, SharedRuntime, StreamRequest};

/// `…/pods/NAME/exec`: runs a command in a container.
///
/// # Errors
/// The server's words where it can't be.
pub async fn exec(request: Request<Body>, pod: &Value, runtime: &SharedRuntime) -> Result<Response<Body>, Rejection> {
    command(request, pod, runtime, true).await
}

/// `…/pods/NAME/attach`: connects to a container's first process.
///
/// # Errors
/// The server's words where it can't be.
pub async fn attach(request: Request<Body>, pod: &Value, runtime: &SharedRuntime) -> Result<Response<Body>, Rejection> {
    command(request, pod, runtime, false).await
}

/// `…/pods/NAME/portforward`: connects to ports of a pod.
///
/// # Errors
/// The server's words where it can't be.
pub async fn port_forward(
    request: Request<Body>,
    pod: &Value,
    runtime: &SharedRuntime,
) -> Result<Response<Body>, Rejection> {
    let (pod, pod_ref) = pod_of(pod)?;
    if !is_assigned(&pod) {
        return Err(no_host(&pod_ref.name));
    }
    let status = runtime
        .pod_status(&pod_ref)
        .await
        .map_err(|error| Rejection::Internal(error.to_string()))?;
    let sandbox = status
        .sandboxes
        .into_iter()
        .find(|sandbox| sandbox.ready)
        .ok_or_else(|| Rejection::Internal(format!("pod not found (\"{}_{}\")", pod_ref.name, pod_ref.namespace)))?;
    let ports = Query::parse(request.uri().query().unwrap_or_default())
        .all("ports")
        .flat_map(|list| list.split(',').map(str::to_owned).collect::<Vec<_>>())
        .map(|port| port.parse::<u16>())
        .collect::<Result<Vec<u16>, _>>()
        .map_err(|error| Rejection::BadRequest(format!("unable to parse ports: {error}")))?;
    port_forward::serve(request, sandbox.id, pod_ref.uid, ports, runtime.clone())
}

async fn command(
    request: Request<Body>,
    pod: &Value,
    runtime: &SharedRuntime,
    is_exec: bool,
) -> Result<Response<Body>, Rejection> {
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let (pod, pod_ref) = pod_of(pod)?;
    let container = choose(&pod, query.get("container"))?;
    let streams = StreamRequest {
        command: query.all("command").map(str::to_owned).collect(),
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        tty: query.flag("tty"),
    };
    check(&streams, is_exec, &pod_ref.name)?;
    if !is_assigned(&pod) {
        return Err(no_host(&pod_ref.name));
    }
    let status = runtime
        .pod_status(&pod_ref)
        .await
        .map_err(|error| Rejection::Internal(error.to_string()))?;
    let newest = status.containers.into_iter().find(|one| one.name == container);
    let id: Result<ContainerId, String> = match newest {
        Some(one) if one.state == ContainerState::Running => Ok(one.id),
        // An attach may come in the moment between a short program's end and the next look at it.
        Some(one) if !is_exec && status_of(&pod, &container).is_some_and(|status| status.ready) => Ok(one.id),
        _ if is_exec => Err(format!("container not found (\"{container}\")")),
        _ => {
            let (name, namespace) = (&pod_ref.name, &pod_ref.namespace);
            Err(format!("container {container} not found in pod {name}_{namespace}"))
        }
    };
    let transport = transport(request.headers())?;
    // Each client is told in the way in which it repeats it to its user.
    let container = match (id, transport) {
        (Err(why), Transport::Spdy) => return Ok(plain_failure(why)),
        (id, _) => id.map_err(|why| format!("unable to upgrade connection: {why}")),
    };
    let command = Command {
        target: if is_exec { Target::Exec } else { Target::Attach },
        container,
        request: streams,
        runtime: runtime.clone(),
    };
    match transport {
        Transport::WebSocket => websocket_command::serve(request, command),
        Transport::Spdy => spdy_command::serve(request, command),
    }
}

/// A refusal in plain text, as a node gives it.
fn plain_failure(why: String) -> Response<Body> {
    let mut response = Response::new(Body::from(why));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// What exec and attach refuse of their own parameters.
fn check(streams: &StreamRequest, is_exec: bool, pod: &str) -> Result<(), Rejection> {
    let mut errors = Vec::new();
    let mut wrong = |path: &str, kind: Kind, detail: &str| {
        errors.push(FieldError {
            path: path.to_owned(),
            kind,
            value: Value::Null,
            detail: detail.to_owned(),
        });
    };
    if is_exec && streams.command.is_empty() {
        wrong("command", Kind::Required, "");
    }
    if !(streams.stdin || streams.stdout || streams.stderr) {
        wrong(
            "stdin",
            Kind::Required,
            "you must specify at least one of stdin, stdout, stderr",
        );
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Rejection::Invalid {
        kind: if is_exec { "PodExecOptions" } else { "PodAttachOptions" },
        name: pod.to_owned(),
        errors,
    })
}

fn no_host(pod: &str) -> Rejection {
    Rejection::BadRequest(format!("pod {pod} does not have a host assigned"))
}
