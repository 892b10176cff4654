//! Health and running requests of a server, without async at the caller.

use std::time::Duration;

use anyhow::{Context as _, Result};
use host::signals::Signals;
use skyload::api::{ApiClient, ClientIdentity, Health, HealthPolicy, RequestRow};
use skyload::credentials::Credentials;
use skyload::ids::RunId;
use skyload::record::outcome::{Failure, error_type};
use url::Url;

use super::Context;

/// Limits of one health request: a server that is still starting responds slowly.
const PATIENCE: HealthPolicy = HealthPolicy { timeout: Duration::from_secs(10), tries: 1 };

/// Health of the server at `url`.
pub(super) fn health(
    url: &Url,
    signals: &Signals,
    credentials: &Credentials,
) -> Result<Result<Health, Failure>> {
    with_client(url, signals, credentials, async |client| client.health(PATIENCE).await)
}

/// Health of a remote server. Waits a while if a load balancer has no server behind it at the
/// moment.
pub(super) fn health_once_available(
    url: &Url,
    context: &Context<'_>,
) -> Result<Result<Health, Failure>> {
    with_client(url, context.signals, &context.credentials, async |client| {
        client.health_once_available(PATIENCE).await
    })
}

/// Refusal of the credentials by the server at `url`, which may have told its health without.
pub(super) fn refusal(url: &Url, context: &Context<'_>) -> Result<Option<Failure>> {
    let checked = with_client(url, context.signals, &context.credentials, async |client| {
        client.check_credentials(PATIENCE.timeout).await
    });
    // What else fails does so under the load, too, which reports it.
    Ok(checked?.err().filter(needs_credentials))
}

/// Whether a server refuses a call without other credentials.
pub(super) fn needs_credentials(failure: &Failure) -> bool {
    matches!(failure.status, Some(401 | 403))
        || failure.error_type == error_type::NEEDS_AUTHENTICATION
}

/// Running requests of users of the server at `url`.
pub(super) fn requests_in_flight(
    url: &Url,
    signals: &Signals,
    credentials: &Credentials,
) -> Result<Result<Vec<RequestRow>, Failure>> {
    let rows = with_client(url, signals, credentials, async |client| client.list_requests().await)?;
    Ok(rows.map(|rows| rows.into_iter().filter(is_in_flight).collect()))
}

/// Whether a user's request is unfinished. SkyPilot's daemons are requests of the server
/// itself that never finish.
fn is_in_flight(row: &RequestRow) -> bool {
    row.is_active() && row.user_id != "skypilot-system" && !row.request_id.ends_with("-daemon")
}

/// Runs `ask` with a client of the server at `url`, until Ctrl-C.
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

/// Single-threaded async runtime, for the few async calls outside of scenarios.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting an async runtime")
}
