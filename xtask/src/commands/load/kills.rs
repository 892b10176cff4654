//! Watch of the processes of a server of a stated size that the kernel kills for lack of memory.

use std::time::{Duration, Instant};

use anyhow::Result;
use skyload::clock::Timestamp;
use skyload::limits::{OomKills, OomReadings, ServerGroup};
use skyload::record::events::Event;

use super::events::Events;

/// Interval between two readings of the kernel's count.
const INTERVAL: Duration = Duration::from_millis(100);

/// Watch of the kills in a server's control group. Logs each rise of their number.
pub(super) struct KillWatch<'a> {
    group: Option<&'a ServerGroup>,
    readings: OomReadings,
    /// Number of kills so far, at the size and below it.
    seen: u64,
    /// Time of the last reading.
    read: Timestamp,
    next: Instant,
}

impl<'a> KillWatch<'a> {
    /// Watch of a server that was started after `began`; without a group, of nothing.
    pub(super) fn new(group: Option<&'a ServerGroup>, began: Timestamp) -> Self {
        Self { group, readings: OomReadings::default(), seen: 0, read: began, next: Instant::now() }
    }

    /// Reads the count, if the last reading is older than the interval.
    pub(super) fn poll(&mut self, events: &mut Events) -> Result<()> {
        if Instant::now() < self.next {
            return Ok(());
        }
        self.next = Instant::now() + INTERVAL;
        self.read(events)
    }

    /// Reads the count a last time. Returns the number of kills that the control group of this
    /// process counts as well.
    pub(super) fn finish(mut self, events: &mut Events) -> Result<u64> {
        self.read(events)?;
        let is_counted_twice = self.group.is_some_and(ServerGroup::counts_into_own);
        Ok(if is_counted_twice { self.seen } else { 0 })
    }

    fn read(&mut self, events: &mut Events) -> Result<()> {
        let Some(counts) = self.group.and_then(ServerGroup::oom_counts) else { return Ok(()) };
        // Before the event, whose time is after the kills that it counts.
        let since = std::mem::replace(&mut self.read, events.now());
        let Some(kills) = self.readings.add(counts) else { return Ok(()) };
        self.seen = counts.kills;
        events.note(match kills {
            OomKills::AtSize(processes) => Event::KilledAtSize { processes, since },
            OomKills::BelowSize(processes) => Event::KilledBelowSize { processes },
        })
    }
}
