//! The client of a configuration: kube's layers, on connections that send at once what they have.

use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::Builder;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::Client;
use kube::client::{ClientBuilder, ConfigExt};
use tower::{BoxError, ServiceBuilder};

use super::wire::Wire;

/// The client that asks the server of `config`, and tells `wire` of it.
///
/// A TLS connection begins with several small writes. Where the kernel gathers them (Nagle's algorithm, which kube's own
/// connector leaves on), the request waits for the server's delayed acknowledgement: 40 ms of every command. The way
/// through a proxy is kube's own.
///
/// # Errors
/// Certificates, keys and credentials that are none.
pub(super) fn client(config: kube::Config, wire: &Wire) -> kube::Result<Client> {
    if config.proxy_url.is_some() {
        return Ok(ClientBuilder::try_from(config)?.with_layer(wire).build());
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(tcp)?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(Builder::new(TokioExecutor::new()).build(connector));
    Ok(ClientBuilder::new(service, config.default_namespace)
        .with_layer(wire)
        .build())
}
