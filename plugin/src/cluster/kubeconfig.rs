//! The kubeconfig: which files, which context, and the connection that they come to with kubectl's flags over them.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use kube::config::{AuthInfo, Cluster, Context, Kubeconfig, KubeconfigError};

use super::credentials::unread;
use super::error::ClusterError;
use super::proxy::Environment;
use super::{client_config, overrides, validation};
use crate::cli::connection::Connection;

/// Reads the kubeconfig that kubectl would read, and puts the flags over it.
///
/// # Errors
/// kubectl's sentence for what is wrong with them.
pub(super) fn config(flags: &Connection) -> Result<kube::Config, ClusterError> {
    let (kubeconfig, is_empty) = read(flags)?;
    let names_nothing = flags.server.is_none() && flags.context.is_none() && flags.cluster.is_none();
    if is_empty && names_nothing && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        // Inside a pod, its service account is the way in.
        if let Ok(mut config) = kube::Config::incluster() {
            config.auth_info = overrides::with_flags(config.auth_info, flags)?;
            return Ok(config);
        }
    }
    let (cluster, user, namespace) = chosen(&kubeconfig, flags)?;
    client_config::of(&cluster, user, namespace, &Environment::of_process())
}

/// What a kubeconfig names.
#[derive(Debug, Default)]
pub struct Names {
    /// Its contexts.
    pub contexts: Vec<String>,
    /// Its clusters.
    pub clusters: Vec<String>,
    /// Its users.
    pub users: Vec<String>,
}

/// What the kubeconfig names that kubectl would read; nothing where it cannot be read.
pub fn names(flags: &Connection) -> Names {
    let Ok((kubeconfig, _)) = read(flags) else {
        return Names::default();
    };
    Names {
        contexts: kubeconfig.contexts.into_iter().map(|context| context.name).collect(),
        clusters: kubeconfig.clusters.into_iter().map(|cluster| cluster.name).collect(),
        users: kubeconfig.auth_infos.into_iter().map(|user| user.name).collect(),
    }
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
        merged = merged
            .merge(read_one(path)?)
            .map_err(|error| ClusterError::Configuration(error.to_string()))?;
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
    let bad = |why: String| ClusterError::BadKubeconfig {
        path: path.to_owned(),
        why,
    };
    let kubeconfig = Kubeconfig::read_from(path).map_err(|error| {
        bad(match &error {
            KubeconfigError::Parse(error) => {
                let text = error.without_snippet().to_string();
                let line = error
                    .location()
                    .map(|place| format!("line {}: ", place.line()))
                    .unwrap_or_default();
                format!("yaml: {line}{}", text.lines().next().unwrap_or_default())
            }
            KubeconfigError::ReadConfig(error, _) => unread(path, error),
            other => other.to_string(),
        })
    })?;
    match undecodable(&kubeconfig) {
        Some(why) => Err(bad(why)),
        None => Ok(kubeconfig),
    }
}

/// Data that is not what its name says, in Go's words (`encoding/base64.CorruptInputError`).
fn undecodable(kubeconfig: &Kubeconfig) -> Option<String> {
    use secrecy::ExposeSecret;

    let clusters = kubeconfig
        .clusters
        .iter()
        .filter_map(|cluster| cluster.cluster.as_ref());
    let authorities = clusters.filter_map(|cluster| cluster.certificate_authority_data.as_deref());
    let users = kubeconfig.auth_infos.iter().filter_map(|user| user.auth_info.as_ref());
    let identities = users.flat_map(|user| {
        let key = user.client_key_data.as_ref().map(|data| data.expose_secret());
        user.client_certificate_data.as_deref().into_iter().chain(key)
    });
    authorities.chain(identities).find_map(|data| {
        let place = match BASE64.decode(data).err()? {
            base64::DecodeError::InvalidByte(place, _) | base64::DecodeError::InvalidLastSymbol(place, _) => place,
            _ => data.len(),
        };
        Some(format!("illegal base64 data at input byte {place}"))
    })
}

/// The cluster, the user and the namespace that are meant.
fn chosen(kubeconfig: &Kubeconfig, flags: &Connection) -> Result<(Cluster, AuthInfo, Option<String>), ClusterError> {
    let current = kubeconfig.current_context.clone().filter(|name| !name.is_empty());
    let context = match flags.context.clone().or(current) {
        None => Context::default(),
        Some(name) => match find_context(kubeconfig, &name) {
            Some(context) => context,
            None if flags.context.is_some() && flags.namespace.is_some() => {
                return Err(ClusterError::NoContext(name));
            }
            None => return Err(ClusterError::ContextNotFound(name)),
        },
    };
    let cluster = overrides::cluster(kubeconfig, &context, flags)?;
    let user = overrides::user(kubeconfig, &context, flags)?;
    let cluster_name = flags.cluster.as_deref().unwrap_or(&context.cluster);
    let user_name = flags.user.as_deref().or(context.user.as_deref()).unwrap_or_default();
    validation::check((cluster_name, &cluster), (user_name, &user))?;
    Ok((cluster, user, context.namespace))
}

fn find_context(kubeconfig: &Kubeconfig, name: &str) -> Option<Context> {
    let named = kubeconfig.contexts.iter().find(|context| context.name == name)?;
    Some(named.context.clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubeconfig() -> Kubeconfig {
        Kubeconfig::from_yaml(
            "clusters: [{name: c, cluster: {server: 'https://10.0.0.1:6443', tls-server-name: old}}]\n\
             contexts: [{name: x, context: {cluster: c, user: u, namespace: team}}]\n\
             users: [{name: u, user: {exec: {command: aws, apiVersion: client.authentication.k8s.io/v1beta1}}}]\n\
             current-context: x\n",
        )
        .unwrap()
    }

    fn connect(flags: &Connection) -> Result<kube::Config, ClusterError> {
        let (cluster, user, namespace) = chosen(&kubeconfig(), flags)?;
        client_config::of(&cluster, user, namespace, &Environment::default())
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
    fn data_that_is_none_is_refused_where_it_is_read() {
        let text = "users: [{name: u, user: {client-certificate-data: '???', client-key-data: bm8=}}]\n";
        let kubeconfig = Kubeconfig::from_yaml(text).unwrap();
        assert_eq!(undecodable(&kubeconfig).unwrap(), "illegal base64 data at input byte 0");
    }
}
