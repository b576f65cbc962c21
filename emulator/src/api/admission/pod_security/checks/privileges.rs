//! Rights beyond those of a container: privileged ones, gained ones, an open /proc, and the host's processes on Windows.

use super::super::{
    subject::Subject,
    violation::{Setters, Violation, quoted},
};

/// No container has all rights.
pub(super) fn privileged(subject: Subject<'_>) -> Option<Violation> {
    let mut setters = Setters::default();
    for container in subject.containers() {
        if container.context("privileged") == true {
            setters.container(&container, "privileged");
        }
    }
    setters.violation("privileged", |setters| {
        format!("{} must not set securityContext.privileged=true", setters.words())
    })
}

/// No process gains rights that its parent has not.
pub(super) fn escalation(subject: Subject<'_>) -> Option<Violation> {
    let mut setters = Setters::default();
    for container in subject.containers() {
        if container.context("allowPrivilegeEscalation") != false {
            setters.container(&container, "allowPrivilegeEscalation");
        }
    }
    setters.violation("allowPrivilegeEscalation != false", |setters| {
        format!(
            "{} must set securityContext.allowPrivilegeEscalation=false",
            setters.words()
        )
    })
}

/// Since 1.25 pods for Windows, which has no such thing, pass.
pub(super) fn escalation_but_windows(subject: Subject<'_>) -> Option<Violation> {
    escalation(subject).filter(|_| !subject.is_for_windows())
}

/// /proc is masked.
pub(super) fn proc_mount(subject: Subject<'_>) -> Option<Violation> {
    let mut setters = Setters::default();
    for container in subject.containers() {
        if let Some(kind) = container
            .context("procMount")
            .as_str()
            .filter(|kind| *kind != "Default")
        {
            setters.container(&container, "procMount");
            setters.value(kind);
        }
    }
    setters.violation("procMount", |setters| {
        format!(
            "{} must not set securityContext.procMount to {}",
            setters.words(),
            quoted(setters.values())
        )
    })
}

/// Since 1.35 pods with users of their own pass.
pub(super) fn proc_mount_but_user_namespace(subject: Subject<'_>) -> Option<Violation> {
    proc_mount(subject).filter(|_| !subject.has_user_namespace())
}

/// No container on Windows is a process of the host.
pub(super) fn windows_host_process(subject: Subject<'_>) -> Option<Violation> {
    let mut setters = Setters::default();
    if subject.context("windowsOptions")["hostProcess"] == true {
        setters.pod("windowsOptions.hostProcess");
    }
    for container in subject.containers() {
        if container.context("windowsOptions")["hostProcess"] == true {
            setters.container(&container, "windowsOptions.hostProcess");
        }
    }
    setters.violation("hostProcess", |setters| {
        format!(
            "{} must not set securityContext.windowsOptions.hostProcess=true",
            setters.words()
        )
    })
}
