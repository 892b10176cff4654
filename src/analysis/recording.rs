//! What a profiler wrote down, wherever it was read from: a run or a profile alone.

use crate::record::profile::{
    ProcessTable, ProfileHeader, ProfileLine, ProfilerOverhead, Sample, UpstreamSample,
};

/// A profile that was read.
#[derive(Clone, Copy)]
pub(crate) struct Recording<'a> {
    /// Its lines.
    pub(crate) lines: &'a [ProfileLine],
    /// Its processes; `None` when the profiler was killed before it could list them.
    pub(crate) processes: Option<&'a ProcessTable>,
}

impl<'a> Recording<'a> {
    /// The first line.
    pub(crate) fn header(self) -> Option<&'a ProfileHeader> {
        self.lines.iter().find_map(|line| match line {
            ProfileLine::Header(header) => Some(header),
            _ => None,
        })
    }

    /// The ticks.
    pub(crate) fn ticks(self) -> impl Iterator<Item = &'a Sample> {
        self.lines.iter().filter_map(|line| match line {
            ProfileLine::Sample(tick) => Some(tick),
            _ => None,
        })
    }

    /// What the original tool would have seen, where that was asked for.
    pub(crate) fn upstream_samples(self) -> impl Iterator<Item = &'a UpstreamSample> {
        self.lines.iter().filter_map(|line| match line {
            ProfileLine::Upstream(look) => Some(look),
            _ => None,
        })
    }

    /// Whether the profiler came to its end in good order.
    pub(crate) fn ended_well(self) -> bool {
        let has_footer = self.lines.iter().any(|line| matches!(line, ProfileLine::Footer { .. }));
        has_footer && self.processes.is_some()
    }

    /// Whether the list of processes shows each as it was at the profile's end: it is
    /// renewed every few seconds, and one that was killed, or still goes on, leaves an
    /// older one.
    pub(crate) fn lists_processes(self) -> bool {
        let records = self.processes.iter().flat_map(|table| &table.processes);
        let read = records.filter_map(|record| record.last_read).max();
        self.ended_well()
            || read.is_some_and(|read| self.ticks().last().is_none_or(|tick| read >= tick.at))
    }

    /// What profiling cost.
    pub(crate) fn cost(self) -> Option<ProfilerOverhead> {
        self.processes.map(|table| table.profiler)
    }
}
