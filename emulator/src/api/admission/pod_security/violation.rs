//! Why a pod does not meet a level.

use std::collections::BTreeSet;

use super::subject::Container;

/// One check that a pod fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The check, as Kubernetes names it: `hostNamespaces`.
    pub check: &'static str,
    /// What is wrong, in few words: `host namespaces`.
    pub reason: &'static str,
    /// What exactly: `hostNetwork=true`.
    pub detail: String,
    /// The fields that have to change: `spec.hostNetwork`. A field that is missing is named all the same.
    pub fields: Vec<String>,
}

impl Violation {
    /// A violation of a check that is named later.
    pub(super) fn new(reason: &'static str, detail: impl Into<String>, fields: Vec<String>) -> Self {
        Self {
            check: "",
            reason,
            detail: detail.into(),
            fields,
        }
    }
}

/// Joins violations as a refusal lists them.
pub(super) fn details(violations: &[Violation]) -> String {
    let words: Vec<String> = violations
        .iter()
        .map(|violation| match violation.detail.as_str() {
            "" => violation.reason.to_owned(),
            detail => format!("{} ({detail})", violation.reason),
        })
        .collect();
    words.join(", ")
}

/// Joins the reasons alone, as a namespace's warnings list them.
pub(super) fn reasons(violations: &[Violation]) -> String {
    let words: Vec<&str> = violations.iter().map(|violation| violation.reason).collect();
    words.join(", ")
}

/// `"a", "b"`.
pub(super) fn quoted<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| format!("\"{}\"", item.as_ref())).collect();
    items.join(", ")
}

/// `container "a"`, `containers "a", "b"`.
pub(super) fn containers<T: AsRef<str>>(names: &[T]) -> String {
    format!("{} {}", plural("container", "containers", names.len()), quoted(names))
}

pub(super) fn plural<'a>(one: &'a str, many: &'a str, count: usize) -> &'a str {
    if count == 1 { one } else { many }
}

/// Collects who sets a forbidden value, where, and which values.
#[derive(Default)]
pub(super) struct Setters {
    pod: bool,
    names: Vec<String>,
    values: BTreeSet<String>,
    fields: Vec<String>,
}

impl Setters {
    /// The pod as a whole sets it, at `spec.securityContext.FIELD`.
    pub(super) fn pod(&mut self, field: &str) {
        self.pod = true;
        self.fields.push(format!("spec.securityContext.{field}"));
    }

    /// A container sets it, at a field of its security context.
    pub(super) fn container(&mut self, container: &Container<'_>, field: &str) {
        self.at(container, container.context_path(field));
    }

    /// A container sets it, at any field.
    pub(super) fn at(&mut self, container: &Container<'_>, field: String) {
        if self.names.last().is_none_or(|last| last != container.name) {
            self.names.push(container.name.to_owned());
        }
        self.fields.push(field);
    }

    /// A value that it is set to.
    pub(super) fn value(&mut self, value: impl Into<String>) {
        self.values.insert(value.into());
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn values(&self) -> &BTreeSet<String> {
        &self.values
    }

    /// `pod and container "a"`.
    pub(super) fn words(&self) -> String {
        match (self.pod, self.names.is_empty()) {
            (true, true) => "pod".to_owned(),
            (true, false) => format!("pod and {}", containers(&self.names)),
            (false, _) => containers(&self.names),
        }
    }

    /// The violation, where anybody sets it.
    pub(super) fn violation(self, reason: &'static str, detail: impl FnOnce(&Self) -> String) -> Option<Violation> {
        (!self.fields.is_empty()).then(|| {
            let detail = detail(&self);
            Violation::new(reason, detail, self.fields)
        })
    }
}
