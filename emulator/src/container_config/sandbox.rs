//! What a pod's sandbox is made from (`kuberuntime_sandbox.go`, `generatePodSandboxConfig`).

use super::{Node, resources};
use crate::{kubelet::pod::Pod, runtime::SandboxConfig};

/// The longest host name that Linux takes.
const HOSTNAME_MAX: usize = 63;

/// Works it out.
pub fn sandbox_config(pod: &Pod, node: &Node, attempt: u32) -> SandboxConfig {
    let context = pod.spec.security_context.as_ref();
    let sysctls = context
        .and_then(|context| context.sysctls.as_ref())
        .into_iter()
        .flatten();
    SandboxConfig {
        pod: pod.reference(),
        attempt,
        hostname: hostname(pod, &node.name),
        host_network: pod.host_network(),
        host_pid: pod.spec.host_pid == Some(true),
        host_ipc: pod.spec.host_ipc == Some(true),
        share_process_namespace: pod.spec.share_process_namespace == Some(true),
        user_namespace: pod.spec.host_users == Some(false),
        sysctls: sysctls
            .map(|sysctl| (sysctl.name.clone(), sysctl.value.clone()))
            .collect(),
        resources: resources::of_pod(pod),
    }
}

/// The pod's host name: `hostnameOverride`, the fully qualified name where asked for, `hostname`, else the pod's own name.
pub fn hostname(pod: &Pod, node_name: &str) -> String {
    if pod.host_network() {
        return machine_name().unwrap_or_else(|| node_name.to_owned());
    }
    if let Some(name) = pod.spec.hostname_override.as_ref().filter(|name| !name.is_empty()) {
        return name.clone();
    }
    let short = short_name(pod);
    match domain(pod) {
        Some(domain) if pod.spec.set_hostname_as_fqdn == Some(true) => format!("{short}.{domain}"),
        _ => short,
    }
}

/// The host name without a domain.
pub(super) fn short_name(pod: &Pod) -> String {
    match pod.spec.hostname.as_ref().filter(|name| !name.is_empty()) {
        Some(name) => name.clone(),
        // A name that is cut must not end in what no host name ends in.
        None => {
            let cut: String = pod.name.chars().take(HOSTNAME_MAX).collect();
            cut.trim_end_matches(['-', '.']).to_owned()
        }
    }
}

/// `SUBDOMAIN.NAMESPACE.svc.cluster.local` where a subdomain is set.
pub(super) fn domain(pod: &Pod) -> Option<String> {
    let subdomain = pod.spec.subdomain.as_ref().filter(|name| !name.is_empty())?;
    Some(format!("{subdomain}.{}.svc.cluster.local", pod.namespace))
}

fn machine_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned())
}
