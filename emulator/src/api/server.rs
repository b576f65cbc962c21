//! The API server on its port: TLS, HTTP/1.1 with upgrades, HTTP/2.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Api;

/// A client that says nothing for so long at the start is let go.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long to wait where the machine has no more connections to give.
const RETRY: Duration = Duration::from_millis(100);

/// Serves until `shutdown`; connections that are open then are closed.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    api: Arc<Api>,
    shutdown: impl Future<Output = ()>,
) {
    let acceptor = TlsAcceptor::from(tls);
    let mut connections = JoinSet::new();
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, acceptor.clone(), api.clone()));
                }
                Err(_) => tokio::time::sleep(RETRY).await,
            }
            while connections.try_join_next().is_some() {}
        }
    };
    tokio::select! {
        () = accept => {}
        () = shutdown => {}
    }
}

/// Serves one client to its end. What goes wrong here is the client's to notice.
async fn connection(stream: TcpStream, acceptor: TlsAcceptor, api: Arc<Api>) {
    // Small answers and watch events are not to wait for more to come.
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await else {
        return;
    };
    let has_certificate = stream
        .get_ref()
        .1
        .peer_certificates()
        .is_some_and(|chain| !chain.is_empty());
    let service = service_fn(move |request: Request<Incoming>| {
        let api = api.clone();
        async move { Ok::<_, Infallible>(api.answer(request.map(Body::new), has_certificate).await) }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let _ = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .await;
}
