//! Recording of a profiler, of a run or of a profile that belongs to no run.

use crate::record::profile::{
    ProcessTable, ProfileHeader, ProfileLine, ProfilerOverhead, Readings, Sample, UpstreamSample,
};

/// Lines and process table of a profile.
#[derive(Clone, Copy)]
pub(crate) struct Recording<'a> {
    /// Lines of `samples.jsonl`.
    pub(crate) lines: &'a [ProfileLine],
    /// Process table; `None` if the profiler was killed before it wrote one.
    pub(crate) processes: Option<&'a ProcessTable>,
}

impl<'a> Recording<'a> {
    /// Header of the profile; `None` if the first line is lost.
    pub(crate) fn header(self) -> Option<&'a ProfileHeader> {
        self.lines.iter().find_map(|line| match line {
            ProfileLine::Header(header) => Some(header),
            _ => None,
        })
    }

    /// Samples in the order of the file.
    pub(crate) fn samples(self) -> impl Iterator<Item = &'a Sample> {
        self.lines.iter().filter_map(|line| match line {
            ProfileLine::Sample(sample) => Some(sample),
            _ => None,
        })
    }

    /// Readings of single processes, in the order of the file; none in profiles of earlier builds.
    pub(crate) fn readings(self) -> impl Iterator<Item = &'a Readings> {
        self.lines.iter().filter_map(|line| match line {
            ProfileLine::Readings(readings) => Some(readings),
            _ => None,
        })
    }

    /// Samples by the rule of upstream's script; none without `--upstream-figures`.
    pub(crate) fn upstream_samples(self) -> impl Iterator<Item = &'a UpstreamSample> {
        self.lines.iter().filter_map(|line| match line {
            ProfileLine::Upstream(sample) => Some(sample),
            _ => None,
        })
    }

    /// Whether the profiler ended cleanly: with a footer and a process table.
    pub(crate) fn ended_cleanly(self) -> bool {
        let has_footer = self.lines.iter().any(|line| matches!(line, ProfileLine::Footer { .. }));
        has_footer && self.processes.is_some()
    }

    /// Whether the process table is as new as the last sample. The profiler rewrites the table
    /// every few seconds, so one that was killed or is still running leaves an older table.
    pub(crate) fn has_current_table(self) -> bool {
        let records = self.processes.iter().flat_map(|table| &table.processes);
        let read = records.filter_map(|record| record.last_read).max();
        self.ended_cleanly()
            || read.is_some_and(|read| self.samples().last().is_none_or(|last| read >= last.at))
    }

    /// Overhead of the profiler.
    pub(crate) fn cost(self) -> Option<ProfilerOverhead> {
        self.processes.map(|table| table.profiler)
    }
}
