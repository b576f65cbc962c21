//! How a probe or a lifecycle hook is carried out: by a command in the container, or from the node over the network
//! (`pkg/probe`, `pkg/kubelet/prober/prober.go`, `pkg/kubelet/lifecycle/handlers.go`).

mod exec;
mod first_line;
mod grpc;
mod hook;
mod http;
mod insecure;
mod port;
mod redirect;
mod tcp;

use std::{net::SocketAddr, time::Duration};

use k8s_openapi::api::core::v1::Probe;

pub use self::hook::hook;
pub(crate) use self::insecure::config as any_certificate;
use crate::{
    kubelet::edges::{Aim, Outcome},
    runtime::{RuntimeError, SharedRuntime},
};

/// Who the kubelet says it is, in a probe.
const USER_AGENT: &str = "kube-probe/1.36";

/// And in a lifecycle hook.
const HOOK_USER_AGENT: &str = "kube-lifecycle/1.36";

/// The most of an answer that is kept, in bytes.
const OUTPUT_MAX: usize = 10 * 1024;

/// Runs a probe once, no longer than its timeout.
pub async fn probe(runtime: &SharedRuntime, aim: Aim<'_>, probe: &Probe) -> Outcome {
    let timeout = Duration::from_secs(
        probe
            .timeout_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .unwrap_or(1),
    );
    if let Some(action) = &probe.exec {
        return exec::probe(runtime, &aim, action.command.as_deref().unwrap_or_default(), timeout).await;
    }
    let outcome = if let Some(action) = &probe.http_get {
        match http::Request::new(&aim, action).await {
            Ok(request) => Ok(request.probe(runtime, timeout).await),
            Err(why) => Err(why),
        }
    } else if let Some(action) = &probe.tcp_socket {
        match address(&aim, action.host.as_deref(), &action.port).await {
            Ok(address) => Ok(tcp::probe(runtime, address, timeout).await),
            Err(why) => Err(why),
        }
    } else if let Some(action) = &probe.grpc {
        let port = u16::try_from(action.port).unwrap_or(0);
        match aim.ip {
            Some(ip) => {
                let address = SocketAddr::new(ip, port);
                Ok(grpc::probe(runtime, address, action.service.as_deref().unwrap_or_default(), timeout).await)
            }
            None => Err(NO_ADDRESS.to_owned()),
        }
    } else {
        Err(format!(
            "missing probe handler for {}:{}",
            aim.pod.full_name(),
            aim.declared.name()
        ))
    };
    outcome.unwrap_or_else(|why| Outcome::Errored("unknown", why))
}

/// A runtime's error as it reaches the kubelet over CRI.
fn over_cri(error: &RuntimeError) -> String {
    format!("rpc error: code = Unknown desc = {error}")
}

const NO_ADDRESS: &str = "the pod has no address yet";

/// Where a handler with host and port goes: to the pod, unless it names another host, which the node looks up.
async fn address(
    aim: &Aim<'_>,
    host: Option<&str>,
    port: &k8s_openapi::apimachinery::pkg::util::intstr::IntOrString,
) -> Result<SocketAddr, String> {
    let port = port::resolve(&aim.declared.container, port)?;
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        return Ok(SocketAddr::new(aim.ip.ok_or(NO_ADDRESS)?, port));
    };
    let mut found = tokio::net::lookup_host((host, port)).await.into_iter().flatten();
    found
        .next()
        .ok_or_else(|| format!("dial tcp: lookup {host}: no such host"))
}

/// What Go's net package says of a connection that did not come about.
pub(crate) fn dial_error(address: SocketAddr, error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    let why = match error.kind() {
        ErrorKind::ConnectionRefused => "connect: connection refused",
        ErrorKind::ConnectionReset => "connect: connection reset by peer",
        ErrorKind::HostUnreachable => "connect: no route to host",
        ErrorKind::NetworkUnreachable => "connect: network is unreachable",
        ErrorKind::TimedOut => "i/o timeout",
        _ => return format!("dial tcp {address}: {error}"),
    };
    format!("dial tcp {address}: {why}")
}
