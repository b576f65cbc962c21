//! The API of a registry, as far as a pull needs it, for one repository
//! (<https://github.com/opencontainers/distribution-spec>).
//!
//! A registry is not trusted: nothing of it is read without a bound, and what proves who asks goes to the registry, or
//! to the token service that it names, and to no host that either redirects to.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION},
    redirect,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::{
    fs::File,
    io::AsyncWriteExt as _,
    time::{Instant, timeout},
};

use super::{
    Credentials,
    bounds::{DOCUMENT_MAX, Pace, Patience, REDIRECTS_MAX, REFUSAL_MAX, TOKEN_MAX},
    challenge::Challenge,
    digest,
    manifest::Descriptor,
    reference::Reference,
    request_error::RequestError,
};

/// What a manifest may be.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.docker.distribution.manifest.v2+json, */*";

/// A conversation about one repository.
pub(super) struct Registry {
    http: Client,
    /// What is below the repository: `https://host/v2/library/busybox/`.
    root: String,
    repository: String,
    credentials: Option<Credentials>,
    /// What the registry has asked for, and got.
    authorization: Option<HeaderValue>,
    patience: Patience,
}

/// A document that was read whole.
pub(super) struct Document {
    pub(super) bytes: Vec<u8>,
    pub(super) media_type: String,
    pub(super) digest: String,
}

impl Registry {
    /// The registry that has an image, for someone with these credentials, or for anyone.
    ///
    /// # Errors
    /// Where the machine's certificates can't be read.
    pub(super) fn of(
        name: &Reference,
        credentials: Option<Credentials>,
        patience: Patience,
    ) -> Result<Self, RequestError> {
        // The TLS library wants one provider for the process; somebody else may have chosen the same.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = Client::builder()
            .connect_timeout(patience.silence)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("kubectl-pod/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let url = name.manifest_url();
        let root = url.rsplit_once("manifests/").map_or(url.as_str(), |(root, _)| root);
        Ok(Self {
            http,
            root: root.to_owned(),
            repository: name.repository.clone(),
            credentials,
            authorization: None,
            patience,
        })
    }

    /// The manifest or index that a tag or digest names.
    ///
    /// # Errors
    /// Where it can't be had, or is larger than one may be.
    pub(super) async fn manifest(&mut self, which: &str) -> Result<Document, RequestError> {
        let path = format!("manifests/{which}");
        let answer = self.get(&path).await?;
        let media_type = answer.headers().get(CONTENT_TYPE).and_then(|text| text.to_str().ok());
        let media_type = media_type.unwrap_or_default().to_owned();
        let bytes = self.document(answer, "the manifest", DOCUMENT_MAX).await?;
        let digest = digest::of(&bytes);
        if which.starts_with("sha256:") && which != digest {
            return Err(unexpected("manifest", which, &digest));
        }
        Ok(Document {
            bytes,
            media_type,
            digest,
        })
    }

    /// An image's configuration.
    ///
    /// # Errors
    /// Where it can't be had, is not what its digest says, or is larger than one may be.
    pub(super) async fn config(&mut self, descriptor: &Descriptor) -> Result<Vec<u8>, RequestError> {
        let answer = self.get(&format!("blobs/{}", known(&descriptor.digest)?)).await?;
        let most = descriptor.size.min(DOCUMENT_MAX);
        let bytes = self.document(answer, "the configuration", most).await?;
        let digest = digest::of(&bytes);
        if descriptor.digest != digest {
            return Err(unexpected("config", &descriptor.digest, &digest));
        }
        Ok(bytes)
    }

    /// Writes a layer into a file: as many bytes as its descriptor says, with the digest that it says.
    ///
    /// # Errors
    /// Where it can't be had, or is something else.
    pub(super) async fn layer(&mut self, descriptor: &Descriptor, file: &mut File) -> Result<(), RequestError> {
        let mut answer = self.get(&format!("blobs/{}", known(&descriptor.digest)?)).await?;
        let what = format!("layer {}", descriptor.digest);
        fits(&answer, &what, descriptor.size)?;
        let mut left = descriptor.size;
        let mut hasher = Sha256::new();
        let mut pace = Pace::new(self.patience, Instant::now());
        while let Some(bytes) = within(self.patience.silence, answer.chunk()).await?? {
            let rest = left.checked_sub(bytes.len() as u64);
            left = rest.ok_or_else(|| too_large(&what, descriptor.size))?;
            pace.took(bytes.len(), Instant::now())
                .map_err(|slow| RequestError::Answer(format!("{what}: {slow}")))?;
            hasher.update(&bytes);
            file.write_all(&bytes).await?;
        }
        file.flush().await?;
        let digest = digest::text(hasher);
        if descriptor.digest != digest {
            return Err(unexpected("layer", &descriptor.digest, &digest));
        }
        Ok(())
    }

    /// A successful answer; credentials are given where the registry asks for them.
    async fn get(&mut self, path: &str) -> Result<Response, RequestError> {
        let url = parse(&format!("{}{path}", self.root))?;
        let mut answer = self.follow(&url, self.authorization.as_ref()).await?;
        // A host that the registry has redirected to may not ask.
        if answer.status() == StatusCode::UNAUTHORIZED
            && answer.url().origin() == url.origin()
            && let Some(challenge) = Challenge::of(answer.headers(), &self.repository)
        {
            // A token may also have grown old: layers take their time.
            self.authorization = self.authorize(challenge, &url).await?;
            answer = self.follow(&url, self.authorization.as_ref()).await?;
        }
        if answer.status() == StatusCode::OK {
            return Ok(answer);
        }
        let status = answer.status();
        let said = self.document(answer, "the refusal", REFUSAL_MAX).await;
        Err(RequestError::status(&url, status, &said.unwrap_or_default()))
    }

    /// What meets a challenge; nothing where there is nothing to meet it with.
    async fn authorize(&self, challenge: Challenge, registry: &Url) -> Result<Option<HeaderValue>, RequestError> {
        let basic = self.credentials.as_ref().map(|known| {
            let pair = BASE64_STANDARD.encode(format!("{}:{}", known.username, known.password));
            secret(&format!("Basic {pair}"))
        });
        let basic = basic.transpose()?;
        let Challenge::Bearer(realm) = challenge else {
            return Ok(basic);
        };
        if registry.scheme() == "https" && realm.scheme() != "https" {
            return Err(RequestError::Answer(
                "the registry wants a token from a service without TLS".to_owned(),
            ));
        }
        let answer = self.follow(&realm, basic.as_ref()).await?;
        let status = answer.status();
        if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
            return Err(RequestError::Denied);
        }
        let bytes = self
            .document(answer, "the answer of the token service", TOKEN_MAX)
            .await?;
        if status != StatusCode::OK {
            let mut service = realm;
            service.set_query(None);
            return Err(RequestError::status(&service, status, &bytes));
        }
        #[derive(Deserialize)]
        struct Answer {
            token: Option<String>,
            access_token: Option<String>,
        }
        let answer: Option<Answer> = serde_json::from_slice(&bytes).ok();
        match answer.and_then(|answer| answer.token.or(answer.access_token)) {
            Some(token) => secret(&format!("Bearer {token}")).map(Some),
            None => Err(RequestError::Answer("the token service has sent no token".to_owned())),
        }
    }

    /// The answer at the end of a way of redirections; past the first host nobody learns who asks.
    async fn follow(&self, start: &Url, authorization: Option<&HeaderValue>) -> Result<Response, RequestError> {
        let mut url = start.clone();
        let mut authorization = authorization;
        for _ in 0..=REDIRECTS_MAX {
            authorization = authorization.filter(|_| url.origin() == start.origin());
            let mut request = self.http.get(url.clone()).header(ACCEPT, MANIFESTS);
            if let Some(authorization) = authorization {
                request = request.header(AUTHORIZATION, authorization.clone());
            }
            let answer = within(self.patience.silence, request.send()).await??;
            let target = answer
                .headers()
                .get(LOCATION)
                .filter(|_| is_redirection(answer.status()));
            let Some(target) = target else {
                return Ok(answer);
            };
            let target = target.to_str().ok().and_then(|target| url.join(target).ok());
            url = target.ok_or_else(|| RequestError::Answer("it is redirected to what is no address".to_owned()))?;
        }
        Err(RequestError::Answer(format!("stopped after {REDIRECTS_MAX} redirects")))
    }

    async fn document(&self, mut answer: Response, what: &str, most: u64) -> Result<Vec<u8>, RequestError> {
        fits(&answer, what, most)?;
        let reading = async {
            let mut document = Vec::new();
            while let Some(bytes) = within(self.patience.silence, answer.chunk()).await?? {
                if (document.len() + bytes.len()) as u64 > most {
                    return Err(too_large(what, most));
                }
                document.extend_from_slice(&bytes);
            }
            Ok(document)
        };
        within(self.patience.document, reading).await?
    }
}

fn parse(url: &str) -> Result<Url, RequestError> {
    Url::parse(url).map_err(|error| RequestError::Answer(format!("{url:?} is no address: {error}")))
}

/// The digest of a blob, which becomes a part of an address.
fn known(digest: &str) -> Result<&str, RequestError> {
    let is_known = digest
        .strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_known {
        Ok(digest)
    } else {
        Err(RequestError::Answer(
            "the manifest names what is no SHA-256 digest".to_owned(),
        ))
    }
}

fn is_redirection(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// What is not written into logs.
fn secret(text: &str) -> Result<HeaderValue, RequestError> {
    let value = HeaderValue::from_str(text);
    let mut value = value.map_err(|_| RequestError::Answer("the token is not one".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn fits(answer: &Response, what: &str, most: u64) -> Result<(), RequestError> {
    match answer.content_length() {
        Some(length) if length > most => Err(too_large(what, most)),
        _ => Ok(()),
    }
}

fn too_large(what: &str, most: u64) -> RequestError {
    RequestError::Answer(format!("{what} is larger than the {most} bytes that it may have"))
}

/// In containerd's words (`core/content/helpers.go`).
fn unexpected(kind: &str, wanted: &str, digest: &str) -> RequestError {
    RequestError::Answer(format!(
        "failed commit on ref \"{kind}-{wanted}\": unexpected commit digest {digest}, expected {wanted}: failed \
         precondition"
    ))
}

async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Result<T, RequestError> {
    timeout(patience, work)
        .await
        .map_err(|_| RequestError::Answer(format!("the registry did not go on within {patience:?}")))
}
