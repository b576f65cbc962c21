//! One container: what it runs, how it is, what it gets.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ContainerPort, LifecycleHandler};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{environment, security, state};
use crate::pod::container::{Container, Role};
use crate::pod::{Facts, probe};
use crate::view::sheet::Sheet;
use crate::view::text::{Line, Tone};

/// The heading of a section.
pub fn title(text: &str) -> Line {
    Line::new().tone(Tone::Heading, text)
}

/// Describes one container.
pub fn lines(facts: &Facts, container: &Container) -> Vec<Line> {
    let mut heading = Line::from("  ").tone(Tone::Heading, format!("{}:", container.name));
    if container.role == Role::Sidecar {
        heading = heading.tone(
            Tone::Faint,
            "  sidecar: runs beside the containers until they have ended",
        );
    }
    let mut lines = vec![heading];
    let mut sheet = Sheet::new();
    state::rows(facts, container, &mut sheet);
    program(container, &mut sheet);
    restarting(facts, container, &mut sheet);
    for (kind, probe) in container.probes() {
        let line = Line::from(probe::line(probe));
        sheet.pair(4, kind, line);
        sheet.pair(4, "", Line::new().tone(Tone::Faint, probe::consequence(kind, probe)));
    }
    hooks(facts, container, &mut sheet);
    resources(container, &mut sheet);
    environment::rows(facts, container, &mut sheet);
    mounts(container, &mut sheet);
    security::container_rows(container, &mut sheet);
    lines.extend(sheet.lines(20));
    lines
}

fn program(container: &Container, sheet: &mut Sheet) {
    let spec = &container.spec;
    let status = container.status.as_ref();
    sheet.maybe(4, "Container ID", status.and_then(|status| status.container_id.clone()));
    let mut image = Line::from(spec.image.clone().unwrap_or_default());
    if let Some(policy) = &spec.image_pull_policy {
        image = image.tone(Tone::Faint, format!("  (pull: {policy})"));
    }
    sheet.pair(4, "Image", image);
    sheet.maybe(
        4,
        "Image ID",
        status.map(|status| status.image_id.clone()).filter(|id| !id.is_empty()),
    );
    sheet.maybe(4, "Target Container", container.target.clone());
    let ports: Vec<&ContainerPort> = spec.ports.iter().flatten().collect();
    let protocol = |port: &ContainerPort| port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
    if !ports.is_empty() {
        let shown = ports.iter().map(|port| {
            let name = port
                .name
                .as_deref()
                .map(|name| format!(" ({name})"))
                .unwrap_or_default();
            format!("{}/{}{name}", port.container_port, protocol(port))
        });
        sheet.pair(
            4,
            if ports.len() == 1 { "Port" } else { "Ports" },
            shown.collect::<Vec<_>>().join(", "),
        );
        let hosts = ports
            .iter()
            .map(|port| format!("{}/{}", port.host_port.unwrap_or(0), protocol(port)));
        sheet.pair(
            4,
            if ports.len() == 1 { "Host Port" } else { "Host Ports" },
            hosts.collect::<Vec<_>>().join(", "),
        );
    }
    for (name, words) in [("Command", &spec.command), ("Args", &spec.args)] {
        if let Some(words) = words.as_ref().filter(|words| !words.is_empty()) {
            sheet.block(
                4,
                name,
                words.iter().flat_map(|word| word.split('\n').map(str::to_owned)),
            );
        }
    }
    sheet.maybe(
        4,
        "Working Dir",
        spec.working_dir.clone().filter(|path| !path.is_empty()),
    );
    let terminal = match (spec.stdin == Some(true), spec.tty == Some(true)) {
        (true, true) => Some("standard input and a terminal"),
        (true, false) => Some("standard input"),
        (false, true) => Some("a terminal"),
        (false, false) => None,
    };
    sheet.maybe(4, "Keeps Open", terminal);
}

/// Where the container's own rules differ from the pod's policy.
fn restarting(facts: &Facts, container: &Container, sheet: &mut Sheet) {
    let spec = &container.spec;
    if let Some(policy) = spec.restart_policy.as_deref()
        && container.role != Role::Sidecar
    {
        sheet.pair(
            4,
            "Restart Policy",
            format!("{policy} (the pod's is {})", facts.restart_policy()),
        );
    }
    for rule in spec.restart_policy_rules.iter().flatten() {
        let codes = rule.exit_codes.as_ref().map(|codes| {
            let values: Vec<String> = codes.values.iter().flatten().map(ToString::to_string).collect();
            format!(" on exit code {} {}", codes.operator, values.join(", "))
        });
        sheet.pair(
            4,
            "Restart Rule",
            format!("{}{}", rule.action, codes.unwrap_or_default()),
        );
    }
    let path = spec
        .termination_message_path
        .as_deref()
        .filter(|path| *path != "/dev/termination-log");
    sheet.maybe(4, "Termination File", path);
    let policy = spec
        .termination_message_policy
        .as_deref()
        .filter(|policy| *policy != "File");
    sheet.maybe(4, "Termination Text", policy);
}

fn hooks(facts: &Facts, container: &Container, sheet: &mut Sheet) {
    let Some(lifecycle) = &container.spec.lifecycle else {
        return;
    };
    if let Some(hook) = &lifecycle.post_start {
        sheet.pair(4, "After Start", handler(hook));
        let consequence = "what follows waits for it; its failure kills the container";
        sheet.pair(4, "", Line::new().tone(Tone::Faint, consequence));
    }
    if let Some(hook) = &lifecycle.pre_stop {
        sheet.pair(4, "Before Stop", handler(hook));
        let consequence = format!(
            "spends from the pod's grace of {}s; the stop signal follows",
            facts.grace_seconds()
        );
        sheet.pair(4, "", Line::new().tone(Tone::Faint, consequence));
    }
    sheet.maybe(4, "Stop Signal", lifecycle.stop_signal.clone());
}

fn handler(hook: &LifecycleHandler) -> String {
    if let Some(exec) = &hook.exec {
        return format!(
            "exec [{}]",
            exec.command.iter().flatten().cloned().collect::<Vec<_>>().join(" ")
        );
    }
    if let Some(http) = &hook.http_get {
        return format!("http-get {}", probe::url(http));
    }
    if let Some(sleep) = &hook.sleep {
        return format!("sleep {}s", sleep.seconds);
    }
    if let Some(tcp) = &hook.tcp_socket {
        return format!(
            "tcp-socket {}:{}",
            tcp.host.as_deref().unwrap_or_default(),
            probe::port(&tcp.port)
        );
    }
    "unknown".to_owned()
}

fn resources(container: &Container, sheet: &mut Sheet) {
    let asked = container.spec.resources.as_ref();
    quantities(sheet, 4, "Limits", asked.and_then(|asked| asked.limits.as_ref()));
    quantities(sheet, 4, "Requests", asked.and_then(|asked| asked.requests.as_ref()));
    let granted = container.status.as_ref().and_then(|status| status.resources.as_ref());
    let (Some(asked), Some(granted)) = (asked, granted) else {
        return;
    };
    // While a resize is on its way, what the container has is not what it asks for.
    if granted.limits.is_some() && granted.limits != asked.limits {
        quantities(sheet, 4, "Limits In Force", granted.limits.as_ref());
    }
    if granted.requests.is_some() && granted.requests != asked.requests {
        quantities(sheet, 4, "Requests In Force", granted.requests.as_ref());
    }
    for policy in container
        .spec
        .resize_policy
        .iter()
        .flatten()
        .filter(|policy| policy.restart_policy != "NotRequired")
    {
        let words = format!("a change of {} restarts the container", policy.resource_name);
        sheet.pair(4, "Resize Policy", words);
    }
}

/// Quantities below a heading; nothing where there are none.
pub(super) fn quantities(
    sheet: &mut Sheet,
    indent: usize,
    name: &str,
    quantities: Option<&BTreeMap<String, Quantity>>,
) {
    let Some(quantities) = quantities.filter(|quantities| !quantities.is_empty()) else {
        return;
    };
    sheet.heading(indent, name);
    for (resource, quantity) in quantities {
        sheet.pair(indent + 2, resource.as_str(), quantity.0.as_str());
    }
}

fn mounts(container: &Container, sheet: &mut Sheet) {
    let mut mounts: Vec<_> = container.spec.volume_mounts.iter().flatten().collect();
    mounts.sort_by(|one, other| one.mount_path.cmp(&other.mount_path));
    let lines = mounts.iter().map(|mount| {
        let mut flags = vec![if mount.read_only == Some(true) {
            "ro".to_owned()
        } else {
            "rw".to_owned()
        }];
        flags.extend(
            mount
                .sub_path
                .iter()
                .filter(|path| !path.is_empty())
                .map(|path| format!("path={path:?}")),
        );
        flags.extend(mount.sub_path_expr.iter().map(|path| format!("pathExpr={path:?}")));
        flags.extend(
            mount
                .mount_propagation
                .iter()
                .filter(|mode| *mode != "None")
                .map(|mode| format!("propagation={mode}")),
        );
        flags.extend(
            mount
                .recursive_read_only
                .iter()
                .filter(|mode| *mode != "Disabled")
                .map(|mode| format!("recursiveReadOnly={mode}")),
        );
        format!("{} from {} ({})", mount.mount_path, mount.name, flags.join(","))
    });
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        sheet.block(4, "Mounts", lines);
    }
    let devices: Vec<String> = container
        .spec
        .volume_devices
        .iter()
        .flatten()
        .map(|device| format!("{} from {}", device.device_path, device.name))
        .collect();
    if !devices.is_empty() {
        sheet.block(4, "Devices", devices);
    }
}
