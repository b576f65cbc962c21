//! Settings of the kernel that are the pod's own.

use super::super::{subject::Subject, violation::Violation};

/// Each with the release since which it is allowed.
const ALLOWED: [(&str, u32); 12] = [
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
];

/// Only settings that reach nobody else, as the release `v1.MINOR` knows them.
pub(super) fn sysctls<const MINOR: u32>(subject: Subject<'_>) -> Option<Violation> {
    let is_allowed = |name: &str| ALLOWED.iter().any(|(known, since)| *known == name && *since <= MINOR);
    let sysctls = subject.context("sysctls").as_array().into_iter().flatten().enumerate();
    let (names, fields): (Vec<&str>, Vec<String>) = sysctls
        .map(|(index, sysctl)| {
            let name = sysctl["name"].as_str().unwrap_or_default();
            (name, format!("spec.securityContext.sysctls[{index}].name"))
        })
        .filter(|(name, _)| !is_allowed(name))
        .unzip();
    (!names.is_empty()).then(|| Violation::new("forbidden sysctls", names.join(", "), fields))
}
