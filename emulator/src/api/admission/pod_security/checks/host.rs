//! What is the node's: its namespaces, ports and files, and hosts that probes are sent to.

use serde_json::Value;

use super::super::{
    subject::Subject,
    violation::{Setters, Violation, containers, plural, quoted},
};

/// The node's namespaces are not shared.
pub(super) fn namespaces(subject: Subject<'_>) -> Option<Violation> {
    let shared: Vec<&str> = ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|field| subject.spec[*field] == true)
        .collect();
    let words: Vec<String> = shared.iter().map(|field| format!("{field}=true")).collect();
    (!shared.is_empty()).then(|| {
        Violation::new(
            "host namespaces",
            words.join(", "),
            shared.iter().map(|field| format!("spec.{field}")).collect(),
        )
    })
}

/// The node's files are not mounted.
pub(super) fn path_volumes(subject: Subject<'_>) -> Option<Violation> {
    let volumes = subject.spec["volumes"].as_array().into_iter().flatten().enumerate();
    let (names, fields): (Vec<&str>, Vec<String>) = volumes
        .filter(|(_, volume)| !volume["hostPath"].is_null())
        .map(|(index, volume)| {
            let name = volume["name"].as_str().unwrap_or_default();
            (name, format!("spec.volumes[{index}].hostPath"))
        })
        .unzip();
    (!names.is_empty()).then(|| {
        Violation::new(
            "hostPath volumes",
            format!("{} {}", plural("volume", "volumes", names.len()), quoted(&names)),
            fields,
        )
    })
}

/// The node's ports are not taken.
pub(super) fn ports(subject: Subject<'_>) -> Option<Violation> {
    let mut setters = Setters::default();
    for container in subject.containers() {
        for (index, port) in container.value["ports"].as_array().into_iter().flatten().enumerate() {
            let number = port["hostPort"].as_i64().unwrap_or_default();
            if number != 0 {
                setters.at(&container, format!("{}.ports[{index}].hostPort", container.path));
                setters.value(number.to_string());
            }
        }
    }
    setters.violation("hostPort", |setters| {
        let ports: Vec<&str> = setters.values().iter().map(String::as_str).collect();
        format!(
            "{} {} {} {}",
            setters.words(),
            plural("uses", "use", setters.names().len()),
            plural("hostPort", "hostPorts", ports.len()),
            ports.join(", ")
        )
    })
}

/// Probes and hooks are sent to the pod itself.
pub(super) fn probes(subject: Subject<'_>) -> Option<Violation> {
    let mut setters = Setters::default();
    for container in subject.containers() {
        let handlers = [
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
            "lifecycle.postStart",
            "lifecycle.preStop",
        ];
        for handler in handlers {
            let value = handler.split('.').fold(container.value, |value, step| &value[step]);
            for action in ["httpGet", "tcpSocket"] {
                if let Some(host) = value[action]["host"].as_str().filter(|host| !host.is_empty()) {
                    setters.at(&container, format!("{}.{handler}.{action}.host", container.path));
                    setters.value(host);
                }
            }
        }
    }
    setters.violation("probe or lifecycle host", |setters| {
        // Unlike every other check, this one sorts the containers.
        let mut names = setters.names().to_vec();
        names.sort_unstable();
        names.dedup();
        let hosts = setters.values();
        format!(
            "{} {} {} {}",
            containers(&names),
            plural("uses", "use", names.len()),
            plural("probe or lifecycle host", "probe or lifecycle hosts", hosts.len()),
            quoted(hosts)
        )
    })
}

/// Only volumes of kinds that lead to nothing of the node's.
pub(super) fn volume_types(subject: Subject<'_>) -> Option<Violation> {
    const ALLOWED: [&str; 9] = [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ];
    let mut names = Vec::new();
    let mut types = std::collections::BTreeSet::new();
    let mut fields = Vec::new();
    for (index, volume) in subject.spec["volumes"].as_array().into_iter().flatten().enumerate() {
        if ALLOWED.iter().any(|kind| !volume[*kind].is_null()) {
            continue;
        }
        let source = volume.as_object().into_iter().flatten();
        let mut sources = source.filter(|(key, value)| *key != "name" && !Value::is_null(value));
        // One without any is an emptyDir.
        let Some((kind, _)) = sources.next() else { continue };
        names.push(volume["name"].as_str().unwrap_or_default());
        types.insert(kind.as_str());
        fields.push(format!("spec.volumes[{index}].{kind}"));
    }
    (!names.is_empty()).then(|| {
        Violation::new(
            "restricted volume types",
            format!(
                "{} {} {} {} {}",
                plural("volume", "volumes", names.len()),
                quoted(&names),
                plural("uses", "use", names.len()),
                plural("restricted volume type", "restricted volume types", types.len()),
                quoted(types)
            ),
            fields,
        )
    })
}
