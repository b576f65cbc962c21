//! The settings of the kernel that a sandbox starts with.

use std::collections::BTreeMap;

use nix::sys::statvfs::{FsFlags, statvfs};

use crate::runtime::SandboxConfig;

const LOWEST_FREE_PORT: &str = "net.ipv4.ip_unprivileged_port_start";
const PING_GROUPS: &str = "net.ipv4.ping_group_range";

/// The pod's own, and those by which users other than root may listen on every port and send pings, as containerd ships
/// (`internal/cri/server/podsandbox/sandbox_run_linux.go`, `sandboxContainerSpec`). `mapped`: groups are those of a user
/// namespace, which does not have all that the second one names.
pub(super) fn of_sandbox(config: &SandboxConfig, mapped: bool, writable: bool) -> BTreeMap<String, String> {
    let mut all = config.sysctls.clone();
    if !config.host_network && writable {
        all.entry(LOWEST_FREE_PORT.into()).or_insert_with(|| "0".into());
        if !mapped {
            all.entry(PING_GROUPS.into()).or_insert_with(|| "0 2147483647".into());
        }
    }
    all
}

/// Whether settings can be written at all: in another container they often can't.
pub(super) fn are_writable() -> bool {
    !statvfs("/proc/sys").is_ok_and(|data| data.flags().contains(FsFlags::ST_RDONLY))
}

/// What follows for pods from settings that can't be written.
pub(super) fn limitation() -> Option<String> {
    let why = "/proc/sys is read-only for this process";
    (!are_writable()).then(|| format!("only root listens on ports below 1024 in pods and sends pings: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{PodRef, Resources};

    fn config(sysctls: &[(&str, &str)]) -> SandboxConfig {
        SandboxConfig {
            pod: PodRef {
                namespace: "default".into(),
                name: "p".into(),
                uid: "u".into(),
            },
            attempt: 0,
            hostname: "p".into(),
            host_network: false,
            host_pid: false,
            host_ipc: false,
            share_process_namespace: false,
            user_namespace: false,
            sysctls: sysctls
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            resources: Resources::default(),
        }
    }

    fn pairs(config: &SandboxConfig, mapped: bool, writable: bool) -> Vec<String> {
        let all = of_sandbox(config, mapped, writable).into_iter();
        all.map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn low_ports_and_ping_are_open_by_default() {
        let both = [
            "net.ipv4.ip_unprivileged_port_start=0",
            "net.ipv4.ping_group_range=0 2147483647",
        ];
        assert_eq!(pairs(&config(&[]), false, true), both);
        assert_eq!(pairs(&config(&[]), true, true), both[..1]);
        assert!(pairs(&config(&[]), false, false).is_empty());
    }

    #[test]
    fn own_sysctls_and_host_network_keep_theirs() {
        let own = config(&[
            (LOWEST_FREE_PORT, "500"),
            (PING_GROUPS, "1 1000"),
            ("kernel.shm_rmid_forced", "1"),
        ]);
        let expected = [
            "kernel.shm_rmid_forced=1",
            "net.ipv4.ip_unprivileged_port_start=500",
            "net.ipv4.ping_group_range=1 1000",
        ];
        assert_eq!(pairs(&own, false, true), expected);
        let of_host = SandboxConfig {
            host_network: true,
            ..config(&[])
        };
        assert!(pairs(&of_host, false, true).is_empty());
    }
}
