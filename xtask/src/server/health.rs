//! Asking a server for its health and its requests, without async at the caller.

use std::time::Duration;

use anyhow::{Context as _, Result};
use host::signals::Signals;
use skyload::api::{ApiClient, ClientIdentity, Health, HealthPolicy, RequestRow};
use skyload::credentials::Credentials;
use skyload::ids::RunId;
use skyload::record::outcome::Failure;
use url::Url;

use super::Context;

/// One answer may take this long: a server that still starts takes its time.
const PATIENCE: HealthPolicy = HealthPolicy { timeout: Duration::from_secs(10), tries: 1 };

/// Asks for the health of the server at `url`.
pub(super) fn health(
    url: &Url,
    signals: &Signals,
    credentials: &Credentials,
) -> Result<Result<Health, Failure>> {
    with_client(url, signals, credentials, async |client| client.health(PATIENCE).await)
}

/// The same of a server elsewhere, which may be behind a load balancer that has none at the
/// moment.
pub(super) fn health_once_available(
    url: &Url,
    context: &Context<'_>,
) -> Result<Result<Health, Failure>> {
    with_client(url, context.signals, &context.credentials, async |client| {
        client.health_once_available(PATIENCE).await
    })
}

/// Lists the requests that users of the server at `url` have under way.
pub(super) fn requests_in_flight(
    url: &Url,
    signals: &Signals,
    credentials: &Credentials,
) -> Result<Result<Vec<RequestRow>, Failure>> {
    let rows = with_client(url, signals, credentials, async |client| client.list_requests().await)?;
    Ok(rows.map(|rows| rows.into_iter().filter(is_in_flight).collect()))
}

/// Daemons are requests that never end; they are the server's own.
fn is_in_flight(row: &RequestRow) -> bool {
    row.is_active() && row.user_id != "skypilot-system" && !row.request_id.ends_with("-daemon")
}

pub(super) fn with_client<T>(
    url: &Url,
    signals: &Signals,
    credentials: &Credentials,
    ask: impl AsyncFnOnce(&ApiClient) -> Result<T, Failure>,
) -> Result<Result<T, Failure>> {
    let identity = ClientIdentity {
        user_id: RunId::generate().new_user(),
        command: "skyload".to_owned(),
        variables: Vec::new(),
        remote: true,
    };
    let client = ApiClient::new(url, &identity, None, credentials)?;
    runtime()?.block_on(signals.unless_interrupted(ask(&client)))
}

/// What carries out the few things here that are async.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting an async runtime")
}
