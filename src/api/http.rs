//! HTTP client: TLS, timeouts of connections, and proxies.
//!
//! A server of this machine is reached without TLS and proxies. There, what reqwest adds is only
//! cost: to follow redirects, it parses each URL twice more, a fifth of a request's instructions.
//! Requests to such a server are built by reqwest, and sent by the client of hyper below it.

use std::sync::Once;
use std::time::Duration;

use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use reqwest::header::{ACCEPT, Entry, HeaderMap, HeaderValue};
use reqwest::{Body, RequestBuilder};
use url::Url;

use super::open_response::OpenResponse;
use super::transport::{CONNECT_TIMEOUT, SendError, describe};
use super::trust::Trust;
use crate::target::is_loopback;

/// Maximum idle time of a pooled connection. Shorter than the server's keep-alive of 5 s:
/// otherwise a request may be sent on a connection that the server is just closing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Client of one server.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    /// Client without TLS, proxies and redirects; `None` for a server that may need them.
    plain: Option<Plain>,
}

/// Client of a server of this machine.
#[derive(Clone, Debug)]
struct Plain {
    client: Client<HttpConnector, Body>,
    /// Headers of every request that does not have them.
    headers: HeaderMap,
}

impl Http {
    /// Client of the server at `base` that sends `headers` with every request, or the reason why
    /// there is none.
    pub(super) fn new(base: &Url, headers: HeaderMap) -> Result<Self, String> {
        let is_plain = base.scheme() == "http" && is_loopback(base);
        let plain = is_plain.then(|| Plain::new(headers.clone()));
        Ok(Self { client: client(base, headers)?, plain })
    }

    /// Request without a body.
    pub(super) fn get(&self, url: Url) -> RequestBuilder {
        self.client.get(url)
    }

    /// Request with a body.
    pub(super) fn post(&self, url: Url) -> RequestBuilder {
        self.client.post(url)
    }

    /// Sends a request, and returns once the headers of its response are there.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<OpenResponse, SendError> {
        let Some(plain) = &self.plain else {
            return Ok(OpenResponse::Reqwest(request.send().await?));
        };
        let request = request.build()?;
        // For a redirect, which may lead to another server: the request is then sent once more.
        let again = request.try_clone();
        let response = plain.send(request).await?;
        match again {
            Some(again) if response.status().is_redirection() => {
                Ok(OpenResponse::Reqwest(self.client.execute(again).await?))
            }
            _ => Ok(OpenResponse::Plain(response)),
        }
    }
}

impl Plain {
    fn new(mut headers: HeaderMap) -> Self {
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        Self { client, headers }
    }

    async fn send(&self, request: reqwest::Request) -> Result<http::Response<Incoming>, SendError> {
        let mut request = http::Request::<Body>::try_from(request)?;
        for (name, value) in &self.headers {
            if let Entry::Vacant(entry) = request.headers_mut().entry(name) {
                entry.insert(value.clone());
            }
        }
        Ok(self.client.request(request).await?)
    }
}

fn client(base: &Url, headers: HeaderMap) -> Result<reqwest::Client, String> {
    // Fails only if a provider is already installed, which works as well.
    static CRYPTO_PROVIDER: Once = Once::new();
    CRYPTO_PROVIDER.call_once(|| _ = rustls::crypto::ring::default_provider().install_default());
    let mut builder = reqwest::Client::builder()
        .default_headers(headers)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT);
    // A remote server may be reachable through a proxy only. A server on this machine never
    // needs one: the proxy's latency would be measured, if it could connect here at all.
    if is_loopback(base) {
        builder = builder.no_proxy();
    }
    match base.scheme() {
        "https" => {
            if let Trust::Only(certificates) = Trust::from_environment()? {
                builder = builder.tls_certs_only(certificates);
            }
        }
        // Without TLS, a bundle that cannot be read does no harm. Other machines may redirect to
        // an https:// URL; for a server on this one, each scenario would read the system's
        // authorities, some 150 files, and use none.
        _ if is_loopback(base) => builder = builder.tls_certs_only([]),
        _ => {}
    }
    builder.build().map_err(|source| describe(&source))
}
