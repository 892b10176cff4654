//! Noting when what happened, in the run directory, as it happens.

use anyhow::{Context, Result};
use skyload::clock::Timeline;
use skyload::record::RunDir;
use skyload::record::events::{Event, EventLog, LoggedEvent};

/// What happens in a run, with the time at which it does.
pub(super) struct Events {
    log: EventLog,
    timeline: Timeline,
}

impl Events {
    pub(super) fn open(run: &RunDir) -> Result<Self> {
        let log = EventLog::begin(run)?;
        Ok(Self { log, timeline: Timeline::start() })
    }

    pub(super) fn note(&mut self, event: Event) -> Result<()> {
        let event = LoggedEvent { at: self.timeline.now(), event };
        self.log.note(event).context("noting what happened in the run")
    }
}
