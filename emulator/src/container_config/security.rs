//! What a container may do: capabilities, filters, masks (`pkg/securitycontext`, containerd's defaults).

use std::{fs, path::Path};

use k8s_openapi::api::core::v1::SeccompProfile;

use super::{Subject, config_error};
use crate::{
    kubelet::start_failure::StartFailure,
    runtime::{Seccomp, Security},
};

/// What containerd leaves to a container that asks for nothing.
const DEFAULT_CAPABILITIES: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// All that Linux has (capabilities(7)).
const ALL_CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The kubelet's `defaultMaskedPaths`.
const MASKED_PATHS: [&str; 12] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// The machine's CPUs, some of which report their heat.
const CPUS: &str = "/sys/devices/system/cpu";

/// The kubelet's `defaultReadonlyPaths`.
const READONLY_PATHS: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Whether a name, as a manifest writes it, is a capability's or means all of them.
pub fn is_capability(name: &str) -> bool {
    is_all(name) || ALL_CAPABILITIES.contains(&full_name(name).as_str())
}

fn is_all(name: &str) -> bool {
    name.eq_ignore_ascii_case("ALL")
}

/// The name in the kernel's form; none where the manifest's has the prefix already.
fn full_name(name: &str) -> String {
    format!("CAP_{}", name.to_uppercase())
}

/// Works it out from the container's and the pod's security context.
///
/// # Errors
/// What the emulator does not have, by name.
pub fn security(subject: &Subject<'_>) -> Result<Security, StartFailure> {
    let own = subject.declared.container.security_context.as_ref();
    let of_pod = subject.pod.spec.security_context.as_ref();
    let privileged = own.and_then(|own| own.privileged) == Some(true);
    let unmasked = privileged || own.and_then(|own| own.proc_mount.as_deref()) == Some("Unmasked");
    let paths = |paths: &[&str]| -> Vec<String> {
        if unmasked {
            Vec::new()
        } else {
            paths.iter().map(ToString::to_string).collect()
        }
    };
    let mut masked_paths = paths(&MASKED_PATHS);
    if !unmasked {
        masked_paths.extend(thermal_throttle(Path::new(CPUS)));
    }
    let profile = own
        .and_then(|own| own.seccomp_profile.as_ref())
        .or_else(|| of_pod.and_then(|of_pod| of_pod.seccomp_profile.as_ref()));
    let app_armor = own
        .and_then(|own| own.app_armor_profile.as_ref())
        .or_else(|| of_pod.and_then(|of_pod| of_pod.app_armor_profile.as_ref()));
    if app_armor.is_some_and(|profile| profile.type_ == "Localhost") {
        return Err(config_error(
            "appArmorProfile.type: Localhost is not supported by the emulator",
        ));
    }
    Ok(Security {
        privileged,
        capabilities: capabilities(subject, privileged),
        no_new_privileges: own.and_then(|own| own.allow_privilege_escalation) == Some(false),
        read_only_root_filesystem: own.and_then(|own| own.read_only_root_filesystem) == Some(true),
        masked_paths,
        readonly_paths: paths(&READONLY_PATHS),
        seccomp: if privileged {
            Seccomp::Unconfined
        } else {
            seccomp(profile)?
        },
    })
}

/// The folders of counters by which a container could measure what others do on the same CPUs. The kubelet masks those
/// that exist, as on most physical machines.
fn thermal_throttle(cpus: &Path) -> Vec<String> {
    let folders = fs::read_dir(cpus).into_iter().flatten().flatten();
    let mut paths: Vec<String> = folders
        .map(|cpu| cpu.path().join("thermal_throttle"))
        .filter(|path| path.is_dir())
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    paths.sort_unstable();
    paths
}

fn seccomp(profile: Option<&SeccompProfile>) -> Result<Seccomp, StartFailure> {
    match profile.map(|profile| profile.type_.as_str()) {
        None | Some("Unconfined") => Ok(Seccomp::Unconfined),
        Some("RuntimeDefault") => Ok(Seccomp::RuntimeDefault),
        Some(other) => Err(config_error(format!(
            "seccompProfile.type: {other} is not supported by the emulator"
        ))),
    }
}

fn capabilities(subject: &Subject<'_>, privileged: bool) -> Vec<String> {
    let asked = subject
        .declared
        .container
        .security_context
        .as_ref()
        .and_then(|own| own.capabilities.as_ref());
    let list = |list: Option<&Vec<String>>| list.cloned().unwrap_or_default();
    let add = list(asked.and_then(|asked| asked.add.as_ref()));
    let drop = list(asked.and_then(|asked| asked.drop.as_ref()));
    if privileged {
        return ALL_CAPABILITIES.iter().map(ToString::to_string).collect();
    }
    adjust(&add, &drop)
}

/// The defaults with `add` and `drop` applied; `ALL` in either comes first, so that the other list makes exceptions. Each
/// name is put behind `CAP_`, one that has the prefix already too: it then names no capability (containerd's
/// `internal/cri/opts/spec_opts.go`, `WithCapabilities`).
fn adjust(add: &[String], drop: &[String]) -> Vec<String> {
    let all = |list: &[String]| list.iter().any(|name| is_all(name));
    let named = |list: &[String]| -> Vec<String> {
        let single = list.iter().filter(|name| !is_all(name));
        single.map(|name| full_name(name)).collect()
    };
    let mut set: Vec<String> = match (all(add), all(drop)) {
        (_, true) => Vec::new(),
        (true, false) => ALL_CAPABILITIES.iter().map(ToString::to_string).collect(),
        (false, false) => DEFAULT_CAPABILITIES.iter().map(ToString::to_string).collect(),
    };
    for name in named(add) {
        if !set.contains(&name) {
            set.push(name);
        }
    }
    let dropped = named(drop);
    set.retain(|name| !dropped.contains(name));
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn thermal_counters_are_masked_where_a_cpu_has_them() {
        let cpus = tempfile::tempdir().unwrap();
        for folder in ["cpu1/thermal_throttle", "cpu0/thermal_throttle", "cpu2", "cpufreq"] {
            fs::create_dir_all(cpus.path().join(folder)).unwrap();
        }
        let expected = ["cpu0", "cpu1"].map(|cpu| format!("{}/{cpu}/thermal_throttle", cpus.path().display()));
        assert_eq!(thermal_throttle(cpus.path()), expected);
        assert!(thermal_throttle(&cpus.path().join("absent")).is_empty());
    }

    #[test]
    fn capabilities_are_added_and_dropped() {
        assert_eq!(adjust(&[], &[]).len(), 14);
        for add in ["NET_ADMIN", "net_admin"] {
            assert_eq!(adjust(&names(&[add]), &names(&["all"])), ["CAP_NET_ADMIN"]);
        }
        assert_eq!(adjust(&names(&["NET_RAW"]), &[]).len(), 14);
        assert_eq!(adjust(&names(&["All"]), &names(&["SYS_ADMIN"])).len(), 40);
        assert_eq!(adjust(&names(&["ALL", "KILL"]), &names(&["ALL"])), ["CAP_KILL"]);
        assert!(adjust(&names(&["KILL"]), &names(&["KILL", "ALL"])).is_empty());
    }

    #[test]
    fn prefixed_capability_names_no_capability() {
        let added = adjust(&names(&["CAP_NET_ADMIN", "cap_all"]), &names(&["CAP_KILL", "CAP_ALL"]));
        assert!(added.contains(&"CAP_KILL".to_owned()) && !added.contains(&"CAP_NET_ADMIN".to_owned()));
        let known = |name: &&String| ALL_CAPABILITIES.contains(&name.as_str());
        assert_eq!(added.iter().filter(known).count(), 14);
    }
}
