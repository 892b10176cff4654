//! A profile that is made on the server's machine, taken into a run of this one.

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

/// The comparison of clocks is given up after this: a server under load may take its
/// time, and one that is gone has no clock.
const COMPARE_WITHIN: Duration = Duration::from_secs(60);

/// The same when somebody wants an end already.
const COMPARE_IN_HURRY: Duration = Duration::from_secs(3);

/// The profiler lists processes every five seconds.
const LIST_WITHIN: Duration = Duration::from_secs(10);

/// What is wrong with a path that should name a profile, if anything is.
pub(crate) fn mistake(path: &Path) -> Option<String> {
    let error = anyhow::Error::new(ProfileFiles::at(path).header().err()?);
    Some(format!(
        "--server-profile: there is no profile at `{}`: {error:#}\n  hint: `cargo xtask profile` on \
         the server's machine makes one; start it before the load, where this machine can read it",
        path.display()
    ))
}

/// Asks how far the server's clock is from ours, unless somebody asks for an end.
pub(crate) fn compare_clocks(context: &Context<'_>) -> Result<ClockOffset> {
    let Context { plan, run, signals, .. } = *context;
    let environment: Environment = read(&run.environment())?;
    let command = "skyload clocks".to_owned();
    let client = ApiClient::for_run(&run.id(), plan, &environment, command, &context.credentials)?;
    let compared = runtime()?.block_on(async {
        match signals.interrupted() {
            // It takes a moment from a server that answers, and without it a profile of
            // what was measured is worth nothing.
            true => Ok(timeout(COMPARE_IN_HURRY, client.compare_clocks()).await),
            false => {
                signals.unless_interrupted(timeout(COMPARE_WITHIN, client.compare_clocks())).await
            }
        }
    });
    let compared = compared?.context("the server took too long")?;
    compared.map_err(|failure| anyhow::anyhow!("{failure}"))
}

/// Waits until the profile's list of processes is younger than a moment of the server's
/// clock, or nobody seems to renew it.
pub(crate) fn wait_for_list(path: &Path, after: Timestamp, signals: &Signals) {
    let files = ProfileFiles::at(path);
    let read = || {
        let table = files.table().ok()??;
        table.processes.iter().filter_map(|record| record.last_read).max()
    };
    // Whether it came to that is seen in the files.
    _ = wait_until(LIST_WITHIN, Duration::from_millis(200), || {
        let is_over = signals.interrupted() || read().is_some_and(|read| read >= after);
        Probe::of(is_over, "the list of processes is older")
    });
}

/// Takes a profile into the run, in the place of one of the run's own.
pub(crate) fn take(path: &Path, run: &RunDir) -> Result<()> {
    run.profile()
        .replace_with(&ProfileFiles::at(path))
        .and_then(|()| run.update_profile_checksums())
        .with_context(|| format!("taking the server's profile from `{}`", path.display()))
}
