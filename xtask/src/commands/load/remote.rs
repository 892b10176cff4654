//! What a run does once its load on a server elsewhere is over.

use anyhow::{Context as _, Result};
use skyload::clock::Timeline;
use skyload::record::events::{Event, StopReason};

use super::events::Events;
use crate::server::Context;
use crate::server_profile;

/// Compares the clocks, also for a profile that is given to `report` later, and takes
/// in the one that was named, if any. Somebody who asks for an end meanwhile gets it, and
/// a run that says so.
pub(super) fn fetch_profile(
    context: &Context<'_>,
    stopped: Option<StopReason>,
    events: &mut Events,
) -> Result<()> {
    let fetched = compare_and_take(context, events);
    if context.signals.interrupted() && stopped.is_none() {
        events.note(Event::LoadStopped(StopReason::Interrupted))?;
    }
    fetched
}

fn compare_and_take(context: &Context<'_>, events: &mut Events) -> Result<()> {
    let Context { plan, run, signals, progress, .. } = *context;
    let ended = Timeline::start().now();
    let step = progress.step("Comparing the server's clock with ours");
    let offset = server_profile::compare_clocks(context);
    match &offset {
        Ok(offset) => {
            events.note(Event::ClockCompared(*offset))?;
            step.done(format!("it is {offset}"));
        }
        Err(error) => step.done(format!("not possible: {error:#}")),
    }
    let Some(path) = &plan.server_profile else { return Ok(()) };
    let step = progress.step("Taking in the server's profile");
    if let Ok(offset) = offset {
        server_profile::wait_for_list(path, offset.to_remote(ended), signals);
    }
    server_profile::merge(path, run).context("the server's profile was there before the load")?;
    step.done("done");
    Ok(())
}
