//! Profile from the server's machine, merged into a run on this machine.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use host::signals::Signals;
use skyload::api::ApiClient;
use skyload::clock::{ClockOffset, Timestamp};
use skyload::poll::{Probe, wait_until};
use skyload::record::environment::Environment;
use skyload::record::{ProfileFiles, RunDir, read};
use tokio::time::timeout;

use crate::server::{Context, runtime};

/// Time limit of the comparison of clocks. A server under load responds slowly.
const COMPARE_TIMEOUT: Duration = Duration::from_secs(60);

/// Time limit of the comparison of clocks after Ctrl-C.
const COMPARE_TIMEOUT_INTERRUPTED: Duration = Duration::from_secs(3);

/// Time limit of the wait for a newer list of processes, which the profiler writes every 5 s.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);

/// Usage error of a path that should name a profile, if it does not.
pub(crate) fn usage_error(path: &Path) -> Option<String> {
    let error = anyhow::Error::new(ProfileFiles::at(path).header().err()?);
    Some(format!(
        "--server-profile: no profile found at `{}`: {error:#}\n  hint: run `cargo xtask profile` on \
         the server's machine before the load, with results that this machine can read",
        path.display()
    ))
}

/// Offset of the server's clock from this machine's. Ctrl-C cancels the comparison; after an
/// earlier Ctrl-C it has a short time limit.
pub(crate) fn compare_clocks(context: &Context<'_>) -> Result<ClockOffset> {
    let Context { plan, run, signals, .. } = *context;
    let environment: Environment = read(&run.environment())?;
    let command = "skyload clocks".to_owned();
    let client = ApiClient::for_run(&run.id(), plan, &environment, command, &context.credentials)?;
    let compared = runtime()?.block_on(async {
        match signals.interrupted() {
            // Fast if the server responds, and without it a profile cannot be merged into
            // what was measured.
            true => Ok(timeout(COMPARE_TIMEOUT_INTERRUPTED, client.compare_clocks()).await),
            false => {
                signals.unless_interrupted(timeout(COMPARE_TIMEOUT, client.compare_clocks())).await
            }
        }
    });
    let compared = compared?.context("no response from the server in time")?;
    compared.map_err(|failure| anyhow::anyhow!("{failure}"))
}

/// Waits until the profile's list of processes is newer than `after`, by the server's clock, or
/// for the time in which a running profiler would have written one.
pub(crate) fn wait_for_list(path: &Path, after: Timestamp, signals: &Signals) {
    let files = ProfileFiles::at(path);
    let read = || {
        let table = files.table().ok()??;
        table.processes.iter().filter_map(|record| record.last_read).max()
    };
    // A list that stays old is not an error here: the report tells from the files.
    _ = wait_until(LIST_TIMEOUT, Duration::from_millis(200), || {
        let is_over = signals.interrupted() || read().is_some_and(|read| read >= after);
        Probe::of(is_over, "the list of processes is older")
    });
}

/// Merges a profile into the run. Replaces the run's profile.
pub(crate) fn merge(path: &Path, run: &RunDir) -> Result<()> {
    run.profile()
        .replace_with(&ProfileFiles::at(path))
        .and_then(|()| run.update_profile_checksums())
        .with_context(|| format!("merging the server's profile from `{}`", path.display()))
}
