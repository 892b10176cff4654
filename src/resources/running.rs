//! Waits until a shared service or managed job runs.

use std::time::Duration;

use super::owners::Owners;
use super::requests::{Requests, Row};
use crate::record::outcome::Failure;
use crate::scenario::{Call, shared_calls as calls};

/// Interval at which a status is polled.
// Each poll is a queued request, which takes an executor of the server.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Waits until a service is ready or has failed.
pub(super) async fn wait_for_service(requests: &Requests, service: &str) -> Result<(), Failure> {
    let expected = Expected { step: "serve up", status: "READY", what: "service", name: service };
    wait(requests, &calls::SERVICES, &expected, |row| row.name == service).await
}

/// Waits until a managed job runs, or has succeeded. A job without an ID is not waited for.
pub(super) async fn wait_for_job(
    requests: &Requests,
    job: &str,
    id: Option<u64>,
) -> Result<(), Failure> {
    if id.is_none() {
        return Ok(());
    }
    let expected = Expected { step: "jobs launch", status: "RUNNING", what: "job", name: job };
    wait(requests, &calls::JOBS, &expected, |row| row.id == id).await
}

/// Status that is waited for. Sources: `ManagedJobStatus` in `sky/jobs/state.py`, `ServiceStatus`
/// in `sky/serve/serve_state.py`.
struct Expected<'a> {
    /// Step of the failure.
    step: &'static str,
    status: &'static str,
    what: &'static str,
    name: &'a str,
}

async fn wait(
    requests: &Requests,
    list: &Call,
    expected: &Expected<'_>,
    is_it: impl Fn(&Row) -> bool,
) -> Result<(), Failure> {
    loop {
        // A busy server may fail to list now and then; the caller has a time limit.
        let owners = Owners::of_tag(beginning(expected.name));
        let rows = requests.list(list, &owners).await.unwrap_or_default();
        match rows.iter().find(|row| is_it(row)).map(|row| row.status.as_str()) {
            Some(status) if status == expected.status || status == "SUCCEEDED" => return Ok(()),
            Some(ended) if ended.contains("FAILED") || ended == "CANCELLED" => {
                let Expected { step, status, what, name } = expected;
                return Err(Failure {
                    step: (*step).to_owned(),
                    status: None,
                    error_type: ended.to_lowercase(),
                    message: format!("expected status {status} of {what} {name}, got {ended}"),
                });
            }
            _ => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

/// Beginning of a shared resource's name, by which its row is listed as the run's.
fn beginning(name: &str) -> &str {
    name.rsplit_once('-').map_or(name, |(beginning, _)| beginning)
}
