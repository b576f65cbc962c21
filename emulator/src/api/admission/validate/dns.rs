//! `dnsPolicy`, `dnsConfig`, `hostAliases`.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{HostAlias, PodDNSConfig};

use crate::api::admission::{
    field_error::{Errors, Path},
    names,
};

const IP_RULE: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";

/// Checks `spec.dnsPolicy`.
pub(super) fn policy(policy: &str, path: &Path, errors: &mut Errors) {
    match policy {
        "ClusterFirstWithHostNet" | "ClusterFirst" | "Default" | "None" => {}
        "" => errors.required(path, ""),
        other => {
            let all = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
            errors.not_supported(path, other, &all);
        }
    }
}

/// Checks `spec.dnsConfig`.
pub(super) fn config(config: Option<&PodDNSConfig>, policy: &str, path: &Path, errors: &mut Errors) {
    let servers = config
        .and_then(|config| config.nameservers.as_deref())
        .unwrap_or_default();
    if policy == "None" {
        if config.is_none() {
            return errors.required(path, "must provide `dnsConfig` when `dnsPolicy` is None");
        }
        if servers.is_empty() {
            return errors.required(
                &path.child("nameservers"),
                "must provide at least one DNS nameserver when `dnsPolicy` is None",
            );
        }
    }
    let Some(config) = config else { return };
    if servers.len() > 3 {
        errors.invalid(
            &path.child("nameservers"),
            servers.to_vec(),
            "must not have more than 3 nameservers",
        );
    }
    for (index, server) in servers.iter().enumerate() {
        address(server, &path.child("nameservers").index(index), errors);
    }
    let searches = config.searches.as_deref().unwrap_or_default();
    let list = path.child("searches");
    if searches.len() > 32 {
        errors.invalid(&list, searches.to_vec(), "must not have more than 32 search paths");
    }
    if searches.join(" ").len() > 2048 {
        errors.invalid(
            &list,
            searches.to_vec(),
            "must not have more than 2048 characters (including spaces) in the search list",
        );
    }
    for (index, search) in searches.iter().enumerate().filter(|(_, search)| *search != ".") {
        let search = search.strip_suffix('.').unwrap_or(search);
        // Underscores are let through: names of services have them.
        let wrong = names::dns_subdomain(&search.replace('_', "a"));
        errors.invalid_each(&list.index(index), search, wrong);
    }
    for (index, option) in config.options.iter().flatten().enumerate() {
        if option.name.as_deref().unwrap_or_default().is_empty() {
            errors.required(&path.child("options").index(index), "must not be empty");
        }
    }
}

/// Checks `spec.hostAliases`.
pub(super) fn host_aliases(aliases: &[HostAlias], path: &Path, errors: &mut Errors) {
    for (index, alias) in aliases.iter().enumerate() {
        let path = path.index(index);
        address(&alias.ip, &path.child("ip"), errors);
        for (index, name) in alias.hostnames.iter().flatten().enumerate() {
            errors.invalid_each(&path.child("hostnames").index(index), name, names::dns_subdomain(name));
        }
    }
}

/// An address in the strict form of `StrictIPCIDRValidation` (`apimachinery/pkg/util/validation/ip.go`).
fn address(text: &str, path: &Path, errors: &mut Errors) {
    match text.parse() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => {
            errors.invalid(path, text, "must not be an IPv4-mapped IPv6 address");
        }
        Ok(_) => {}
        Err(_) if without_leading_zeros(text).parse::<IpAddr>().is_ok() => {
            errors.invalid(path, text, "must not have leading 0s");
        }
        Err(_) => errors.invalid(path, text, IP_RULE),
    }
}

/// The decimal numbers of an address as they are usually written; more digits than they may have stay too many.
fn without_leading_zeros(text: &str) -> String {
    let (before, decimal) = text.split_at(text.rfind(':').map_or(0, |colon| colon + 1));
    let usual = |number: &str| {
        let digits = number.trim_start_matches('0');
        let is_short = !number.is_empty() && digits.is_empty();
        if is_short { "0".to_owned() } else { digits.to_owned() }
    };
    let numbers: Vec<String> = decimal.split('.').map(usual).collect();
    match numbers.len() {
        4 => format!("{before}{}", numbers.join(".")),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_every_reader_understands_them() {
        for (text, words) in [
            ("10.0.0.5", None),
            ("::1", None),
            ("FE80:0::0abc", None),
            ("010.000.000.005", Some("must not have leading 0s")),
            ("::ffff:1.1.1.1", Some("must not be an IPv4-mapped IPv6 address")),
            ("1.1.1.400", Some(IP_RULE)),
            ("1.1..1", Some(IP_RULE)),
            ("10.0.0.0/8", Some(IP_RULE)),
            ("", Some(IP_RULE)),
        ] {
            let mut errors = Errors::default();
            address(text, &Path::new("ip"), &mut errors);
            let errors = errors.into_inner();
            assert_eq!(errors.first().map(|error| error.detail.as_str()), words, "{text}");
        }
    }
}
