//! HTTP client: TLS, timeouts of connections, and proxies.

use std::sync::Once;
use std::time::Duration;

use reqwest::header::HeaderMap;
use url::Url;

use super::transport::{CONNECT_TIMEOUT, describe};
use super::trust::Trust;
use crate::target::is_loopback;

/// Maximum idle time of a pooled connection. Shorter than the server's keep-alive of 5 s:
/// otherwise a request may be sent on a connection that the server is just closing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// HTTP client of the server at `base` that sends `headers` with every request, or the reason why
/// there is none.
pub(super) fn client(base: &Url, headers: HeaderMap) -> Result<reqwest::Client, String> {
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
