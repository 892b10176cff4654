//! Readings of one executor over its life, and the requests that it ran.

use std::collections::HashMap;
use std::ops::Range;

use crate::analysis::recording::Recording;
use crate::class::ProcessClass;
use crate::ids::ProcessIdentity;
use crate::record::profile::{
    ExecutedRequest, ExecutorReading, ExecutorRequests, Output, PEAK_NOISE, ProcessRecord,
    ProfileLine, RequestFinder,
};
use crate::units::ByteSize;

/// Classes of processes that run requests, one at a time.
pub(super) const CLASSES: [ProcessClass; 2] =
    [ProcessClass::ShortExecutor, ProcessClass::LongExecutor];

/// Readings of one executor, in their order.
pub(super) struct History<'a> {
    pub(super) record: &'a ProcessRecord,
    pub(super) readings: Vec<&'a ExecutorReading>,
    /// Requests by the lines that have them once readings are thinned; empty before.
    pub(super) ended: Vec<&'a ExecutorRequests>,
}

/// Request of an executor: consecutive readings with its ID.
pub(super) struct Span<'a> {
    pub(super) id: &'a str,
    /// Indexes of its readings.
    pub(super) readings: Range<usize>,
}

/// Histories of all executors in the process table.
pub(super) fn of(recording: Recording<'_>) -> Vec<History<'_>> {
    let mut readings: HashMap<ProcessIdentity, Vec<&ExecutorReading>> = HashMap::new();
    let mut ended: HashMap<ProcessIdentity, Vec<&ExecutorRequests>> = HashMap::new();
    for line in recording.lines {
        match line {
            ProfileLine::Executor(reading) => {
                readings.entry(reading.process).or_default().push(reading);
            }
            ProfileLine::Requests(requests) => {
                for executor in &requests.executors {
                    ended.entry(executor.process()).or_default().push(executor);
                }
            }
            _ => {}
        }
    }
    let records = recording.processes.map_or(&[][..], |table| &table.processes);
    records
        .iter()
        .filter(|record| CLASSES.contains(&record.class))
        .map(|record| History {
            record,
            readings: readings.remove(&record.identity).unwrap_or_default(),
            ended: ended.remove(&record.identity).unwrap_or_default(),
        })
        .collect()
}

impl<'a> History<'a> {
    /// Requests that the executor ran.
    pub(super) fn requests(&self) -> Vec<ExecutedRequest> {
        let mut requests = Vec::new();
        let mut finder = RequestFinder::default();
        for reading in self.readings.iter().take_while(|reading| !reading.thinned) {
            requests.extend(finder.add(reading));
        }
        let listed = || self.ended.iter().copied();
        let mut last = listed().next_back().and_then(|executor| executor.running_since_mark);
        if self.ended.is_empty() {
            // Otherwise it is in a line, by all of its readings.
            let (request, running_since) = finder.finish().unzip();
            requests.extend(request);
            last = running_since.flatten();
        }
        requests.extend(listed().flat_map(|executor| executor.requests.iter().cloned()));
        // The executor exited, or still ran it.
        if let (Some(before), Some(peak), Some(last)) =
            (last, self.unread_peak(), requests.last_mut())
        {
            let growth = ByteSize(peak.as_u64().saturating_sub(before.as_u64()));
            last.growth = last.growth.max(Some(growth));
        }
        requests
    }

    /// Number of requests that the executor ran, those that are not listed included.
    pub(super) fn count(&self) -> usize {
        let unlisted = self.ended.iter().filter_map(|executor| executor.unlisted.as_ref());
        let unlisted: usize = unlisted.map(|unlisted| unlisted.requests as usize).sum();
        self.requests().len() + unlisted
    }

    /// Requests that the executor ran, in their order.
    pub(super) fn spans(&self) -> Vec<Span<'a>> {
        let mut spans: Vec<Span<'a>> = Vec::new();
        for (index, reading) in self.readings.iter().enumerate() {
            let Some(id) = reading.output.request() else { continue };
            match spans.last_mut() {
                Some(last) if last.id == id && last.readings.end == index => {
                    last.readings.end += 1;
                }
                _ => spans.push(Span { id, readings: index..index + 1 }),
            }
        }
        spans
    }

    /// RSS at the last reading; `None` if a request ran then.
    pub(super) fn idle(&self) -> Option<ByteSize> {
        let last = self.readings.last()?;
        (last.output == Output::NoRequest).then_some(last.memory.rss)
    }

    /// Largest RSS of all readings.
    pub(super) fn largest_rss(&self) -> Option<ByteSize> {
        self.readings.iter().map(|reading| reading.memory.rss).max()
    }

    /// High-water mark in the process table that is above those of all readings: reached after the
    /// last one. `None` for an executor with pages in swap, whose peak there is no mark.
    pub(super) fn unread_peak(&self) -> Option<ByteSize> {
        let marks = self.readings.iter().flat_map(|one| [Some(one.memory), one.before]).flatten();
        let marks = marks.map(|memory| memory.peak).chain(self.ended.iter().map(|one| one.peak));
        let read = marks.max()?.as_u64();
        let peak = self.record.peak.filter(|_| self.record.swapped.is_none())?;
        (peak.as_u64() > read.saturating_add(PEAK_NOISE)).then_some(peak)
    }

    /// Whether a request began at this reading while another one ran at the reading before.
    pub(super) fn takes_over_at(&self, index: usize) -> bool {
        let before = index.checked_sub(1).and_then(|before| self.readings[before].output.request());
        let now = self.readings[index].output.request();
        before.is_some() && now.is_some() && before != now
    }

    /// Whether the next reading may be long after the end of a request. A thinned reading at which
    /// one request takes over from another may be there for the end of the other alone.
    pub(super) fn may_lack_end(&self, span: &Span<'_>) -> bool {
        let first = span.readings.start;
        span.readings.len() == 1
            && span.readings.end < self.readings.len()
            && self.readings[first].thinned
            && self.takes_over_at(first)
    }

    /// Growth of the high-water mark by a request; `None` if the mark before is unknown.
    pub(super) fn growth(&self, span: &Span<'_>) -> Option<ByteSize> {
        let first = self.readings[span.readings.start];
        // The rise until this reading counts for the request before, and must not count twice.
        let before = match self.takes_over_at(span.readings.start) {
            true => first.memory.peak,
            false => first.before?.peak,
        };
        // Of the reading that noticed the end, too: the mark was read anew then.
        let end = (span.readings.end + 1).min(self.readings.len());
        let readings = &self.readings[span.readings.start..end];
        let mut after = readings.iter().map(|reading| reading.memory.peak).max()?;
        if span.readings.end == self.readings.len() {
            // The executor exited, or still ran it.
            after = after.max(self.unread_peak().unwrap_or_default());
        }
        Some(ByteSize(after.as_u64().saturating_sub(before.as_u64())))
    }
}
