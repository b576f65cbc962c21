//! The files that the kubelet itself puts into containers: hosts, resolv.conf, hostname, the termination log.

use std::{
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use k8s_openapi::api::core::v1::HostAlias;

use super::{Node, Subject, resolv_conf, sandbox};
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
    let hostname = format!("{}\n", sandbox::hostname(pod, &node.name));
    let mut made = Vec::new();
    for (path, name, content) in [
        ("/etc/hosts", "hosts", hosts),
        ("/etc/resolv.conf", "resolv.conf", resolv_conf::of_pod(pod).text),
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
