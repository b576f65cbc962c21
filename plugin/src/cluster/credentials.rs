//! Credentials that could not be had: auth plugins, token files, auth providers. In the words of client-go.

use std::io;
use std::path::Path;

use kube::client::AuthError;
use kube::config::ExecConfig;

use super::error::{ClusterError, innermost};

/// What a failure to get credentials means; `plugin` is the kubeconfig's entry, where there is one.
pub(super) fn failed(error: &AuthError, plugin: Option<&ExecConfig>) -> ClusterError {
    match error {
        AuthError::AuthExecStart(error) if error.kind() == io::ErrorKind::NotFound => {
            ClusterError::Unreachable(format!("getting credentials: {}", not_found(plugin)))
        }
        AuthError::AuthExecStart(error) => ClusterError::Unreachable(format!(
            "getting credentials: exec: fork/exec {}: {}",
            command(plugin),
            error.kind()
        )),
        AuthError::AuthExecRun { out, .. } => {
            let ended = match out.status.code() {
                Some(code) => format!("failed with exit code {code}"),
                None => format!("failed: {}", out.status),
            };
            ClusterError::Plugin {
                said: String::from_utf8_lossy(&out.stderr).trim_end().to_owned(),
                message: format!("exec: executable {} {ended}", command(plugin)),
            }
        }
        AuthError::AuthExecParse(_) => ClusterError::Unreachable(format!(
            "getting credentials: decoding stdout: what {} wrote is no ExecCredential",
            command(plugin)
        )),
        AuthError::ExecPluginFailed => {
            ClusterError::Unreachable("getting credentials: exec plugin didn't return a status field".to_owned())
        }
        AuthError::ReadTokenFile(error, path) => ClusterError::Configuration(unread(path, error)),
        other => ClusterError::Unreachable(innermost(other)),
    }
}

fn command(plugin: Option<&ExecConfig>) -> &str {
    plugin.and_then(|plugin| plugin.command.as_deref()).unwrap_or_default()
}

/// client-go's help for who has no plugin, with the hint of who wrote the kubeconfig (`plugin/pkg/client/auth/exec`).
fn not_found(plugin: Option<&ExecConfig>) -> String {
    let help = format!(
        "exec: executable {} not found\n\nIt looks like you are trying to use a client-go credential plugin that is not \
         installed.\n\nTo learn more about this feature, consult the documentation available at:\n      \
         https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins",
        command(plugin)
    );
    match plugin.and_then(|plugin| plugin.install_hint.as_deref()) {
        Some(hint) if !hint.is_empty() => format!("{help}\n\n{hint}"),
        _ => help,
    }
}

/// Why a file cannot be read, as Go says it: `open PATH: no such file or directory`.
pub(super) fn unread(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => format!("open {path}: no such file or directory"),
        io::ErrorKind::PermissionDenied => format!("open {path}: permission denied"),
        io::ErrorKind::IsADirectory => format!("read {path}: is a directory"),
        _ => format!("read {path}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lacks_a_plugin_is_told_which_and_how_to_get_it() {
        let plugin = ExecConfig {
            command: Some("cloud-login".into()),
            install_hint: Some("get it there".into()),
            ..ExecConfig::default()
        };
        let error = AuthError::AuthExecStart(io::ErrorKind::NotFound.into());
        let said = failed(&error, Some(&plugin)).to_string();
        assert!(
            said.starts_with(
                "Unable to connect to the server: getting credentials: exec: executable cloud-login not found\n"
            ),
            "{said}"
        );
        assert!(said.ends_with("\n\nget it there"), "{said}");
    }

    #[test]
    fn a_token_file_that_is_not_there_is_named() {
        let error = AuthError::ReadTokenFile(io::ErrorKind::NotFound.into(), "/no/token".into());
        assert_eq!(
            failed(&error, None).to_string(),
            "error: open /no/token: no such file or directory"
        );
    }
}
