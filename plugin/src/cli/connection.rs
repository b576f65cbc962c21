//! kubectl's connection flags.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap_complete::ArgValueCompleter;

use crate::completion::{flags, objects};

/// Which API server, which namespace, and as whom.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection flags")]
pub struct Connection {
    /// Path to the kubeconfig file to use for CLI requests
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub kubeconfig: Option<PathBuf>,
    /// The name of the kubeconfig context to use
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true, add = ArgValueCompleter::new(flags::contexts))]
    pub context: Option<String>,
    /// The name of the kubeconfig cluster to use
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true, add = ArgValueCompleter::new(flags::clusters))]
    pub cluster: Option<String>,
    /// The name of the kubeconfig user to use
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true, add = ArgValueCompleter::new(flags::users))]
    pub user: Option<String>,
    /// The namespace of the pods
    #[arg(short, long, global = true, value_name = "NAME", add = ArgValueCompleter::new(objects::namespaces))]
    pub namespace: Option<String>,
    /// The address and port of the Kubernetes API server
    #[arg(short, long, global = true, value_name = "URL", hide_short_help = true)]
    pub server: Option<String>,
    /// Bearer token for authentication to the API server
    #[arg(long, global = true, value_name = "TOKEN", hide_short_help = true)]
    pub token: Option<String>,
    /// Username to impersonate for the operation; a regular user, or a service account in a namespace
    #[arg(long = "as", global = true, value_name = "USER", hide_short_help = true)]
    pub impersonate: Option<String>,
    /// Group to impersonate for the operation; can be repeated
    #[arg(long = "as-group", global = true, value_name = "GROUP", hide_short_help = true)]
    pub impersonate_groups: Vec<String>,
    /// UID to impersonate for the operation
    #[arg(long = "as-uid", global = true, value_name = "UID", hide_short_help = true)]
    pub impersonate_uid: Option<String>,
    /// Further properties of the impersonated user, as KEY=VALUE; can be repeated
    #[arg(
        long = "as-user-extra",
        global = true,
        value_name = "KEY=VALUE",
        hide_short_help = true
    )]
    pub impersonate_extra: Vec<String>,
    /// Username for basic authentication to the API server
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub username: Option<String>,
    /// Password for basic authentication to the API server
    #[arg(long, global = true, value_name = "PASSWORD", hide_short_help = true)]
    pub password: Option<String>,
    /// Path to a cert file for the certificate authority
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub certificate_authority: Option<PathBuf>,
    /// Path to a client certificate file for TLS
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub client_certificate: Option<PathBuf>,
    /// Path to a client key file for TLS
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub client_key: Option<PathBuf>,
    /// Do not check the server's certificate; this makes HTTPS connections insecure
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_parser = super::switch::parse,
        value_name = super::switch::VALUE
    )]
    pub insecure_skip_tls_verify: bool,
    /// Server name to use for server certificate validation; the server's hostname where absent
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub tls_server_name: Option<String>,
    /// How long to wait for one server request (e.g. 1s, 2m, 3h); 0 waits for as long as it takes
    #[arg(
        long,
        global = true,
        value_name = "DURATION",
        default_value = "0",
        hide_short_help = true
    )]
    pub request_timeout: String,
    /// Fetch lists in pieces of this many objects; 0 fetches them whole
    #[arg(
        long,
        global = true,
        value_name = "N",
        default_value = "500",
        hide_short_help = true,
        allow_negative_numbers = true,
        value_parser = super::number::parse
    )]
    pub chunk_size: i32,
    /// The proxy to reach the API server through: http, https or socks5
    #[arg(long, global = true, value_name = "URL", hide_short_help = true)]
    pub proxy_url: Option<String>,
    /// From 6 on, every request to the API server is told on standard error
    #[arg(
        short = 'v',
        long = "v",
        global = true,
        value_name = "LEVEL",
        default_value = "0",
        hide_default_value = true,
        hide_short_help = true,
        allow_negative_numbers = true,
        value_parser = super::number::parse
    )]
    pub verbosity: i32,
    /// Take a warning of the API server for an error
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_parser = super::switch::parse,
        value_name = super::switch::VALUE
    )]
    pub warnings_as_errors: bool,
    /// What concerns kubectl alone.
    #[command(flatten)]
    pub kubectl_only: super::kubectl_only::KubectlOnly,
}

impl Connection {
    /// The flags that say which cluster is meant and as whom, as they can be typed again; credentials are not repeated.
    pub fn as_typed(&self) -> Vec<String> {
        let kubeconfig = self.kubeconfig.as_ref().map(|path| path.display().to_string());
        let named = [
            ("--kubeconfig", &kubeconfig),
            ("--context", &self.context),
            ("--cluster", &self.cluster),
            ("--user", &self.user),
            ("--server", &self.server),
            ("--as", &self.impersonate),
        ];
        named
            .into_iter()
            .filter_map(|(flag, value)| value.as_ref().map(|value| [flag.to_owned(), value.clone()]))
            .flatten()
            .collect()
    }

    /// The limit of one request; none where it is 0.
    ///
    /// # Errors
    /// kubectl's sentence for what is no duration.
    pub fn timeout(&self) -> Result<Option<Duration>, super::usage::UsageError> {
        let seconds = self.request_timeout.parse::<u64>().ok().map(Duration::from_secs);
        let timeout = seconds.or_else(|| super::duration::parse(&self.request_timeout).ok());
        match timeout {
            Some(Duration::ZERO) => Ok(None),
            None if self.request_timeout.is_empty() => Ok(None),
            Some(timeout) => Ok(Some(timeout)),
            None => Err(super::usage::UsageError::new(
                "Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a \
                 corresponding time unit (e.g. 1s | 2m | 3h)",
            )),
        }
    }
}
