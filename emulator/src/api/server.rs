//! The API server on its port: TLS, HTTP/1.1 with upgrades, HTTP/2.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Api;
use super::client_certificate::{ClientCertificate, ClientVerifier};
use super::connections::{Activity, Unknown};
use super::proxy::ClientAddress;

/// A client that says nothing for so long at the start is let go.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long to wait where the machine has no more connections to give.
const RETRY: Duration = Duration::from_millis(100);
/// How long an idle connection may take to end.
const CLOSING: Duration = Duration::from_secs(1);

/// What Go's server says to a client that speaks HTTP without TLS.
const NO_TLS: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
/// How such a request begins.
const METHODS: [&[u8]; 9] = [
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"PUT ",
    b"PATCH ",
    b"DELETE ",
    b"OPTIONS ",
    b"CONNECT ",
    b"PRI * ",
];

/// What all connections have in common.
struct Server {
    acceptor: TlsAcceptor,
    clients: ClientVerifier,
    api: Arc<Api>,
    unknown: Arc<Unknown>,
}

/// Serves until `shutdown`; connections that are open then are closed.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    clients: ClientVerifier,
    api: Arc<Api>,
    shutdown: impl Future<Output = ()>,
) {
    let server = Arc::new(Server {
        acceptor: TlsAcceptor::from(tls),
        clients,
        api,
        unknown: Unknown::new(),
    });
    let mut connections = JoinSet::new();
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, client)) => {
                    let number = server.unknown.number();
                    let task = connections.spawn(server.clone().connection(stream, client, number));
                    server.unknown.add(number, task);
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

impl Server {
    /// Serves one client to its end. What goes wrong here is the client's to notice.
    async fn connection(self: Arc<Self>, mut stream: TcpStream, client: SocketAddr, number: u64) {
        // Small answers and watch events are not to wait for more to come.
        let _ = stream.set_nodelay(true);
        let accepted = tokio::time::timeout(HANDSHAKE, async {
            if !is_plain_http(&stream).await {
                return self.acceptor.accept(stream).await.ok();
            }
            refuse_plain_http(&mut stream).await;
            None
        });
        let Ok(Some(stream)) = accepted.await else {
            return;
        };
        let certificate = self.clients.identify(stream.get_ref().1.peer_certificates());
        let is_known = AtomicBool::new(matches!(certificate, ClientCertificate::Valid { .. }));
        if is_known.load(Ordering::Relaxed) {
            self.unknown.remove(number);
        }
        let activity = Activity::new();
        let shared = Arc::new((certificate, is_known));
        let (server, running) = (self.clone(), activity.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (server, shared, in_progress) = (server.clone(), shared.clone(), running.begin());
            async move {
                let (certificate, is_known) = &*shared;
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(ClientAddress(client.ip()));
                if !is_known.load(Ordering::Relaxed) && server.api.is_authenticated(&request, certificate) {
                    is_known.store(true, Ordering::Relaxed);
                    server.unknown.remove(number);
                }
                let answer = server.api.answer_client(request, certificate).await;
                Ok::<_, Infallible>(in_progress.until_sent(answer))
            }
        });
        let builder = auto::Builder::new(TokioExecutor::new());
        let mut serving = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        tokio::select! {
            _ = serving.as_mut() => return,
            () = activity.idle() => {}
        }
        serving.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(CLOSING, serving).await;
    }
}

/// Whether a client begins with a request of HTTP instead of a handshake.
async fn is_plain_http(stream: &TcpStream) -> bool {
    let mut start = [0; 8];
    let Ok(length) = stream.peek(&mut start).await else {
        return false;
    };
    let start = &start[..length];
    length > 0
        && METHODS
            .iter()
            .any(|method| start.starts_with(&method[..method.len().min(length)]))
}

async fn refuse_plain_http(stream: &mut TcpStream) {
    if stream.write_all(NO_TLS).await.is_ok() && stream.shutdown().await.is_ok() {
        // What the client still sends would make the machine reset the connection before the answer is read.
        let mut rest = [0; 4096];
        while let Ok(Ok(1..)) = tokio::time::timeout(CLOSING, stream.read(&mut rest)).await {}
    }
}

#[cfg(test)]
mod tests;
