//! Server's own record of requests, read after the profile has ended.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use skyload::api::ApiClient;
use skyload::record::environment::Environment;
use skyload::record::events::StopReason;
use skyload::record::{read, write_json};

use crate::server::{self, runtime};

/// Time limit of the list. A server with 20,000 requests takes a few seconds.
const LIMIT: Duration = Duration::from_secs(20);

/// Writes the server's record of requests, which names the requests that executors ran. Needed
/// only beside a profile, and read after its end, since the response takes memory of the server.
///
/// An error is no error of the run: the report says that names are missing.
pub(super) fn record(context: &server::Context<'_>, stopped: Option<StopReason>) {
    // A run that was interrupted should end soon.
    let is_over = matches!(stopped, Some(StopReason::Interrupted | StopReason::ServerLost));
    if is_over || !context.plan.is_profiled() {
        return;
    }
    if let Err(error) = try_record(context) {
        context.progress.note(format!("The server's list of requests was not read: {error:#}"));
    }
}

fn try_record(context: &server::Context<'_>) -> Result<()> {
    let (run, plan) = (context.run, context.plan);
    let environment: Environment = read(&run.environment())?;
    let command = "skyload list of requests".to_owned();
    let client = ApiClient::for_run(&run.id(), plan, &environment, command, &context.credentials)?;
    let requests = async { tokio::time::timeout(LIMIT, client.served_requests()).await };
    let requests = runtime()?.block_on(requests).context("no response in time")?;
    let requests = requests.map_err(|failure| anyhow!("{failure}"))?;
    Ok(write_json(&run.server_requests(), &requests)?)
}
