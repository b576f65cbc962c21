//! What client-go checks in a kubeconfig before it dials: all that is wrong is said at once
//! (`client-go/tools/clientcmd/validation.go`).

use std::fs::File;
use std::io::IsTerminal;
use std::path::Path;

use kube::config::{AuthInfo, AuthProviderConfig, Cluster, ExecConfig, ExecInteractiveMode};

use super::credentials::unread;
use super::error::ClusterError;
use super::proxy;

/// Checks a cluster and a user, both with the names that the kubeconfig has for them.
///
/// # Errors
/// What is wrong, in client-go's words.
pub(super) fn check(cluster: (&str, &Cluster), user: (&str, &AuthInfo)) -> Result<(), ClusterError> {
    let mut wrong = of_user(user.0, user.1);
    wrong.extend(of_cluster(cluster.0, cluster.1));
    match wrong.as_slice() {
        [] => {}
        [one] => return Err(ClusterError::Configuration(one.clone())),
        _ => return Err(ClusterError::Configurations(wrong)),
    }
    if cluster.1.insecure_skip_tls_verify == Some(true)
        && (is_set(&cluster.1.certificate_authority) || is_set(&cluster.1.certificate_authority_data))
    {
        return Err(ClusterError::Configuration(
            "specifying a root certificates file with the insecure flag is not allowed".to_owned(),
        ));
    }
    match (&user.1.auth_provider, &user.1.exec) {
        (Some(provider), _) => check_provider(provider).map_err(ClusterError::Configuration),
        (None, Some(plugin)) => check_plugin(plugin, std::io::stdin().is_terminal()),
        (None, None) => Ok(()),
    }
}

fn of_cluster(name: &str, cluster: &Cluster) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(url) = cluster.proxy_url.as_deref().filter(|url| !url.is_empty())
        && let Err(why) = proxy::parse(url)
    {
        wrong.push(format!("invalid 'proxy-url' {url:?} for cluster {name:?}: {why}"));
    }
    if is_set(&cluster.certificate_authority) && is_set(&cluster.certificate_authority_data) {
        wrong.push(format!(
            "certificate-authority-data and certificate-authority are both specified for {name}. \
             certificate-authority-data will override."
        ));
    }
    wrong.extend(unreadable(
        "certificate-authority",
        cluster.certificate_authority.as_deref(),
        name,
    ));
    wrong
}

fn of_user(name: &str, user: &AuthInfo) -> Vec<String> {
    let mut wrong = Vec::new();
    let has_certificate = is_set(&user.client_certificate) || is_set(&user.client_certificate_data);
    if has_certificate {
        if is_set(&user.client_certificate) && is_set(&user.client_certificate_data) {
            wrong.push(format!(
                "client-cert-data and client-cert are both specified for {name}. client-cert-data will override."
            ));
        }
        if is_set(&user.client_key) && user.client_key_data.is_some() {
            wrong.push(format!(
                "client-key-data and client-key are both specified for {name}; client-key-data will override"
            ));
        }
        if !is_set(&user.client_key) && user.client_key_data.is_none() {
            wrong.push(format!(
                "client-key-data or client-key must be specified for {name} to use the clientCert authentication method."
            ));
        }
        wrong.extend(unreadable("client-cert", user.client_certificate.as_deref(), name));
        wrong.extend(unreadable("client-key", user.client_key.as_deref(), name));
    }
    if let Some(plugin) = &user.exec {
        if user.auth_provider.is_some() {
            wrong.push(format!(
                "authProvider cannot be provided in combination with an exec plugin for {name}"
            ));
        }
        wrong.extend(of_plugin(name, plugin));
    }
    let methods: Vec<&str> = [
        user.token.is_some().then_some("token"),
        (is_set(&user.username) || user.password.is_some()).then_some("basicAuth"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if methods.len() > 1 {
        wrong.push(format!(
            "more than one authentication method found for {name}; found [{}], only one is allowed",
            methods.join(" ")
        ));
    }
    let asks_for_more =
        user.impersonate_uid.is_some() || user.impersonate_groups.is_some() || user.impersonate_user_extra.is_some();
    if asks_for_more && !is_set(&user.impersonate) {
        wrong.push(format!(
            "requesting uid, groups or user-extra for {name} without impersonating a user"
        ));
    }
    wrong
}

fn of_plugin(name: &str, plugin: &ExecConfig) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut lacks = |what: &str| {
        wrong.push(format!(
            "{what} must be specified for {name} to use exec authentication plugin"
        ));
    };
    if !is_set(&plugin.command) {
        lacks("command");
    }
    if !is_set(&plugin.api_version) {
        lacks("apiVersion");
    }
    let variables = plugin.env.iter().flatten();
    if variables
        .into_iter()
        .any(|variable| variable.get("name").is_none_or(String::is_empty))
    {
        lacks("env variable name");
    }
    // v1 asks for it; before, it was `IfAvailable` where it was not said.
    let is_v1 = plugin.api_version.as_deref() == Some("client.authentication.k8s.io/v1");
    if is_v1 && plugin.interactive_mode.is_none() {
        lacks("interactiveMode");
    }
    wrong
}

fn check_plugin(plugin: &ExecConfig, has_terminal: bool) -> Result<(), ClusterError> {
    let version = plugin.api_version.as_deref().unwrap_or_default();
    if !matches!(
        version,
        "client.authentication.k8s.io/v1" | "client.authentication.k8s.io/v1beta1"
    ) {
        return Err(ClusterError::Configuration(format!(
            "exec plugin: invalid apiVersion {version:?}"
        )));
    }
    if plugin.interactive_mode == Some(ExecInteractiveMode::Always) && !has_terminal {
        return Err(ClusterError::Unreachable(
            "getting credentials: exec plugin cannot support interactive mode: standard input is not a terminal"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Providers inside the client are gone, all but one (`client-go/plugin/pkg/client/auth`).
fn check_provider(provider: &AuthProviderConfig) -> Result<(), String> {
    match provider.name.as_str() {
        "oidc" => Ok(()),
        "gcp" => Err("The gcp auth plugin has been removed.\nPlease use the \"gke-gcloud-auth-plugin\" \
                      kubectl/client-go credential plugin instead.\nSee \
                      https://cloud.google.com/blog/products/containers-kubernetes/kubectl-auth-changes-in-gke for \
                      further details"
            .to_owned()),
        "azure" => Err("The azure auth plugin has been removed.\nPlease use the https://github.com/Azure/kubelogin \
                        kubectl/client-go credential plugin instead.\nSee \
                        https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins \
                        for further details"
            .to_owned()),
        other => Err(format!("no Auth Provider found for name {other:?}")),
    }
}

/// Files that are named have to be there.
fn unreadable(what: &str, path: Option<&str>, owner: &str) -> Option<String> {
    let path = path.filter(|path| !path.is_empty())?;
    let error = File::open(path).err()?;
    Some(format!(
        "unable to read {what} {path} for {owner} due to {}",
        unread(Path::new(path), &error)
    ))
}

fn is_set(field: &Option<String>) -> bool {
    field.as_ref().is_some_and(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(user: AuthInfo) -> String {
        check(("c", &Cluster::default()), ("u", &user)).unwrap_err().to_string()
    }

    #[test]
    fn two_ways_to_log_in_are_one_too_many() {
        let user = AuthInfo {
            token: Some("t".to_owned().into()),
            username: Some("n".into()),
            ..AuthInfo::default()
        };
        assert_eq!(
            said(user),
            "error: more than one authentication method found for u; found [token basicAuth], only one is allowed"
        );
    }

    #[test]
    fn all_that_a_plugin_lacks_is_said_at_once() {
        let user = AuthInfo {
            exec: Some(ExecConfig::default()),
            ..AuthInfo::default()
        };
        assert_eq!(
            said(user),
            "Error in configuration: \n* command must be specified for u to use exec authentication plugin\n* apiVersion \
             must be specified for u to use exec authentication plugin"
        );
    }

    #[test]
    fn a_plugin_that_asks_needs_a_terminal() {
        let plugin = ExecConfig {
            command: Some("x".into()),
            api_version: Some("client.authentication.k8s.io/v1".into()),
            interactive_mode: Some(ExecInteractiveMode::Always),
            ..ExecConfig::default()
        };
        assert!(check_plugin(&plugin, true).is_ok());
        assert!(
            check_plugin(&plugin, false)
                .unwrap_err()
                .to_string()
                .contains("not a terminal")
        );
    }

    #[test]
    fn providers_that_are_gone_are_said_by_name() {
        for (name, words) in [
            ("gcp", "gke-gcloud-auth-plugin"),
            ("azure", "kubelogin"),
            ("own", "no Auth Provider found for name \"own\""),
        ] {
            let provider = AuthProviderConfig {
                name: name.into(),
                ..AuthProviderConfig::default()
            };
            assert!(check_provider(&provider).unwrap_err().contains(words), "{name}");
        }
    }

    #[test]
    fn groups_without_a_user_are_refused() {
        let user = AuthInfo {
            impersonate_groups: Some(vec!["g".into()]),
            ..AuthInfo::default()
        };
        assert!(said(user).contains("without impersonating a user"));
    }

    #[test]
    fn a_proxy_of_an_unknown_kind_is_refused() {
        let cluster = Cluster {
            proxy_url: Some("nonsense".into()),
            ..Cluster::default()
        };
        assert_eq!(
            check(("c", &cluster), ("u", &AuthInfo::default()))
                .unwrap_err()
                .to_string(),
            "error: invalid 'proxy-url' \"nonsense\" for cluster \"c\": unsupported scheme \"\", must be http, https, or \
             socks5"
        );
    }
}
