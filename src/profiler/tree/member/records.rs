//! Readings of a process while it runs, and its record in the process table.

use super::{Member, State};
use crate::ids::ProcessIdentity;
use crate::profiler::source::Memory;
use crate::record::profile::{Ending, ProcessReading, ProcessRecord};
use crate::units::ByteSize;

/// Range of RSS over some samples, in bytes.
#[derive(Clone, Copy)]
pub(super) struct RssRange {
    low: u64,
    high: u64,
    last: u64,
    /// Number of threads in the last sample.
    threads: u32,
}

impl RssRange {
    /// Range with one more sample.
    pub(super) fn with(before: Option<Self>, memory: Memory) -> Self {
        let (last, threads) = (memory.rss, memory.threads);
        let (low, high) = before.map_or((last, last), |range| (range.low, range.high));
        Self { low: low.min(last), high: high.max(last), last, threads }
    }
}

impl<H> Member<H> {
    /// Reading of the process since the previous one; `None` without a sample in between.
    pub(in crate::profiler::tree) fn take_reading(
        &mut self,
        open_files: Option<u32>,
    ) -> Option<ProcessReading> {
        let ProcessIdentity { pid, started } = self.stat.identity;
        let rss = self.rss.take()?;
        let unless_last = |extreme: u64| (extreme != rss.last).then_some(ByteSize(extreme));
        Some(ProcessReading {
            pid,
            started,
            rss: ByteSize(rss.last),
            anonymous: self.anonymous.map(ByteSize),
            low: unless_last(rss.low),
            high: unless_last(rss.high),
            threads: rss.threads,
            open_files,
        })
    }

    /// Record of the process for `processes.json`.
    pub(in crate::profiler::tree) fn record(&self) -> ProcessRecord {
        ProcessRecord {
            identity: self.stat.identity,
            parent: self.stat.parent,
            class: self.class,
            title: self.title.clone(),
            kind: self.kind.clone(),
            first_seen: self.first_seen,
            last_read: self.last_read,
            peak: self.peak.whole.max(self.forked_peak.whole).map(ByteSize),
            peak_while_starting: self.peak_while_starting.map(ByteSize),
            swapped: self.swapped.map(ByteSize),
            threads: self.threads,
            fastest_growth: self.fastest_growth.map(ByteSize),
            exited: self.exited,
            signal: self.signal,
            ending: match self.state {
                State::Running(_) => Ending::Alive,
                // Decided here, since an exit record may arrive after a sample has noticed the
                // exit.
                State::Exited(_) if self.has_exit_record => Ending::Recorded,
                State::Exited(unread) => unread,
            },
        }
    }
}
