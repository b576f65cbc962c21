//! Where an answer leads: on the same host it is followed (`pkg/probe/http/http.go`, `RedirectChecker`).

use std::net::SocketAddr;

use hyper::{Response, StatusCode, Uri, body::Incoming, header};

use super::http::Request;
use crate::runtime::SharedRuntime;

/// The most redirects that are followed.
const REDIRECTS_MAX: usize = 10;

impl Request {
    /// Sends it, and goes where the answers lead: the first that leads nowhere, or elsewhere.
    pub(super) async fn followed(mut self, runtime: &SharedRuntime) -> Result<Response<Incoming>, String> {
        let mut location = String::new();
        for _ in 0..REDIRECTS_MAX {
            let response = self
                .get(runtime)
                .await
                .map_err(|why| format!("Get {:?}: {why}", self.url()))?;
            let Some(next) = self.next(&response) else {
                return Ok(response);
            };
            location = located(&response).unwrap_or_default().to_owned();
            self = next;
        }
        // Go names the place as the last answer does (`net/http`, `Client.do`).
        Err(format!("Get {location:?}: stopped after {REDIRECTS_MAX} redirects"))
    }

    /// The request that an answer leads to; none where it leads nowhere, or to another host.
    fn next(&self, response: &Response<Incoming>) -> Option<Self> {
        let follows = [
            StatusCode::MOVED_PERMANENTLY,
            StatusCode::FOUND,
            StatusCode::SEE_OTHER,
            StatusCode::TEMPORARY_REDIRECT,
            StatusCode::PERMANENT_REDIRECT,
        ];
        let location = located(response).filter(|_| follows.contains(&response.status()))?;
        let mut next = self.clone();
        if !location.starts_with("//") && !location.contains("://") {
            next.path = beside(&self.path, location);
            return Some(next);
        }
        let uri: Uri = location.parse().ok()?;
        let own = self
            .authority
            .rsplit_once(':')
            .map_or(self.authority.as_str(), |(own, _)| own);
        if uri.host().unwrap_or_default() != own {
            return None;
        }
        next.https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if next.https { 443 } else { 80 });
        next.address = SocketAddr::new(self.address.ip(), port);
        next.authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        next.path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Some(next)
    }
}

/// The place that an answer names.
fn located(response: &Response<Incoming>) -> Option<&str> {
    response.headers().get(header::LOCATION)?.to_str().ok()
}

/// Where a location without a host leads, from a path.
fn beside(path: &str, location: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    match location.chars().next() {
        Some('/') => location.to_owned(),
        Some('?') => format!("{path}{location}"),
        _ => format!("{}/{location}", path.rsplit_once('/').map_or("", |(folder, _)| folder)),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::http::tests::{PATIENCE, server},
        *,
    };
    use crate::kubelet::edges::Outcome;

    #[tokio::test]
    async fn a_redirect_that_leads_nowhere_is_a_success_with_a_warning() {
        let (_, request, runtime) = server(vec!["HTTP/1.1 304 Not Modified\r\n\r\n".to_owned()]).await;
        let warning = "Probe terminated redirects, Response body: ";
        assert_eq!(
            request.probe(&runtime, PATIENCE).await,
            Outcome::Warning(warning.to_owned())
        );
    }

    #[tokio::test]
    async fn redirects_on_the_same_host_are_followed() {
        let (serving, request, runtime) = server(vec![
            "HTTP/1.1 302 Found\r\nLocation: c?d\r\nConnection: close\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\n\r\n".to_owned(),
        ])
        .await;
        assert_eq!(request.probe(&runtime, PATIENCE).await, Outcome::Success);
        assert!(serving.await.unwrap()[1].starts_with("GET /a/c?d HTTP/1.1\r\n"));
        for (location, expected) in [("/c", "/c"), ("?c", "/a/b?c"), ("c", "/a/c")] {
            assert_eq!(beside("/a/b?x", location), expected);
        }
    }

    #[tokio::test]
    async fn redirects_without_end_are_told_with_the_place_that_the_last_one_named() {
        const AGAIN: &str = "HTTP/1.1 302 Found\r\nLocation: /again\r\nConnection: close\r\n\r\n";
        let (serving, request, runtime) = server(vec![AGAIN.to_owned(); REDIRECTS_MAX]).await;
        let failure = "Get \"/again\": stopped after 10 redirects";
        assert_eq!(
            request.probe(&runtime, PATIENCE).await,
            Outcome::Failure(failure.to_owned())
        );
        assert_eq!(serving.await.unwrap().len(), REDIRECTS_MAX);
    }
}
