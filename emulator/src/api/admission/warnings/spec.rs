//! Warnings about a pod as a whole: its name, annotations, lists, addresses.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv6Addr},
};

use serde_json::Value;

use super::{Warnings, items, text};
use crate::api::admission::{names, quantity::Quantity};

/// Annotations without effect.
const ANNOTATIONS: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/unsafe-sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
];

/// The annotation that named a pod's seccomp profile.
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
/// What is said of annotations that named seccomp profiles.
pub(super) const SECCOMP_MESSAGE: &str = "non-functional in v1.27+; use the \"seccompProfile\" field instead";

/// A name that makes no hostname.
pub(super) fn name(pod: &Value, warnings: &mut Warnings) {
    let name = pod["metadata"]["name"].as_str();
    let mistakes = name.map(names::dns_label).unwrap_or_default();
    if !mistakes.is_empty() {
        let message = format!(
            "this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [{}]",
            mistakes.join(" ")
        );
        warnings.add("metadata.name", message);
    }
}

pub(super) fn annotations(pod: &Value, warnings: &mut Warnings) {
    let annotations = &pod["metadata"]["annotations"];
    for (key, message) in ANNOTATIONS {
        if !annotations[key].is_null() {
            warnings.add(format!("metadata.annotations[{key}]"), message);
        }
    }
    if pod["spec"]["securityContext"]["seccompProfile"].is_null() && !annotations[SECCOMP_POD].is_null() {
        warnings.add(format!("metadata.annotations[{SECCOMP_POD}]"), SECCOMP_MESSAGE);
    }
}

/// Host aliases, pull secrets and the overhead.
pub(super) fn lists(spec: &Value, warnings: &mut Warnings) {
    let mut seen = HashSet::new();
    for (path, alias) in items(&spec["hostAliases"], "spec.hostAliases") {
        let ip = text(alias, "ip");
        if !seen.insert(ip) {
            warnings.add(format!("{path}.ip"), format_args!("duplicate ip {ip:?}"));
        }
    }
    let mut seen = HashSet::new();
    for (path, secret) in items(&spec["imagePullSecrets"], "spec.imagePullSecrets") {
        let name = text(secret, "name");
        let path = format!("{path}.name");
        if !seen.insert(name) {
            warnings.add(path.clone(), format_args!("duplicate name {name:?}"));
        }
        if name.is_empty() {
            warnings.add(path, format_args!("invalid empty name {name:?}"));
        }
    }
    fractions(
        &spec["overhead"],
        "spec.overhead",
        &["memory", "ephemeral-storage"],
        warnings,
    );
}

pub(super) fn grace_period(spec: &Value, warnings: &mut Warnings) {
    if spec["terminationGracePeriodSeconds"]
        .as_i64()
        .is_some_and(|seconds| seconds < 0)
    {
        warnings.add(
            "spec.terminationGracePeriodSeconds",
            "must be >= 0; negative values are invalid and will be treated as 1",
        );
    }
}

/// Amounts of bytes that are no whole number.
pub(super) fn fractions(amounts: &Value, path: &str, resources: &[&str], warnings: &mut Warnings) {
    for name in resources {
        let amount = text(amounts, name);
        if amount
            .parse::<Quantity>()
            .is_ok_and(|amount| amount.millis() % 1000 != 0)
        {
            let message = format_args!("fractional byte value {amount:?} is invalid, must be an integer");
            warnings.add(format!("{path}[{name}]"), message);
        }
    }
}

/// Addresses that are written in an unusual way. IPv4 in another than its usual form is refused.
pub(super) fn addresses(spec: &Value, warnings: &mut Warnings) {
    let servers = items(&spec["dnsConfig"]["nameservers"], "spec.dnsConfig.nameservers")
        .map(|(path, server)| (path, server.as_str().unwrap_or_default()));
    let aliases =
        items(&spec["hostAliases"], "spec.hostAliases").map(|(path, alias)| (format!("{path}.ip"), text(alias, "ip")));
    for (path, address) in servers.chain(aliases) {
        if let Ok(IpAddr::V6(parsed)) = address.parse::<IpAddr>()
            && canonical(&parsed) != address
        {
            let message = format_args!(
                "IPv6 address {address:?} should be in RFC 5952 canonical format ({:?})",
                canonical(&parsed)
            );
            warnings.add(path, message);
        }
    }
}

fn canonical(address: &Ipv6Addr) -> String {
    address.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::admission::warnings::texts;

    #[test]
    fn annotations_without_effect_are_warned_of() {
        let pod = json!({"metadata": {"annotations": {
            "foo": "bar", "scheduler.alpha.kubernetes.io/critical-pod": "true",
            "seccomp.security.alpha.kubernetes.io/pod": "default",
            "container.seccomp.security.alpha.kubernetes.io/foo": "default",
            "security.alpha.kubernetes.io/sysctls": "a,b,c", "security.alpha.kubernetes.io/unsafe-sysctls": "d,e,f",
        }}, "spec": {"containers": [{"name": "foo"}]}});
        let expected = [
            "metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the \"priorityClassName\" field instead",
            "metadata.annotations[security.alpha.kubernetes.io/sysctls]: non-functional in v1.11+; use the \"sysctls\" field instead",
            "metadata.annotations[security.alpha.kubernetes.io/unsafe-sysctls]: non-functional in v1.11+; use the \"sysctls\" field instead",
            "metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional in v1.27+; use the \"seccompProfile\" field instead",
            "metadata.annotations[container.seccomp.security.alpha.kubernetes.io/foo]: non-functional in v1.27+; use the \"seccompProfile\" field instead",
        ];
        assert_eq!(texts(&pod), expected);
        let profile = json!({"seccompProfile": {"type": "RuntimeDefault"}});
        let pod = json!({"metadata": {"annotations": {
            "seccomp.security.alpha.kubernetes.io/pod": "default",
            "container.seccomp.security.alpha.kubernetes.io/foo": "default",
        }}, "spec": {"securityContext": profile, "containers": [{"name": "foo", "securityContext": profile}]}});
        assert!(texts(&pod).is_empty());
    }

    #[test]
    fn repeated_and_empty_names_are_warned_of() {
        let pod = json!({"spec": {
            "hostAliases": [{"ip": "1.1.1.1"}, {"ip": "1.1.1.1"}, {"ip": "1.1.1.1"}],
            "imagePullSecrets": [{"name": "a"}, {"name": "a"}, {"name": ""}, {}],
        }});
        let expected = [
            "spec.hostAliases[1].ip: duplicate ip \"1.1.1.1\"",
            "spec.hostAliases[2].ip: duplicate ip \"1.1.1.1\"",
            "spec.imagePullSecrets[1].name: duplicate name \"a\"",
            "spec.imagePullSecrets[2].name: invalid empty name \"\"",
            "spec.imagePullSecrets[3].name: duplicate name \"\"",
            "spec.imagePullSecrets[3].name: invalid empty name \"\"",
        ];
        assert_eq!(texts(&pod), expected);
    }

    #[test]
    fn names_that_make_no_hostname_are_warned_of() {
        let pod = json!({"metadata": {"name": "a.b"}, "spec": {}});
        let found = texts(&pod);
        assert!(
            found[0].starts_with(
                "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is \
                 recommended: [a lowercase RFC 1123 label must consist of"
            ) && found[0].ends_with("')]"),
            "{found:?}"
        );
    }

    #[test]
    fn unusual_addresses_are_warned_of() {
        let pod = json!({"spec": {
            "dnsConfig": {"nameservers": ["1.2.3.4", "2001:DB8:0::1"]}, "hostAliases": [{"ip": "FE80::0abc"}],
        }});
        let expected = [
            "spec.dnsConfig.nameservers[1]: IPv6 address \"2001:DB8:0::1\" should be in RFC 5952 canonical format (\"2001:db8::1\")",
            "spec.hostAliases[0].ip: IPv6 address \"FE80::0abc\" should be in RFC 5952 canonical format (\"fe80::abc\")",
        ];
        assert_eq!(texts(&pod), expected);
    }
}
