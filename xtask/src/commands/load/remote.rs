//! Profile of a remote server, merged into the run after the load.

use anyhow::{Context as _, Result};
use skyload::clock::Timeline;
use skyload::record::events::{Event, StopReason};

use super::events::Events;
use crate::server::Context;
use crate::server_profile;

/// Compares the clocks and merges the server's profile into the run, if the plan has one. Without
/// one, the clocks are needed for a profile that is passed to `report` later. Ctrl-C during this
/// is logged as the end of the run.
pub(super) fn fetch_profile(
    context: &Context<'_>,
    stopped: Option<StopReason>,
    events: &mut Events,
) -> Result<()> {
    let fetched = compare_and_merge(context, events);
    if context.signals.interrupted() && stopped.is_none() {
        events.note(Event::LoadStopped(StopReason::Interrupted))?;
    }
    fetched
}

fn compare_and_merge(context: &Context<'_>, events: &mut Events) -> Result<()> {
    let Context { plan, run, signals, progress, .. } = *context;
    // The end of the last phase, before the clock comparison takes its time.
    let ended = Timeline::start().now();
    let step = progress.step("Comparing the server's clock with the local clock");
    let offset = server_profile::compare_clocks(context);
    match &offset {
        Ok(offset) => {
            events.note(Event::ClockCompared(*offset))?;
            step.done(offset.to_string());
        }
        Err(error) => step.done(format!("failed: {error:#}")),
    }
    let Some(path) = &plan.server_profile else { return Ok(()) };
    let step = progress.step("Merging the server's profile");
    if let Ok(offset) = offset {
        step.update("waiting for what the profiler writes after the run");
        server_profile::wait_for_newer(path, offset.to_remote(ended), signals);
    }
    server_profile::merge(path, run)
        .context("merging the server's profile, which existed before the load")?;
    step.done("done");
    Ok(())
}
