//! Who the processes of containers are.

use super::super::{
    subject::Subject,
    violation::{Setters, Violation},
};

/// Every container must refuse to run as root.
pub(super) fn non_root(subject: Subject<'_>) -> Option<Violation> {
    const REASON: &str = "runAsNonRoot != true";
    let mut roots = Setters::default();
    if subject.context("runAsNonRoot") == false {
        roots.pod("runAsNonRoot");
    }
    let mut unset = Setters::default();
    let pod_decides = subject.context("runAsNonRoot") == true;
    for container in subject.containers() {
        match container.context("runAsNonRoot").as_bool() {
            Some(true) => {}
            Some(false) => roots.container(&container, "runAsNonRoot"),
            None if pod_decides => {}
            None => unset.container(&container, "runAsNonRoot"),
        }
    }
    let explicit = roots.violation(REASON, |setters| {
        format!("{} must not set securityContext.runAsNonRoot=false", setters.words())
    });
    explicit.or_else(|| {
        unset.violation(REASON, |setters| {
            format!("pod or {} must set securityContext.runAsNonRoot=true", setters.words())
        })
    })
}

/// Since 1.35 pods with users of their own pass.
pub(super) fn non_root_but_user_namespace(subject: Subject<'_>) -> Option<Violation> {
    non_root(subject).filter(|_| !subject.has_user_namespace())
}

/// No container is told to run as root.
pub(super) fn user(subject: Subject<'_>) -> Option<Violation> {
    let mut setters = Setters::default();
    if *subject.context("runAsUser") == 0 {
        setters.pod("runAsUser");
    }
    for container in subject.containers() {
        if *container.context("runAsUser") == 0 {
            setters.container(&container, "runAsUser");
        }
    }
    setters.violation("runAsUser=0", |setters| {
        format!("{} must not set runAsUser=0", setters.words())
    })
}

/// Since 1.35 pods with users of their own pass.
pub(super) fn user_but_user_namespace(subject: Subject<'_>) -> Option<Violation> {
    user(subject).filter(|_| !subject.has_user_namespace())
}
