//! kubectl's flags over what the kubeconfig says of a cluster and a user (`client-go/tools/clientcmd/overrides.go`).

use std::collections::HashMap;

use kube::config::{AuthInfo, Cluster, Context, Kubeconfig};

use super::error::ClusterError;
use crate::cli::connection::Connection;

/// Where kubectl connects to when nothing tells it where.
const DEFAULT_SERVER: &str = "http://localhost:8080";

/// The cluster of a context, with the flags over it.
///
/// # Errors
/// That `--cluster` names none.
pub(super) fn cluster(kubeconfig: &Kubeconfig, context: &Context, flags: &Connection) -> Result<Cluster, ClusterError> {
    let name = flags.cluster.as_ref().unwrap_or(&context.cluster);
    let found = kubeconfig.clusters.iter().find(|cluster| &cluster.name == name);
    let mut cluster = match found {
        Some(cluster) => cluster.cluster.clone().unwrap_or_default(),
        None if flags.cluster.is_some() && flags.server.is_none() => return Err(ClusterError::NoCluster(name.clone())),
        None => Cluster::default(),
    };
    if let Some(server) = &flags.server {
        cluster.server = Some(with_scheme(server));
        // The name that the old server answered to is not the new one's.
        cluster.tls_server_name = None;
    }
    cluster.server.get_or_insert_with(|| DEFAULT_SERVER.to_owned());
    if let Some(name) = &flags.tls_server_name {
        cluster.tls_server_name = Some(name.clone());
    }
    if let Some(url) = &flags.proxy_url {
        cluster.proxy_url = Some(url.clone());
    }
    if let Some(path) = &flags.certificate_authority {
        cluster.certificate_authority = Some(path.display().to_string());
        cluster.certificate_authority_data = None;
    }
    if flags.insecure_skip_tls_verify {
        cluster.insecure_skip_tls_verify = Some(true);
        if flags.certificate_authority.is_none() {
            cluster.certificate_authority = None;
            cluster.certificate_authority_data = None;
        }
    }
    Ok(cluster)
}

/// The user of a context, with the flags over it.
///
/// # Errors
/// That `--user` names none; further properties of a user that are no pairs.
pub(super) fn user(kubeconfig: &Kubeconfig, context: &Context, flags: &Connection) -> Result<AuthInfo, ClusterError> {
    let name = flags.user.clone().or_else(|| context.user.clone()).unwrap_or_default();
    let found = kubeconfig.auth_infos.iter().find(|user| user.name == name);
    let user = match found {
        Some(user) => user.auth_info.clone().unwrap_or_default(),
        None if flags.user.is_some() => return Err(ClusterError::NoUser(name)),
        None => AuthInfo::default(),
    };
    with_flags(user, flags)
}

/// A user with the flags over it.
///
/// # Errors
/// Further properties of a user that are no pairs.
pub(super) fn with_flags(mut user: AuthInfo, flags: &Connection) -> Result<AuthInfo, ClusterError> {
    let logs_in_by_name = flags.username.is_some() || flags.password.is_some();
    if flags.token.is_some() || logs_in_by_name {
        // One way to log in takes the place of another; a certificate stays.
        user.token = None;
        user.token_file = None;
        user.exec = None;
        user.auth_provider = None;
        user.username = None;
        user.password = None;
    }
    if let Some(token) = &flags.token {
        user.token = Some(token.clone().into());
    }
    if logs_in_by_name {
        user.username = Some(flags.username.clone().unwrap_or_default());
        user.password = Some(flags.password.clone().unwrap_or_default().into());
    }
    if let Some(path) = &flags.client_certificate {
        user.client_certificate = Some(path.display().to_string());
        user.client_certificate_data = None;
    }
    if let Some(path) = &flags.client_key {
        user.client_key = Some(path.display().to_string());
        user.client_key_data = None;
    }
    if flags.impersonate.is_some() {
        user.impersonate.clone_from(&flags.impersonate);
    }
    if flags.impersonate_uid.is_some() {
        user.impersonate_uid.clone_from(&flags.impersonate_uid);
    }
    if !flags.impersonate_groups.is_empty() {
        user.impersonate_groups = Some(flags.impersonate_groups.clone());
    }
    if !flags.impersonate_extra.is_empty() {
        let mut extra: HashMap<String, Vec<String>> = HashMap::new();
        for pair in &flags.impersonate_extra {
            let (key, value) = pair.split_once('=').ok_or_else(|| {
                ClusterError::Configuration(format!(
                    "invalid user extra {pair:?}: expected --as-user-extra KEY=VALUE"
                ))
            })?;
            extra.entry(key.to_owned()).or_default().push(value.to_owned());
        }
        user.impersonate_user_extra = Some(extra);
    }
    Ok(user)
}

/// A server without a scheme is spoken to without TLS, as kubectl does it.
fn with_scheme(server: &str) -> String {
    if server.contains("://") {
        server.to_owned()
    } else {
        format!("http://{server}")
    }
}
