//! Every check, with its level, and the releases since which it says what it says (`k8s.io/pod-security-admission/policy`).

mod capabilities;
mod host;
mod privileges;
mod profiles;
mod sysctls;
#[cfg(test)]
mod tests;
mod users;

use super::{
    level::{Level, LevelVersion, Version},
    subject::Subject,
    violation::Violation,
};

/// Decides whether a pod fails a check.
type Rule = fn(Subject<'_>) -> Option<Violation>;

/// One check.
struct Check {
    id: &'static str,
    level: Level,
    /// The check of a lower level that it replaces.
    overrides: &'static str,
    /// Each revision with the minor release that brought it.
    revisions: &'static [(u32, Rule)],
}

const fn baseline(id: &'static str, revisions: &'static [(u32, Rule)]) -> Check {
    Check {
        id,
        level: Level::Baseline,
        overrides: "",
        revisions,
    }
}

const fn restricted(id: &'static str, overrides: &'static str, revisions: &'static [(u32, Rule)]) -> Check {
    Check {
        id,
        level: Level::Restricted,
        overrides,
        revisions,
    }
}

/// The minor release that brought the newest revision of all.
const NEWEST: u32 = 35;

/// Every check, in the order in which their refusals are listed.
const CHECKS: [Check; 19] = [
    baseline("appArmorProfile", &[(0, profiles::app_armor)]),
    baseline("capabilities_baseline", &[(0, capabilities::baseline)]),
    baseline("hostNamespaces", &[(0, host::namespaces)]),
    baseline("hostPathVolumes", &[(0, host::path_volumes)]),
    baseline("hostPorts", &[(0, host::ports)]),
    baseline("hostProbesAndHostLifecycle", &[(34, host::probes)]),
    baseline("privileged", &[(0, privileges::privileged)]),
    baseline(
        "procMount",
        &[
            (0, privileges::proc_mount),
            (35, privileges::proc_mount_but_user_namespace),
        ],
    ),
    baseline(
        "seLinuxOptions",
        &[(0, profiles::se_linux), (31, profiles::se_linux_with_engine)],
    ),
    baseline(
        "seccompProfile_baseline",
        &[(0, profiles::seccomp_annotations), (19, profiles::seccomp_baseline)],
    ),
    baseline(
        "sysctls",
        &[
            (0, sysctls::sysctls::<0>),
            (27, sysctls::sysctls::<27>),
            (29, sysctls::sysctls::<29>),
            (32, sysctls::sysctls::<32>),
        ],
    ),
    baseline("windowsHostProcess", &[(0, privileges::windows_host_process)]),
    restricted(
        "allowPrivilegeEscalation",
        "",
        &[(8, privileges::escalation), (25, privileges::escalation_but_windows)],
    ),
    restricted(
        "capabilities_restricted",
        "capabilities_baseline",
        &[
            (22, capabilities::restricted),
            (25, capabilities::restricted_but_windows),
        ],
    ),
    restricted("procMount_restricted", "procMount", &[(35, privileges::proc_mount)]),
    restricted("restrictedVolumes", "hostPathVolumes", &[(0, host::volume_types)]),
    restricted(
        "runAsNonRoot",
        "",
        &[(0, users::non_root), (35, users::non_root_but_user_namespace)],
    ),
    restricted(
        "runAsUser",
        "",
        &[(23, users::user), (35, users::user_but_user_namespace)],
    ),
    restricted(
        "seccompProfile_restricted",
        "seccompProfile_baseline",
        &[
            (19, profiles::seccomp_restricted),
            (25, profiles::seccomp_restricted_but_windows),
        ],
    ),
];

impl Check {
    /// The rule of a release; none before the first.
    fn rule(&self, minor: u32) -> Option<Rule> {
        let mut newest_first = self.revisions.iter().rev();
        newest_first.find(|(since, _)| *since <= minor).map(|(_, rule)| *rule)
    }
}

/// Every check of a level that a pod fails.
pub(super) fn failed(policy: LevelVersion, subject: Subject<'_>) -> Vec<Violation> {
    let minor = match policy.version {
        Version::Latest => NEWEST,
        Version::Minor(minor) => minor.min(NEWEST),
    };
    let applies = |check: &&Check| check.level <= policy.level && check.rule(minor).is_some();
    let applying: Vec<&Check> = CHECKS.iter().filter(applies).collect();
    let is_overridden = |check: &Check| applying.iter().any(|other| other.overrides == check.id);
    applying
        .iter()
        .filter(|check| !is_overridden(check))
        .filter_map(|check| {
            let violation = check.rule(minor)?(subject)?;
            let check = check.id;
            Some(Violation { check, ..violation })
        })
        .collect()
}
