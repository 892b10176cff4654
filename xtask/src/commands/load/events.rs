//! Event log of the run in progress.

use anyhow::{Context, Result};
use skyload::clock::{Timeline, Timestamp};
use skyload::record::RunDir;
use skyload::record::events::{Event, EventLog, LoggedEvent};

/// Event log with the clock of the run.
pub(super) struct Events {
    log: EventLog,
    timeline: Timeline,
}

impl Events {
    pub(super) fn open(run: &RunDir) -> Result<Self> {
        let log = EventLog::begin(run)?;
        Ok(Self { log, timeline: Timeline::start() })
    }

    /// Time by the clock of the run.
    pub(super) fn now(&self) -> Timestamp {
        self.timeline.now()
    }

    pub(super) fn note(&mut self, event: Event) -> Result<()> {
        let event = LoggedEvent { at: self.timeline.now(), event };
        self.log.note(event).context("writing to the event log")
    }
}
