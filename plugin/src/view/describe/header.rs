//! Who the pod is, where it runs, and how it is.

use std::collections::BTreeMap;

use crate::pod::condition::Verdict;
use crate::pod::{Facts, age};
use crate::view::moment;
use crate::view::sheet::Sheet;
use crate::view::text::{Line, Tone};

/// What `kubectl apply` keeps for itself: a copy of what is described here anyway.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Which pod it is, and how it is: what is to be read first.
pub fn lines(facts: &Facts) -> Vec<Line> {
    let mut sheet = Sheet::new();
    sheet.pair(0, "Name", Line::new().tone(Tone::Heading, facts.name.as_str()));
    sheet.pair(0, "Namespace", facts.namespace.as_str());
    status(facts, &mut sheet);
    sheet.lines(18)
}

/// Where it runs, as whom, and what it is called by.
pub fn identity_lines(facts: &Facts) -> Vec<Line> {
    let mut sheet = Sheet::new();
    identity(facts, &mut sheet);
    let metadata = &facts.pod.metadata;
    sheet.column(0, "Labels", pairs(metadata.labels.as_ref(), "="));
    annotations(facts, &mut sheet);
    let status = facts.status();
    sheet.pair(
        0,
        "IP",
        status.and_then(|status| status.pod_ip.clone()).unwrap_or_default(),
    );
    let ips: Vec<String> = status
        .iter()
        .flat_map(|status| status.pod_ips.iter().flatten())
        .map(|address| address.ip.clone())
        .collect();
    if !ips.is_empty() {
        sheet.column(0, "IPs", ips);
    }
    for owner in metadata.owner_references.iter().flatten() {
        let name = if owner.controller == Some(true) {
            "Controlled By"
        } else {
            "Owned By"
        };
        sheet.pair(0, name, format!("{}/{}", owner.kind, owner.name));
    }
    sheet.maybe(
        0,
        "NominatedNodeName",
        status
            .and_then(|status| status.nominated_node_name.clone())
            .filter(|name| !name.is_empty()),
    );
    sheet.lines(18)
}

fn status(facts: &Facts, sheet: &mut Sheet) {
    if facts.is_manifest() {
        sheet.pair(0, "Status", "not created: this is a manifest");
        return;
    }
    let computed = &facts.computed;
    let mut line = Line::new().tone(tone(facts), computed.status.as_str());
    if computed.status != facts.phase {
        line = line.plain(format!("  (phase {})", facts.phase));
    }
    line = line.tone(Tone::Faint, format!("  {}/{} ready", computed.ready, computed.total));
    if computed.restarts > 0 {
        let last = computed
            .last_restart
            .map(|time| format!(", the last {} ago", age::between(time, facts.now)));
        let plural = if computed.restarts == 1 { "" } else { "s" };
        line = line.tone(
            Tone::Faint,
            format!(", {} restart{plural}{}", computed.restarts, last.unwrap_or_default()),
        );
    }
    sheet.pair(0, "Status", line);
    if let Some(status) = facts.status() {
        sheet.maybe(0, "Reason", status.reason.clone().filter(|reason| !reason.is_empty()));
        if let Some(message) = status.message.as_deref().filter(|message| !message.is_empty()) {
            sheet.text(0, "Message", message);
        }
    }
    termination(facts, sheet);
}

fn termination(facts: &Facts, sheet: &mut Sheet) {
    let Some(termination) = &facts.termination else {
        return;
    };
    let remaining = termination.remaining(facts.now);
    let words = if termination.is_overdue(facts.now) {
        format!("the grace ran out {} ago", age::human(-remaining))
    } else {
        format!("{} left of the grace", age::human(remaining))
    };
    let mut line = Line::new().tone(Tone::Warning, words);
    if let Some(requested) = termination.requested() {
        line = line.tone(
            Tone::Faint,
            format!(", asked for {} ago", age::between(requested, facts.now)),
        );
    }
    sheet.pair(0, "Terminating", line);
    if let Some(grace) = termination.grace {
        sheet.pair(0, "Termination Grace Period", format!("{}s", grace.as_secs()));
    }
    if !termination.finalizers.is_empty() {
        sheet.column(0, "Held By Finalizers", termination.finalizers.iter().cloned());
    }
}

fn tone(facts: &Facts) -> Tone {
    match facts.computed.status.as_str() {
        "Completed" | "Succeeded" => Tone::Good,
        "Running"
            if facts
                .condition("Ready")
                .is_some_and(|ready| ready.verdict() == Verdict::Good) =>
        {
            Tone::Good
        }
        "Running" | "Pending" | "Terminating" | "ContainerCreating" | "PodInitializing" | "NotReady"
        | "SchedulingGated" => Tone::Warning,
        status if status.starts_with("Init:") && status.contains('/') => Tone::Warning,
        _ => Tone::Bad,
    }
}

fn identity(facts: &Facts, sheet: &mut Sheet) {
    let (Some(spec), status) = (facts.spec(), facts.status()) else {
        return;
    };
    if let Some(pod) = &facts.static_pod {
        let node = pod
            .node
            .as_deref()
            .map(|node| format!(" of node {node}"))
            .unwrap_or_default();
        let words = match pod.source.as_str() {
            "file" => {
                format!("static: from a file in the kubelet's staticPodPath{node}, usually /etc/kubernetes/manifests")
            }
            other => format!("static: from the kubelet's {other} source{node}"),
        };
        sheet.pair(0, "Source", words);
        if let Some(mirror) = &pod.mirror {
            let what = "this is its mirror; its events carry the kubelet's own UID ";
            sheet.pair(0, "Mirror", Line::from(what).plain(mirror.as_str()));
        }
    }
    let node = match (&spec.node_name, status.and_then(|status| status.host_ip.as_ref())) {
        (Some(node), Some(address)) => format!("{node}/{address}"),
        (Some(node), None) => node.clone(),
        (None, _) => "<none>".to_owned(),
    };
    sheet.pair(0, "Node", node);
    if let Some(started) = status.and_then(|status| status.start_time.as_ref()) {
        sheet.pair(0, "Start Time", moment::with_age(started.0, facts.now));
    } else if let Some(created) = facts.created() {
        sheet.pair(0, "Created", moment::with_age(created, facts.now));
    }
    sheet.maybe(0, "Priority", spec.priority.map(|priority| priority.to_string()));
    sheet.maybe(
        0,
        "Priority Class Name",
        spec.priority_class_name.clone().filter(|name| !name.is_empty()),
    );
    sheet.maybe(0, "Runtime Class Name", spec.runtime_class_name.clone());
    sheet.maybe(
        0,
        "Service Account",
        spec.service_account_name.clone().filter(|name| !name.is_empty()),
    );
    sheet.maybe(0, "QoS Class", status.and_then(|status| status.qos_class.clone()));
    sheet.pair(0, "Restart Policy", facts.restart_policy());
    if facts.termination.is_none() {
        sheet.pair(
            0,
            "Grace Period",
            format!("{}s to end by itself when deleted", facts.grace_seconds()),
        );
    }
    let deadline = spec
        .active_deadline_seconds
        .map(|seconds| format!("{seconds}s from its start, then it is failed"));
    sheet.maybe(0, "Active Deadline", deadline);
    let hostname = spec.hostname.clone().map(|name| match &spec.subdomain {
        Some(subdomain) => format!("{name}.{subdomain}"),
        None => name,
    });
    sheet.maybe(0, "Hostname", hostname);
}

fn annotations(facts: &Facts, sheet: &mut Sheet) {
    let annotations: Vec<(&String, &String)> = facts
        .pod
        .metadata
        .annotations
        .iter()
        .flatten()
        .filter(|(key, _)| *key != LAST_APPLIED)
        .collect();
    if annotations.is_empty() {
        sheet.pair(0, "Annotations", "<none>");
        return;
    }
    for (number, (key, value)) in annotations.into_iter().enumerate() {
        let name = if number == 0 { "Annotations" } else { "" };
        let lines: Vec<&str> = value.trim_end().lines().collect();
        match lines.as_slice() {
            [line] if line.len() <= 140 => sheet.pair(0, name, format!("{key}: {line}")),
            lines => {
                sheet.pair(0, name, format!("{key}:"));
                for line in lines {
                    sheet.pair(0, "", format!("  {line}"));
                }
            }
        }
    }
}

/// A map as `key=value`, one a line.
pub(super) fn pairs(map: Option<&BTreeMap<String, String>>, between: &str) -> Vec<String> {
    map.into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}{between}{value}"))
        .collect()
}
