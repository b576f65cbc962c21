//! The files that the kubelet itself puts into containers: hosts, resolv.conf, hostname, the termination log.

use std::{
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use k8s_openapi::api::core::v1::{HostAlias, PodDNSConfig};

use super::{Node, Subject, sandbox};
use crate::kubelet::pod::Pod;

/// Where one container instance's termination message is written to, on the node.
pub fn termination_log(node: &Node, uid: &str, container: &str, attempt: u32) -> PathBuf {
    node.pod_files(uid)
        .join("containers")
        .join(container)
        .join(format!("{attempt}.message"))
}

/// An empty file for the container to write its last words into; anybody in it may.
///
/// # Errors
/// Where the disk refuses.
pub(super) fn make_termination_log(subject: &Subject<'_>) -> io::Result<PathBuf> {
    let path = termination_log(subject.node, &subject.pod.uid, subject.declared.name(), subject.attempt);
    write(&path, "")?;
    #[cfg(unix)]
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666))?;
    Ok(path)
}

/// Writes `/etc/hosts`, `/etc/resolv.conf` and `/etc/hostname` of a pod; returns (path in the container, path on the node).
///
/// # Errors
/// Where the disk refuses.
pub(super) fn make_etc(subject: &Subject<'_>) -> io::Result<Vec<(&'static str, PathBuf)>> {
    let (pod, node) = (subject.pod, subject.node);
    let folder = node.pod_files(&pod.uid).join("etc");
    let hosts = if pod.host_network() {
        host_network_hosts(&fs::read_to_string("/etc/hosts").unwrap_or_default(), aliases(pod))
    } else {
        let (name, domain) = match pod.spec.hostname_override.clone().filter(|name| !name.is_empty()) {
            Some(name) => (name, None),
            None => (sandbox::short_name(pod), sandbox::domain(pod)),
        };
        pod_hosts(subject.ips, &name, domain.as_deref(), aliases(pod))
    };
    let resolv_conf = resolv_conf(
        &pod.namespace,
        dns_policy(pod),
        pod.spec.dns_config.as_ref(),
        &fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
    );
    let hostname = format!("{}\n", sandbox::hostname(pod, &node.name));
    let mut made = Vec::new();
    for (path, name, content) in [
        ("/etc/hosts", "hosts", hosts),
        ("/etc/resolv.conf", "resolv.conf", resolv_conf),
        ("/etc/hostname", "hostname", hostname),
    ] {
        let file = folder.join(name);
        write(&file, &content)?;
        made.push((path, file));
    }
    Ok(made)
}

fn aliases(pod: &Pod) -> &[HostAlias] {
    pod.spec.host_aliases.as_deref().unwrap_or_default()
}

/// Writes a file that everybody may read; unchanged content is left alone, since a container may have it mounted.
fn write(path: &Path, content: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|before| before == content) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content)
}

/// `kubelet_pods.go`, `managedHostsFileContent`.
fn pod_hosts(ips: &[IpAddr], name: &str, domain: Option<&str>, aliases: &[HostAlias]) -> String {
    let mut text = String::from(
        "# Kubernetes-managed hosts file.\n\
         127.0.0.1\tlocalhost\n\
         ::1\tlocalhost ip6-localhost ip6-loopback\n\
         fe00::0\tip6-localnet\n\
         fe00::0\tip6-mcastprefix\n\
         fe00::1\tip6-allnodes\n\
         fe00::2\tip6-allrouters\n",
    );
    for ip in ips {
        match domain {
            Some(domain) => text.push_str(&format!("{ip}\t{name}.{domain}\t{name}\n")),
            None => text.push_str(&format!("{ip}\t{name}\n")),
        }
    }
    text + &alias_lines(aliases)
}

fn host_network_hosts(hosts: &str, aliases: &[HostAlias]) -> String {
    format!(
        "# Kubernetes-managed hosts file (host network).\n{hosts}{}",
        alias_lines(aliases)
    )
}

fn alias_lines(aliases: &[HostAlias]) -> String {
    if aliases.is_empty() {
        return String::new();
    }
    let lines = aliases.iter().map(|alias| {
        let names = alias.hostnames.as_deref().unwrap_or_default().join("\t");
        format!("{}\t{names}\n", alias.ip)
    });
    format!("\n# Entries added by HostAliases.\n{}", lines.collect::<String>())
}

/// The domain of cluster DNS.
const CLUSTER_DOMAIN: &str = "cluster.local";

/// The policy that counts: with the node's network `ClusterFirst` is `Default` (`network/dns/dns.go`, `getPodDNSType`).
fn dns_policy(pod: &Pod) -> &str {
    match pod.spec.dns_policy.as_deref().unwrap_or("ClusterFirst") {
        "ClusterFirst" if pod.host_network() => "Default",
        policy => policy,
    }
}

/// The resolver's configuration by dnsPolicy (`network/dns/dns.go`). The emulator has no cluster DNS: with `ClusterFirst`
/// names are completed as in every cluster, and the node's own servers are asked.
fn resolv_conf(namespace: &str, policy: &str, config: Option<&PodDNSConfig>, node: &str) -> String {
    let mut servers: Vec<String> = Vec::new();
    let mut searches: Vec<String> = Vec::new();
    let mut options: Vec<String> = Vec::new();
    if policy != "None" {
        for line in node.lines() {
            let mut words = line.split_whitespace().map(str::to_owned);
            match words.next().as_deref() {
                Some("nameserver") => servers.extend(words.take(1)),
                Some("search") => searches = words.collect(),
                Some("options") => options = words.collect(),
                _ => {}
            }
        }
    }
    if policy.starts_with("ClusterFirst") {
        let of_cluster = [
            format!("{namespace}.svc.{CLUSTER_DOMAIN}"),
            format!("svc.{CLUSTER_DOMAIN}"),
            CLUSTER_DOMAIN.to_owned(),
        ];
        searches.splice(0..0, of_cluster);
        options = vec!["ndots:5".to_owned()];
    }
    if let Some(config) = config {
        servers.extend(config.nameservers.iter().flatten().cloned());
        searches.extend(config.searches.iter().flatten().cloned());
        for option in config.options.iter().flatten() {
            let name = option.name.as_deref().unwrap_or_default();
            let text = match &option.value {
                Some(value) => format!("{name}:{value}"),
                None => name.to_owned(),
            };
            options.retain(|known| known.split(':').next() != Some(name));
            options.push(text);
        }
    }
    let unique = |list: &mut Vec<String>| {
        let mut seen = Vec::new();
        list.retain(|one| {
            !seen.contains(one) && {
                seen.push(one.clone());
                true
            }
        });
    };
    unique(&mut servers);
    unique(&mut searches);
    let mut text = String::new();
    if !searches.is_empty() {
        text.push_str(&format!("search {}\n", searches.join(" ")));
    }
    for server in servers.iter().take(3) {
        text.push_str(&format!("nameserver {server}\n"));
    }
    if !options.is_empty() {
        text.push_str(&format!("options {}\n", options.join(" ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::PodDNSConfigOption;

    #[test]
    fn hosts_name_the_pod_and_its_aliases() {
        let alias = HostAlias {
            ip: "10.1.2.3".to_owned(),
            hostnames: Some(vec!["foo".to_owned(), "bar".to_owned()]),
        };
        let text = pod_hosts(
            &["10.89.0.5".parse().unwrap()],
            "web",
            Some("sub.ns.svc.cluster.local"),
            &[alias],
        );
        assert!(text.starts_with("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"));
        assert!(text.ends_with(
            "10.89.0.5\tweb.sub.ns.svc.cluster.local\tweb\n\n# Entries added by HostAliases.\n10.1.2.3\tfoo\tbar\n"
        ));
    }

    #[test]
    fn names_are_completed_as_in_a_cluster_and_the_nodes_servers_are_asked() {
        let node = "search a b\nnameserver 1.1.1.1\noptions ndots:1\n";
        assert_eq!(
            resolv_conf("n", "ClusterFirst", None, node),
            "search n.svc.cluster.local svc.cluster.local cluster.local a b\nnameserver 1.1.1.1\noptions ndots:5\n"
        );
        let config = PodDNSConfig {
            nameservers: Some(vec!["9.9.9.9".to_owned()]),
            searches: Some(vec!["a".to_owned()]),
            options: Some(vec![PodDNSConfigOption {
                name: Some("ndots".to_owned()),
                value: Some("5".to_owned()),
            }]),
        };
        assert_eq!(
            resolv_conf("n", "None", Some(&config), node),
            "search a\nnameserver 9.9.9.9\noptions ndots:5\n"
        );
        assert_eq!(
            resolv_conf("n", "Default", Some(&config), node),
            "search a b\nnameserver 1.1.1.1\nnameserver 9.9.9.9\noptions ndots:5\n"
        );
    }
}
