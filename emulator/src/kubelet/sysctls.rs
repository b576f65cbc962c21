//! Which kernel parameters a pod may set: those that are of its own namespaces and safe (`pkg/kubelet/sysctl`).

use super::{pod::Pod, pod_status::Verdict};

/// The parameters of Kubernetes' safe set that are of the network namespace.
const NETWORK: [&str; 11] = [
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

/// And the one of the IPC namespace.
const IPC: &str = "kernel.shm_rmid_forced";

/// Refuses a pod that asks for another one, or for one of a namespace that it has not of its own.
pub(super) fn admit(pod: &Pod) -> Result<(), Verdict> {
    let context = pod.spec.security_context.as_ref();
    let asked = context.and_then(|context| context.sysctls.as_ref());
    for sysctl in asked.into_iter().flatten() {
        let name = dotted(&sysctl.name);
        let host = |of: &str| format!("{name:?} not allowed with host {of} enabled");
        let why = if name == IPC {
            (pod.spec.host_ipc == Some(true)).then(|| host("ipc"))
        } else if NETWORK.contains(&name.as_str()) {
            pod.host_network().then(|| host("net"))
        } else {
            Some(format!("{name:?} not allowlisted"))
        };
        if let Some(why) = why {
            return Err(Verdict::new("SysctlForbidden", format!("forbidden sysctl: {why}")));
        }
    }
    Ok(())
}

/// The name with dots, as the list has it; slashes are another way to write the same.
fn dotted(name: &str) -> String {
    if name
        .find('/')
        .is_some_and(|slash| name.find('.').is_none_or(|dot| slash < dot))
    {
        let swapped = |letter| match letter {
            '/' => '.',
            '.' => '/',
            other => other,
        };
        return name.chars().map(swapped).collect();
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(sysctl: &str, host_network: bool) -> Option<String> {
        let spec = json!({"hostNetwork": host_network, "containers": [],
            "securityContext": {"sysctls": [{"name": sysctl, "value": "1"}]}});
        let verdict = admit(&Pod::read(&json!({"metadata": {}, "spec": spec})).unwrap()).err()?;
        assert_eq!(verdict.reason, "SysctlForbidden");
        Some(verdict.message)
    }

    #[test]
    fn safe_ones_of_the_pods_own_namespaces_are_allowed() {
        assert_eq!(refusal("net.ipv4.tcp_syncookies", false), None);
        assert_eq!(refusal("net/ipv4/tcp_syncookies", false), None);
        assert_eq!(
            refusal("net.core.somaxconn", false).as_deref(),
            Some("forbidden sysctl: \"net.core.somaxconn\" not allowlisted")
        );
        assert_eq!(
            refusal("net.ipv4.tcp_syncookies", true).as_deref(),
            Some("forbidden sysctl: \"net.ipv4.tcp_syncookies\" not allowed with host net enabled")
        );
    }
}
