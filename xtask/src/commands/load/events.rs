//! Noting when what happened, in the run directory, as it happens.

use anyhow::{Context, Result};
use skyload::clock::Timeline;
use skyload::record::events::{Event, LoggedEvent};
use skyload::record::{JsonLines, RunDir};

/// What happens in a run, line by line.
pub(super) struct EventLog {
    lines: JsonLines<LoggedEvent>,
    timeline: Timeline,
}

impl EventLog {
    pub(super) fn open(run: &RunDir) -> Result<Self> {
        let lines = JsonLines::append_to(&run.events())?;
        Ok(Self { lines, timeline: Timeline::start() })
    }

    pub(super) fn note(&mut self, event: Event) -> Result<()> {
        let event = LoggedEvent { at: self.timeline.now(), event };
        self.lines
            .push(&event)
            .and_then(|()| self.lines.flush())
            .context("noting what happened in the run")
    }
}
