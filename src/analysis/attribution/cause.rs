//! Cause of an executor's peak: the request that it ran when its high-water mark rose last.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::history::{History, Span};
use super::names::{NamedRequest, Names, RequestKind};
use crate::record::profile::{ExecutorReading, Output, PEAK_NOISE, UnreadOutput, is_daemon};
use crate::units::{self, ByteSize};

/// Cause of an executor's peak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Cause {
    /// Request that ran.
    Request {
        /// Request.
        request: NamedRequest,
        /// Growth of the peak by the request; `None` if the request ran before the first reading.
        growth: Option<PeakGrowth>,
    },
    /// One of several requests, which all may have run between the two readings.
    OneOf {
        /// Requests.
        requests: Vec<NamedRequest>,
        /// Growth of the peak between the two readings.
        growth: Option<PeakGrowth>,
    },
    /// Import of SkyPilot, before the first request.
    Import,
    /// Work of the executor itself: no request was seen, and the server's record has none.
    NoRequest,
    /// Unknown, for this reason.
    Unknown(UnknownCause),
}

/// Growth of a peak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PeakGrowth {
    /// Rise of the high-water mark.
    pub by: ByteSize,
    /// Time of the rise, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub within: Duration,
}

/// Reason why the cause of a peak is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownCause {
    /// Peak from before the profile began.
    BeforeProfile,
    /// Executor that exited before its first reading, or grew after its last one.
    NotRead,
    /// Request that was not seen, if there was one: the server's list of requests is missing or
    /// cut.
    NotListed,
    /// Request that was not seen, if there was one: the profile does not list all that were seen
    /// elsewhere, and so the server's list does not tell which were not seen.
    NotAllListed,
    /// File descriptors of another user's processes, which only root may read.
    NotPermitted,
    /// Sampling that reads no file descriptors.
    NotAvailable,
}

impl UnknownCause {
    /// Reason in words.
    pub(super) const fn in_words(self) -> &'static str {
        match self {
            Self::BeforeProfile => "reached before the profile began",
            Self::NotRead => "reached between the last reading and the exit",
            Self::NotListed => "no request was seen, and the server's list is missing or cut",
            Self::NotAllListed => {
                "no request was seen, and the profile does not list all that were seen elsewhere"
            }
            Self::NotPermitted => "processes of another user, whose requests only root can see",
            Self::NotAvailable => "requests are not read at this level of peaks",
        }
    }
}

impl From<UnreadOutput> for UnknownCause {
    fn from(reason: UnreadOutput) -> Self {
        match reason {
            UnreadOutput::NotPermitted => Self::NotPermitted,
            UnreadOutput::NotAvailable => Self::NotAvailable,
        }
    }
}

impl Cause {
    /// Requests that may have caused the peak.
    pub fn requests(&self) -> &[NamedRequest] {
        match self {
            Self::Request { request, .. } => std::slice::from_ref(request),
            Self::OneOf { requests, .. } => requests,
            Self::Import | Self::NoRequest | Self::Unknown(_) => &[],
        }
    }

    /// Kind of the request; `None` if there are several, or none.
    pub fn kind(&self) -> Option<&RequestKind> {
        let (first, others) = self.requests().split_first()?;
        others.iter().all(|other| other.kind == first.kind).then_some(&first.kind)
    }

    /// Growth of the peak by its cause; `None` if it is unknown.
    pub const fn growth(&self) -> Option<PeakGrowth> {
        match self {
            Self::Request { growth, .. } | Self::OneOf { growth, .. } => *growth,
            Self::Import | Self::NoRequest | Self::Unknown(_) => None,
        }
    }

    /// Whether a request of this kind may have caused the peak.
    pub(super) fn may_be(&self, kind: &RequestKind) -> bool {
        self.requests().iter().any(|request| request.kind == *kind)
    }
}

/// Cause of the peak of an executor.
pub(super) fn of(history: &History<'_>, names: &Names<'_>) -> Cause {
    let readings = &history.readings;
    let Some(last) = readings.last() else { return Cause::Unknown(UnknownCause::NotRead) };
    if history.unread_peak().is_some() {
        return match &last.output {
            Output::Request(id) => by_request(history, names, id, readings.len() - 1),
            Output::NoRequest => Cause::Unknown(UnknownCause::NotRead),
            Output::Unread(reason) => Cause::Unknown((*reason).into()),
        };
    }
    let top = readings.iter().map(|reading| reading.memory.peak.as_u64()).max().unwrap_or(0);
    let reaches = |peak: ByteSize| peak.as_u64().saturating_add(PEAK_NOISE) >= top;
    // There is one: that of `top`.
    let index = readings.iter().position(|one| reaches(one.memory.peak)).unwrap_or(0);
    let reading = readings[index];
    let has_risen = reading.before.is_some_and(|before| !reaches(before.peak));
    if index == 0 && !(has_risen && reading.output.request().is_some()) {
        return before_first(history, names);
    }
    match &reading.output {
        Output::Unread(reason) => Cause::Unknown((*reason).into()),
        Output::Request(_) | Output::NoRequest => by_candidates(history, names, index),
    }
}

/// Cause of a peak that was reached before the first reading of an executor.
fn before_first(history: &History<'_>, names: &Names<'_>) -> Cause {
    let first = history.readings.first();
    match first.and_then(|first| first.output.request()) {
        _ if is_by_import(history) => Cause::Import,
        // The server starts its daemons first, and each keeps its executor.
        Some(id) if is_daemon(id) => Cause::Request { request: names.request(id), growth: None },
        _ => Cause::Unknown(UnknownCause::BeforeProfile),
    }
}

/// Whether the import of SkyPilot made the peak before the first reading. In a profile that began
/// before the run, there may be readings from before the run, which are left out: the mark at the
/// last of them may be that of a request.
fn is_by_import(history: &History<'_>) -> bool {
    let Some(imported) = history.record.peak_while_starting else { return false };
    let left_out = history.readings.first().and_then(|first| first.before);
    left_out
        .is_none_or(|before| before.peak.as_u64() <= imported.as_u64().saturating_add(PEAK_NOISE))
}

/// Cause of a rise that a reading has shown, of all requests that may have run since the reading
/// of the mark before.
fn by_candidates(history: &History<'_>, names: &Names<'_>, index: usize) -> Cause {
    let reading = history.readings[index];
    let since = reading.since.unwrap_or(reading.at);
    let previous = index.checked_sub(1).map(|before| history.readings[before]);
    // The request of the reading before ended since: otherwise its reading is this one's.
    let ids = previous.and_then(|previous| previous.output.request()).into_iter();
    let ids = ids.chain(reading.output.request());
    let mut candidates: Vec<&str> =
        ids.filter(|id| names.may_have_run(id, since, reading.at)).collect();
    candidates.dedup();
    if candidates.is_empty() {
        candidates = names.unseen(history.record.class, since, reading.at);
    }
    match candidates.as_slice() {
        [] if !names.is_whole => Cause::Unknown(UnknownCause::NotListed),
        [] if !names.all_seen_are_listed => Cause::Unknown(UnknownCause::NotAllListed),
        [] => Cause::NoRequest,
        [id] if previous.is_some_and(|one| one.output.request() == Some(*id)) => {
            by_request(history, names, id, index - 1)
        }
        // The record excludes the request before, so that the rise until this reading counts.
        [id] if history.takes_over_at(index) => {
            Cause::Request { request: names.request(id), growth: since_last_mark(reading) }
        }
        [id] if reading.output.request() == Some(*id) => by_request(history, names, id, index),
        several => Cause::OneOf {
            requests: several.iter().map(|id| names.request(id)).collect(),
            growth: since_last_mark(reading),
        },
    }
}

fn since_last_mark(reading: &ExecutorReading) -> Option<PeakGrowth> {
    let before = reading.before?.peak.as_u64();
    let by = ByteSize(reading.memory.peak.as_u64().saturating_sub(before));
    Some(PeakGrowth { by, within: reading.at.since(reading.since?) })
}

/// Cause of a rise by the request of a reading.
fn by_request(history: &History<'_>, names: &Names<'_>, id: &str, index: usize) -> Cause {
    let span = history.spans().into_iter().find(|span| span.readings.contains(&index));
    let growth = span.and_then(|span| growth_in(history, &span));
    Cause::Request { request: names.request(id), growth }
}

/// Growth by a request, and the time from its start until its last rise.
fn growth_in(history: &History<'_>, span: &Span<'_>) -> Option<PeakGrowth> {
    let by = history.growth(span)?;
    let began = history.readings[span.readings.start].at;
    let end = (span.readings.end + 1).min(history.readings.len());
    let readings = &history.readings[span.readings.start..end];
    let top = readings.iter().map(|reading| reading.memory.peak).max()?;
    let reached = readings.iter().find(|reading| reading.memory.peak == top)?;
    // At the first reading of the request, the time since the reading before.
    let began = history.readings[span.readings.start].since.unwrap_or(began).min(began);
    Some(PeakGrowth { by, within: reached.at.since(began) })
}
