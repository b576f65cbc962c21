//! What confines containers: profiles of AppArmor and seccomp, and labels of SELinux.

use serde_json::Value;

use super::super::{
    subject::Subject,
    violation::{Setters, Violation, plural, quoted},
};

/// Profiles that confine: by field for seccomp and AppArmor alike.
fn confines(kind: &str) -> bool {
    matches!(kind, "RuntimeDefault" | "Localhost")
}

/// Collects the pod and the containers whose profile does not confine.
fn unconfined(subject: Subject<'_>, profile: &str) -> Setters {
    let mut setters = Setters::default();
    let field = format!("{profile}.type");
    let wrong = |profile: &Value| {
        let kind = profile["type"].as_str().unwrap_or_default().to_owned();
        (!profile.is_null() && !confines(&kind)).then_some(kind)
    };
    if let Some(kind) = wrong(subject.context(profile)) {
        setters.pod(&field);
        setters.value(kind);
    }
    for container in subject.containers() {
        if let Some(kind) = wrong(container.context(profile)) {
            setters.container(&container, &field);
            setters.value(kind);
        }
    }
    setters
}

const APP_ARMOR_ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

/// AppArmor is not switched off, by field or by annotation.
pub(super) fn app_armor(subject: Subject<'_>) -> Option<Violation> {
    let setters = unconfined(subject, "appArmorProfile");
    let mut annotations: Vec<(&String, String)> = subject
        .annotations
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.starts_with(APP_ARMOR_ANNOTATION))
        .map(|(key, value)| (key, value.as_str().unwrap_or_default()))
        .filter(|(_, value)| !(value.is_empty() || *value == "runtime/default" || value.starts_with("localhost/")))
        .map(|(key, value)| (key, format!("{key}={value:?}")))
        .collect();
    annotations.sort_unstable();
    let mut values: Vec<String> = setters.values().iter().cloned().collect();
    values.extend(annotations.iter().map(|(_, shown)| shown.clone()));
    let reason = plural(
        "forbidden AppArmor profile",
        "forbidden AppArmor profiles",
        values.len(),
    );
    let by_field = setters.violation(reason, Setters::words);
    let by_annotation = (!annotations.is_empty()).then(|| {
        Violation::new(
            reason,
            plural("annotation", "annotations", annotations.len()).to_owned(),
            annotations
                .iter()
                .map(|(key, _)| format!("metadata.annotations.{key}"))
                .collect(),
        )
    });
    let mut violation = match (by_field, by_annotation) {
        (Some(mut both), Some(by_annotation)) => {
            both.detail = format!("{} and {}", both.detail, by_annotation.detail);
            both.fields.extend(by_annotation.fields);
            both
        }
        (one, other) => one.or(other)?,
    };
    violation.detail = format!(
        "{} must not set AppArmor profile type to {}",
        violation.detail,
        quoted(values)
    );
    Some(violation)
}

/// Before 1.19 seccomp profiles were annotations.
pub(super) fn seccomp_annotations(subject: Subject<'_>) -> Option<Violation> {
    let mut keys = vec!["seccomp.security.alpha.kubernetes.io/pod".to_owned()];
    keys.extend(subject.containers().map(|container| {
        let name = container.name;
        format!("container.seccomp.security.alpha.kubernetes.io/{name}")
    }));
    keys.sort_unstable();
    keys.dedup();
    let forbidden: Vec<(String, String)> = keys
        .into_iter()
        .filter_map(|key| {
            let value = subject.annotations[&key].as_str()?;
            let is_allowed = matches!(value, "runtime/default" | "docker/default") || value.starts_with("localhost/");
            (!is_allowed).then(|| (format!("metadata.annotations.{key}"), format!("{key}={value:?}")))
        })
        .collect();
    let (fields, shown): (Vec<String>, Vec<String>) = forbidden.into_iter().unzip();
    (!shown.is_empty()).then(|| {
        Violation::new(
            "seccompProfile",
            format!(
                "forbidden {} {}",
                plural("annotation", "annotations", shown.len()),
                shown.join(", ")
            ),
            fields,
        )
    })
}

/// Seccomp is not switched off.
pub(super) fn seccomp_baseline(subject: Subject<'_>) -> Option<Violation> {
    unconfined(subject, "seccompProfile").violation("seccompProfile", |setters| {
        format!(
            "{} must not set securityContext.seccompProfile.type to {}",
            setters.words(),
            quoted(setters.values())
        )
    })
}

/// Every container has a seccomp profile.
pub(super) fn seccomp_restricted(subject: Subject<'_>) -> Option<Violation> {
    let wrong = seccomp_baseline(subject);
    if wrong.is_some() || !subject.context("seccompProfile").is_null() {
        return wrong;
    }
    let mut setters = Setters::default();
    for container in subject.containers() {
        if container.context("seccompProfile").is_null() {
            setters.container(&container, "seccompProfile.type");
        }
    }
    setters.violation("seccompProfile", |setters| {
        format!(
            "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"",
            setters.words()
        )
    })
}

/// Since 1.25 pods for Windows, which has no such thing, pass.
pub(super) fn seccomp_restricted_but_windows(subject: Subject<'_>) -> Option<Violation> {
    seccomp_restricted(subject).filter(|_| !subject.is_for_windows())
}

/// SELinux confines as it does containers as a rule.
pub(super) fn se_linux(subject: Subject<'_>) -> Option<Violation> {
    se_linux_but(subject, &["", "container_t", "container_init_t", "container_kvm_t"])
}

/// Since 1.31 there is a type for container engines.
pub(super) fn se_linux_with_engine(subject: Subject<'_>) -> Option<Violation> {
    let allowed = [
        "",
        "container_t",
        "container_init_t",
        "container_kvm_t",
        "container_engine_t",
    ];
    se_linux_but(subject, &allowed)
}

fn se_linux_but(subject: Subject<'_>, allowed: &[&str]) -> Option<Violation> {
    let mut setters = Setters::default();
    let (mut has_user, mut has_role) = (false, false);
    let mut wrong = |options: &Value| -> Vec<(&'static str, String)> {
        let text = |field: &str| options[field].as_str().unwrap_or_default().to_owned();
        let mut fields = Vec::new();
        if !allowed.contains(&text("type").as_str()) {
            fields.push(("seLinuxOptions.type", text("type")));
        }
        for (field, path, has) in [
            ("user", "seLinuxOptions.user", &mut has_user),
            ("role", "seLinuxOptions.role", &mut has_role),
        ] {
            if !text(field).is_empty() {
                *has = true;
                fields.push((path, String::new()));
            }
        }
        fields
    };
    for (field, kind) in wrong(subject.context("seLinuxOptions")) {
        setters.pod(field);
        if !kind.is_empty() {
            setters.value(kind);
        }
    }
    for container in subject.containers() {
        for (field, kind) in wrong(container.context("seLinuxOptions")) {
            setters.container(&container, field);
            if !kind.is_empty() {
                setters.value(kind);
            }
        }
    }
    setters.violation("seLinuxOptions", |setters| {
        let types = setters.values();
        let mut data = Vec::new();
        if !types.is_empty() {
            data.push(format!("{} {}", plural("type", "types", types.len()), quoted(types)));
        }
        if has_user {
            data.push("user may not be set".to_owned());
        }
        if has_role {
            data.push("role may not be set".to_owned());
        }
        format!(
            "{} set forbidden securityContext.seLinuxOptions: {}",
            setters.words(),
            data.join("; ")
        )
    })
}
