//! The kubeconfig, and kubectl's flags over it.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use kube::config::{
    AuthInfo, Cluster, Context, KubeConfigOptions, Kubeconfig, KubeconfigError, NamedAuthInfo, NamedCluster,
    NamedContext,
};

use super::error::ClusterError;
use crate::cli::connection::Connection;

/// The name under which the flags' own cluster, user and context are filed; no kubeconfig uses it.
const OVERRIDDEN: &str = "\u{0}flags";

/// Where kubectl connects to when nothing tells it where.
const DEFAULT_SERVER: &str = "http://localhost:8080";

/// Reads the kubeconfig that kubectl would read, and puts the flags over it.
///
/// # Errors
/// kubectl's sentence for what is wrong with them.
pub(super) async fn config(flags: &Connection) -> Result<kube::Config, ClusterError> {
    let (kubeconfig, is_empty) = read(flags)?;
    let names_nothing = flags.server.is_none() && flags.context.is_none() && flags.cluster.is_none();
    if is_empty && names_nothing && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        // Inside a pod, its service account is the way in.
        if let Ok(config) = kube::Config::incluster() {
            return Ok(config);
        }
    }
    let (kubeconfig, options) = overridden(kubeconfig, flags)?;
    kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| unusable(&error))
}

/// The configuration for an emulator of our own: its address, its authority, and our certificate.
///
/// # Errors
/// Certificates that cannot be read.
pub(super) async fn config_of_emulator(
    connection: &emulator::emulator::Connection,
) -> Result<kube::Config, ClusterError> {
    let encoded = |pem: &str| BASE64.encode(pem);
    let cluster = Cluster {
        server: Some(connection.server.clone()),
        certificate_authority_data: Some(encoded(&connection.certificate_authority)),
        ..Cluster::default()
    };
    let user = AuthInfo {
        client_certificate_data: Some(encoded(&connection.client_certificate)),
        client_key_data: Some(encoded(&connection.client_key).into()),
        ..AuthInfo::default()
    };
    let (kubeconfig, options) = filed(Kubeconfig::default(), cluster, user, None);
    kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| unusable(&error))
}

/// Reads the files: the one that is named, those of `KUBECONFIG`, or the one in the home directory.
fn read(flags: &Connection) -> Result<(Kubeconfig, bool), ClusterError> {
    if let Some(path) = &flags.kubeconfig {
        if !path.exists() {
            return Err(ClusterError::NoKubeconfig(path.clone()));
        }
        return Ok((read_one(path)?, false));
    }
    let mut merged = Kubeconfig::default();
    let mut is_empty = true;
    for path in default_paths().iter().filter(|path| path.exists()) {
        merged = merged.merge(read_one(path)?).map_err(|error| unusable(&error))?;
        is_empty &= merged.contexts.is_empty() && merged.clusters.is_empty();
    }
    Ok((merged, is_empty))
}

fn default_paths() -> Vec<PathBuf> {
    match std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty()) {
        Some(list) => std::env::split_paths(&list)
            .filter(|path| !path.as_os_str().is_empty())
            .collect(),
        None => std::env::home_dir()
            .map(|home| home.join(".kube").join("config"))
            .into_iter()
            .collect(),
    }
}

fn read_one(path: &Path) -> Result<Kubeconfig, ClusterError> {
    Kubeconfig::read_from(path).map_err(|error| ClusterError::BadKubeconfig {
        path: path.to_owned(),
        why: match &error {
            KubeconfigError::Parse(error) => {
                let text = error.without_snippet().to_string();
                let line = error
                    .location()
                    .map(|place| format!("line {}: ", place.line()))
                    .unwrap_or_default();
                format!("yaml: {line}{}", text.lines().next().unwrap_or_default())
            }
            KubeconfigError::ReadConfig(error, _) => error.to_string(),
            other => other.to_string(),
        },
    })
}

/// Files what the flags say as a context of its own, over what they leave alone.
fn overridden(kubeconfig: Kubeconfig, flags: &Connection) -> Result<(Kubeconfig, KubeConfigOptions), ClusterError> {
    let current = kubeconfig.current_context.clone().filter(|name| !name.is_empty());
    let chosen = flags.context.clone().or(current);
    let context = match &chosen {
        None => Context::default(),
        Some(name) => match find_context(&kubeconfig, name) {
            Some(context) => context,
            None if flags.context.is_some() && flags.namespace.is_some() => {
                return Err(ClusterError::NoContext(name.clone()));
            }
            None => return Err(ClusterError::ContextNotFound(name.clone())),
        },
    };
    let cluster = overridden_cluster(&kubeconfig, &context, flags)?;
    let user = overridden_user(&kubeconfig, &context, flags)?;
    let names = (
        flags.cluster.clone().unwrap_or_else(|| context.cluster.clone()),
        flags.user.clone().or_else(|| context.user.clone()).unwrap_or_default(),
    );
    check_files(&cluster, &user, &names)?;
    let namespace = context.namespace.filter(|namespace| !namespace.is_empty());
    Ok(filed(kubeconfig, cluster, user, namespace))
}

/// Files a cluster and a user as a context of their own.
fn filed(
    mut kubeconfig: Kubeconfig,
    cluster: Cluster,
    user: AuthInfo,
    namespace: Option<String>,
) -> (Kubeconfig, KubeConfigOptions) {
    let name = OVERRIDDEN.to_owned();
    kubeconfig.clusters.push(NamedCluster {
        name: name.clone(),
        cluster: Some(cluster),
        ..NamedCluster::default()
    });
    kubeconfig.auth_infos.push(NamedAuthInfo {
        name: name.clone(),
        auth_info: Some(user),
        ..NamedAuthInfo::default()
    });
    kubeconfig.contexts.push(NamedContext {
        name: name.clone(),
        context: Some(Context {
            cluster: name.clone(),
            user: Some(name.clone()),
            namespace,
            ..Context::default()
        }),
        ..NamedContext::default()
    });
    let options = KubeConfigOptions {
        context: Some(name),
        ..KubeConfigOptions::default()
    };
    (kubeconfig, options)
}

/// Files that are named have to be there: kubectl looks before it dials, and names all that are missing.
fn check_files(
    cluster: &Cluster,
    user: &AuthInfo,
    (cluster_name, user_name): &(String, String),
) -> Result<(), ClusterError> {
    let unless_inline = |path: &Option<String>, has_data: bool| path.clone().filter(|_| !has_data);
    let authority = unless_inline(
        &cluster.certificate_authority,
        cluster.certificate_authority_data.is_some(),
    );
    let certificate = unless_inline(&user.client_certificate, user.client_certificate_data.is_some());
    let key = unless_inline(&user.client_key, user.client_key_data.is_some());
    let missing: Vec<String> = [
        ("certificate-authority", authority, cluster_name),
        ("client-cert", certificate, user_name),
        ("client-key", key, user_name),
    ]
    .into_iter()
    .filter_map(|(what, path, owner)| {
        let path = path.filter(|path| !path.is_empty())?;
        let error = std::fs::File::open(&path).err()?;
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        };
        Some(format!(
            "unable to read {what} {path} for {owner} due to open {path}: {why}"
        ))
    })
    .collect();
    match missing.as_slice() {
        [] => Ok(()),
        [one] => Err(ClusterError::Configuration(one.clone())),
        several => Err(ClusterError::Configurations(several.to_vec())),
    }
}

fn find_context(kubeconfig: &Kubeconfig, name: &str) -> Option<Context> {
    let named = kubeconfig.contexts.iter().find(|context| context.name == name)?;
    Some(named.context.clone().unwrap_or_default())
}

fn overridden_cluster(kubeconfig: &Kubeconfig, context: &Context, flags: &Connection) -> Result<Cluster, ClusterError> {
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

fn overridden_user(kubeconfig: &Kubeconfig, context: &Context, flags: &Connection) -> Result<AuthInfo, ClusterError> {
    let name = flags.user.clone().or_else(|| context.user.clone()).unwrap_or_default();
    let found = kubeconfig.auth_infos.iter().find(|user| user.name == name);
    let mut user = match found {
        Some(user) => user.auth_info.clone().unwrap_or_default(),
        None if flags.user.is_some() => return Err(ClusterError::NoUser(name)),
        None => AuthInfo::default(),
    };
    if let Some(token) = &flags.token {
        user.token = Some(token.clone().into());
        user.token_file = None;
        user.exec = None;
        user.auth_provider = None;
        user.username = None;
        user.password = None;
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
    let asks_for_more = user.impersonate_uid.is_some() || user.impersonate_groups.is_some();
    if asks_for_more && user.impersonate.is_none() {
        return Err(ClusterError::Configuration(format!(
            "requesting uid, groups or user-extra for {name} without impersonating a user"
        )));
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

fn unusable(error: &KubeconfigError) -> ClusterError {
    ClusterError::Configuration(match error {
        KubeconfigError::ParseClusterUrl(error) => format!("the server's address cannot be read: {error}"),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubeconfig() -> Kubeconfig {
        Kubeconfig::from_yaml(
            "clusters: [{name: c, cluster: {server: 'https://10.0.0.1:6443', tls-server-name: old}}]\n\
             contexts: [{name: x, context: {cluster: c, user: u, namespace: team}}]\n\
             users: [{name: u, user: {exec: {command: aws, apiVersion: v1}}}]\n\
             current-context: x\n",
        )
        .unwrap()
    }

    fn connect(flags: &Connection) -> Result<kube::Config, ClusterError> {
        let (kubeconfig, options) = overridden(kubeconfig(), flags)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime
            .block_on(kube::Config::from_custom_kubeconfig(kubeconfig, &options))
            .map_err(|error| unusable(&error))
    }

    #[test]
    fn the_current_context_is_used_where_no_flag_says_otherwise() {
        let config = connect(&Connection::default()).unwrap();
        assert_eq!(config.cluster_url.to_string(), "https://10.0.0.1:6443/");
        assert_eq!(config.default_namespace, "team");
    }

    #[test]
    fn a_server_and_a_token_replace_what_the_context_says() {
        let flags = Connection {
            server: Some("localhost:1".into()),
            token: Some("secret".into()),
            ..Connection::default()
        };
        let config = connect(&flags).unwrap();
        assert_eq!(config.cluster_url.to_string(), "http://localhost:1/");
        assert_eq!(config.tls_server_name, None);
        assert!(config.auth_info.exec.is_none());
    }

    #[test]
    fn names_that_do_not_exist_get_kubectls_sentences() {
        let said = |flags: Connection| connect(&flags).unwrap_err().to_string();
        let context = Connection {
            context: Some("x1".into()),
            ..Connection::default()
        };
        assert_eq!(
            said(context.clone()),
            "Error in configuration: context was not found for specified context: x1"
        );
        let both = Connection {
            namespace: Some("n".into()),
            ..context
        };
        assert_eq!(said(both), "error: context \"x1\" does not exist");
        let cluster = Connection {
            cluster: Some("c1".into()),
            ..Connection::default()
        };
        assert_eq!(said(cluster), "error: no server found for cluster \"c1\"");
        let user = Connection {
            user: Some("u1".into()),
            ..Connection::default()
        };
        assert_eq!(said(user), "error: auth info \"u1\" does not exist");
    }

    #[test]
    fn groups_without_a_user_are_refused() {
        let flags = Connection {
            impersonate_groups: vec!["g".into()],
            ..Connection::default()
        };
        assert!(
            connect(&flags)
                .unwrap_err()
                .to_string()
                .contains("without impersonating a user")
        );
    }
}
