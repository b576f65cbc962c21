//! Security contexts of pods and containers.

use k8s_openapi::api::core::v1::{PodSecurityContext, PodSpec, SeccompProfile, SecurityContext, Sysctl};
use serde_json::json;

use super::{app_armor, path::descending};
use crate::api::admission::field_error::{Errors, Path};

const SYSCTL_RULE: &str = "must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";

/// Checks a user's or group's number.
fn id(id: Option<i64>, path: &Path, errors: &mut Errors) {
    if let Some(id) = id.filter(|id| !(0..=i64::from(i32::MAX)).contains(id)) {
        errors.invalid(path, id, "must be between 0 and 2147483647, inclusive");
    }
}

/// Checks `spec.securityContext`.
pub(super) fn pod(context: &PodSecurityContext, spec: &PodSpec, path: &Path, errors: &mut Errors) {
    id(context.fs_group, &path.child("fsGroup"), errors);
    id(context.run_as_user, &path.child("runAsUser"), errors);
    id(context.run_as_group, &path.child("runAsGroup"), errors);
    for (index, group) in context.supplemental_groups.iter().flatten().enumerate() {
        id(Some(*group), &path.child("supplementalGroups").index(index), errors);
    }
    if spec.share_process_namespace == Some(true) && spec.host_pid == Some(true) {
        errors.invalid(
            &path.child("shareProcessNamespace"),
            true,
            "ShareProcessNamespace and HostPID cannot both be enabled",
        );
    }
    sysctls(
        context.sysctls.as_deref().unwrap_or_default(),
        spec,
        &path.child("sysctls"),
        errors,
    );
    let policy = |field: &str, value: &Option<String>, supported: &[&str], errors: &mut Errors| {
        if let Some(value) = value.as_deref().filter(|value| !supported.contains(value)) {
            errors.not_supported(&path.child(field), value, supported);
        }
    };
    policy(
        "fsGroupChangePolicy",
        &context.fs_group_change_policy,
        &["Always", "OnRootMismatch"],
        errors,
    );
    seccomp(context.seccomp_profile.as_ref(), &path.child("seccompProfile"), errors);
    let profile = context.app_armor_profile.as_ref();
    app_armor::field(profile, &path.child("appArmorProfile"), errors);
    policy(
        "supplementalGroupsPolicy",
        &context.supplemental_groups_policy,
        &["Merge", "Strict"],
        errors,
    );
    policy(
        "seLinuxChangePolicy",
        &context.se_linux_change_policy,
        &["MountOption", "Recursive"],
        errors,
    );
}

fn sysctls(sysctls: &[Sysctl], spec: &PodSpec, path: &Path, errors: &mut Errors) {
    let mut seen = std::collections::HashSet::new();
    for (index, sysctl) in sysctls.iter().enumerate() {
        let path = path.index(index).child("name");
        let name = sysctl.name.as_str();
        if name.is_empty() {
            errors.required(&path, "");
        } else if !is_sysctl(name) {
            errors.invalid(&path, name, SYSCTL_RULE);
        } else if seen.contains(&name) {
            errors.duplicate(&path, name);
        }
        let of_network = name.replace('/', ".").starts_with("net.");
        if of_network && spec.host_network == Some(true) {
            errors.invalid(&path, name, "may not be specified when 'hostNetwork' is true");
        }
        let dotted = name.replace('/', ".");
        let of_ipc = ["kernel.shm", "kernel.msg", "fs.mqueue."]
            .iter()
            .any(|prefix| dotted.starts_with(prefix))
            || dotted == "kernel.sem";
        if of_ipc && spec.host_ipc == Some(true) {
            errors.invalid(&path, name, "may not be specified when 'hostIPC' is true");
        }
        seen.insert(name);
    }
}

fn is_sysctl(name: &str) -> bool {
    let alphanumeric = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 253
        && name.split(['.', '/']).all(|part| {
            let part = part.as_bytes();
            part.first().is_some_and(|&c| alphanumeric(c))
                && part.last().is_some_and(|&c| alphanumeric(c))
                && part.iter().all(|&c| alphanumeric(c) || matches!(c, b'-' | b'_'))
        })
}

fn seccomp(profile: Option<&SeccompProfile>, path: &Path, errors: &mut Errors) {
    let Some(profile) = profile else { return };
    match profile.type_.as_str() {
        "Localhost" | "RuntimeDefault" | "Unconfined" => {}
        "" => errors.required(&path.child("type"), "type is required when seccompProfile is set"),
        other => errors.not_supported(
            &path.child("type"),
            other,
            &["Localhost", "RuntimeDefault", "Unconfined"],
        ),
    }
    let file = path.child("localhostProfile");
    match (&profile.localhost_profile, profile.type_ == "Localhost") {
        (None, true) => errors.required(&file, "must be set when seccomp type is Localhost"),
        (Some(name), true) => descending(name, &file, errors),
        (Some(_), false) => {
            let value = serde_json::to_value(profile).unwrap_or_default();
            errors.invalid(&file, value, "can only be set when seccomp type is Localhost");
        }
        (None, false) => {}
    }
}

/// Checks a container's `securityContext`.
pub(super) fn container(context: &SecurityContext, host_users: bool, path: &Path, errors: &mut Errors) {
    id(context.run_as_user, &path.child("runAsUser"), errors);
    id(context.run_as_group, &path.child("runAsGroup"), errors);
    if let Some(mount) = context.proc_mount.as_deref() {
        let path = path.child("procMount");
        match mount {
            "Default" => {}
            "Unmasked" if host_users => errors.invalid(&path, mount, "`hostUsers` must be false to use `Unmasked`"),
            "Unmasked" => {}
            other => errors.not_supported(&path, other, &["Default", "Unmasked"]),
        }
    }
    seccomp(context.seccomp_profile.as_ref(), &path.child("seccompProfile"), errors);
    let profile = context.app_armor_profile.as_ref();
    app_armor::field(profile, &path.child("appArmorProfile"), errors);
    if context.allow_privilege_escalation == Some(false) {
        let whole = || serde_json::to_value(context).unwrap_or_else(|_| json!({}));
        if context.privileged == Some(true) {
            errors.invalid(
                path,
                whole(),
                "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
            );
        }
        let added = context
            .capabilities
            .as_ref()
            .and_then(|capabilities| capabilities.add.as_ref());
        if added.is_some_and(|added| added.iter().any(|one| one == "CAP_SYS_ADMIN")) {
            errors.invalid(
                path,
                whole(),
                "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
            );
        }
    }
}

/// Checks that a pod which says it is for Linux has no options of Windows.
pub(super) fn of_linux(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    const WHY: &str = "windows options cannot be set for a linux pod";
    let context = spec.security_context.as_ref();
    if context.is_some_and(|context| context.windows_options.is_some()) {
        errors.forbidden(&path.child("securityContext").child("windowsOptions"), WHY);
    }
    for (field, list) in [
        ("containers", Some(&spec.containers)),
        ("initContainers", spec.init_containers.as_ref()),
    ] {
        for (index, one) in list.into_iter().flatten().enumerate() {
            let context = one.security_context.as_ref();
            if context.is_some_and(|context| context.windows_options.is_some()) {
                let path = path.child(field).index(index).child("securityContext");
                errors.forbidden(&path.child("windowsOptions"), WHY);
            }
        }
    }
}
