//! Linux capabilities that containers add and drop.

use super::super::{
    subject::Subject,
    violation::{Setters, Violation, quoted},
};

/// What containers have as a rule.
const DEFAULT: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Only what containers have as a rule may be added.
pub(super) fn baseline(subject: Subject<'_>) -> Option<Violation> {
    let added = added_besides(subject, &DEFAULT);
    added.violation("non-default capabilities", must_not_include)
}

/// All must be dropped, and only the binding to low ports may be added.
pub(super) fn restricted(subject: Subject<'_>) -> Option<Violation> {
    let mut missing = Setters::default();
    for container in subject.containers() {
        let drop = &container.context("capabilities")["drop"];
        let drops_all = drop.as_array().is_some_and(|drop| drop.iter().any(|one| one == "ALL"));
        if !drops_all {
            missing.container(&container, "capabilities.drop");
        }
    }
    let reason = "unrestricted capabilities";
    let missing = missing.violation(reason, |missing| {
        format!(
            "{} must set securityContext.capabilities.drop=[\"ALL\"]",
            missing.words()
        )
    });
    let added = added_besides(subject, &["NET_BIND_SERVICE"]).violation(reason, must_not_include);
    match (missing, added) {
        (Some(mut both), Some(added)) => {
            both.detail = format!("{}; {}", both.detail, added.detail);
            both.fields.extend(added.fields);
            Some(both)
        }
        (one, other) => one.or(other),
    }
}

fn added_besides(subject: Subject<'_>, allowed: &[&str]) -> Setters {
    let mut setters = Setters::default();
    for container in subject.containers() {
        let added = container.context("capabilities")["add"].as_array();
        for (index, name) in added.into_iter().flatten().enumerate() {
            let name = name.as_str().unwrap_or_default();
            if !allowed.contains(&name) {
                setters.container(&container, &format!("capabilities.add[{index}]"));
                setters.value(name);
            }
        }
    }
    setters
}

fn must_not_include(setters: &Setters) -> String {
    format!(
        "{} must not include {} in securityContext.capabilities.add",
        setters.words(),
        quoted(setters.values())
    )
}

/// Since 1.25 pods for Windows, which has none, pass.
pub(super) fn restricted_but_windows(subject: Subject<'_>) -> Option<Violation> {
    restricted(subject).filter(|_| !subject.is_for_windows())
}
