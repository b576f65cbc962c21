//! The API server: connecting to it, selecting pods, watching them, and its errors in kubectl's words.
//!
//! No discovery: the kinds that a pod's story needs are known, so that an answer costs one round of requests.

pub mod certificate;
pub mod client_config;
mod connector;
pub mod credentials;
pub mod dial;
pub mod error;
pub mod kubeconfig;
pub mod logs;
pub mod names;
mod older;
pub mod overrides;
mod owner;
pub mod pages;
pub mod pods;
pub mod proxy;
pub mod surroundings;
pub mod survey;
pub mod targets;
mod traffic;
pub mod validation;
pub mod watch;
pub mod wire;

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use kube::api::{DeleteParams, ListParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cli::connection::Connection;
use error::ClusterError;
use pages::Pages;
use wire::Wire;

/// How many objects are fetched at once, as kubectl does it.
const PAGE: u32 = 500;

/// The address that requests go to, for what is told of them.
fn server_of(config: &kube::Config) -> String {
    config.cluster_url.to_string().trim_end_matches('/').to_owned()
}

/// A namespaced kind that can be fetched.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug + 'static
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug + 'static
{
}

/// A connection to an API server.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    namespace: String,
    /// Whether a flag named it, rather than the kubeconfig.
    namespace_is_named: bool,
    server: String,
    timeout: Option<Duration>,
    /// How many objects are fetched at once; all where absent.
    page: Option<u32>,
}

impl Cluster {
    /// Connects as the flags and the kubeconfig say. Nothing is sent yet.
    ///
    /// # Errors
    /// What is wrong with the flags or the kubeconfig, in kubectl's words.
    pub async fn connect(flags: &Connection) -> Result<Self, ClusterError> {
        let timeout = flags.timeout()?;
        let config = kubeconfig::config(flags)?;
        let wire = Wire {
            server: server_of(&config),
            verbosity: flags.verbosity,
            refuses_warnings: flags.warnings_as_errors,
        };
        let mut cluster = Self::of(config, wire)?;
        cluster.timeout = timeout;
        cluster.page = u32::try_from(flags.chunk_size).ok().filter(|size| *size > 0);
        if let Some(namespace) = &flags.namespace {
            cluster.namespace.clone_from(namespace);
            cluster.namespace_is_named = true;
        }
        Ok(cluster)
    }

    /// Connects to an emulator of our own.
    ///
    /// # Errors
    /// Certificates that cannot be read.
    pub async fn of_emulator(connection: &emulator::emulator::Connection) -> Result<Self, ClusterError> {
        let config = client_config::of_emulator(connection)?;
        let wire = Wire {
            server: server_of(&config),
            ..Wire::default()
        };
        Self::of(config, wire)
    }

    fn of(mut config: kube::Config, wire: Wire) -> Result<Self, ClusterError> {
        // kube would try again for minutes; whoever typed a command wants the answer.
        config.default_retry = false;
        let server = config
            .cluster_url
            .authority()
            .map(ToString::to_string)
            .unwrap_or_default();
        let namespace = config.default_namespace.clone();
        let plugin = config.auth_info.exec.clone();
        let client = connector::client(config, &wire).map_err(|error| match error {
            kube::Error::Auth(error) => credentials::failed(&error, plugin.as_ref()),
            other => ClusterError::of(other, &server),
        })?;
        Ok(Self {
            client,
            namespace,
            namespace_is_named: false,
            server,
            timeout: None,
            page: Some(PAGE),
        })
    }

    /// The namespace that is meant where none is named.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Fetches one object.
    ///
    /// # Errors
    /// Whatever the server or the way to it says.
    pub async fn get<K: Kind>(&self, namespace: &str, name: &str) -> Result<K, ClusterError> {
        self.limited(self.api(Some(namespace)).get(name)).await
    }

    /// All objects that match, to be fetched page by page: memory holds one page, not all.
    pub fn pages<K: Kind>(&self, namespace: Option<&str>, params: ListParams) -> Pages<'_, K> {
        Pages::new(self, self.api(namespace), params)
    }

    /// Fetches all objects that match.
    ///
    /// # Errors
    /// Whatever the server or the way to it says.
    pub async fn list<K: Kind>(&self, namespace: Option<&str>, params: ListParams) -> Result<Vec<K>, ClusterError> {
        let mut pages = self.pages(namespace, params);
        let mut all = Vec::new();
        while let Some(page) = pages.next().await? {
            all.extend(page);
        }
        Ok(all)
    }

    /// Creates an object.
    ///
    /// # Errors
    /// Whatever the server or the way to it says: validation above all.
    pub async fn create<K: Kind + Serialize>(&self, namespace: &str, object: &K) -> Result<K, ClusterError> {
        let params = PostParams::default();
        self.limited(self.api(Some(namespace)).create(&params, object)).await
    }

    /// Asks for the deletion of an object; one that is not there is no error.
    ///
    /// # Errors
    /// Whatever else the server or the way to it says.
    pub async fn delete<K: Kind>(&self, namespace: &str, name: &str, grace: Option<u32>) -> Result<(), ClusterError> {
        let params = DeleteParams {
            grace_period_seconds: grace,
            ..DeleteParams::default()
        };
        let api: Api<K> = self.api(Some(namespace));
        match self.limited(api.delete(name, &params)).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn api<K: Kind>(&self, namespace: Option<&str>) -> Api<K> {
        match namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    /// Keeps a request within `--request-timeout`, and puts what goes wrong into kubectl's words.
    async fn limited<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T, ClusterError> {
        let answer = match self.timeout {
            None => request.await,
            Some(limit) => tokio::time::timeout(limit, request)
                .await
                .map_err(|_| ClusterError::TimedOut)?,
        };
        answer.map_err(|error| ClusterError::of(error, &self.server))
    }
}
