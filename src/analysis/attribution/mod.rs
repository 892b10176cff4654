//! Attribution of executors' memory to requests: which request an executor ran when its memory
//! peaked, and what each kind of request costs.
//!
//! The profile has readings of executors with the IDs of their requests (`history`), the
//! server's record names these requests (`names`). Both are joined here.

mod cause;
mod cost;
mod history;
mod largest;
mod lines;
mod names;
mod spread;
mod words;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use cause::{Cause, PeakGrowth, UnknownCause};
pub use cost::RequestCost;
pub use largest::{ExecutorPeak, largest_peaks};
pub(super) use lines::assemble as executor_lines;
pub use lines::{ExecutorLine, ExecutorLines, RequestLine};
pub use names::{NamedRequest, RequestKind};
pub use spread::Spread;

use self::history::{CLASSES, History};
use self::names::Names;
use super::recording::Recording;
use crate::class::ProcessClass;
use crate::ids::ProcessIdentity;
use crate::record::ServerRequests;
use crate::units::ByteSize;

/// Executors' memory by the requests that they ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Attribution {
    /// Server's record of requests, which has their names.
    pub names: NameSource,
    /// Executors of each class.
    pub classes: Vec<ExecutorClass>,
    /// Cost of each kind of request, by its largest growth.
    pub costs: Vec<RequestCost>,
}

/// Completeness of the server's record of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NameSource {
    /// List of all requests on record.
    Complete,
    /// Newest requests only.
    Newest,
    /// None: the list was not read. Only daemons have names, which are their IDs.
    Missing,
}

/// Executors of one class: the largest peak with its cause, and the spread over processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExecutorClass {
    /// Process class.
    pub class: ProcessClass,
    /// Largest peak of an executor.
    pub peak: ByteSize,
    /// Executor with that peak.
    pub process: ProcessIdentity,
    /// Cause of that peak.
    pub cause: Cause,
    /// Largest peak with another cause; `None` if the cause is no single kind of request, or if
    /// all executors peaked by requests of that kind.
    pub without: Option<PeakWithout>,
    /// Peaks of all executors.
    pub peaks: Spread,
    /// RSS of executors that ran no request at their last readings; `None` without one.
    pub idle: Option<Spread>,
}

/// Largest peak among the executors that did not peak by one kind of request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PeakWithout {
    /// Kind of request that is left out.
    pub kind: RequestKind,
    /// Largest peak with another cause.
    pub peak: ByteSize,
}

impl Attribution {
    /// Executors of one class; `None` without an executor whose memory was read.
    pub fn class(&self, class: ProcessClass) -> Option<&ExecutorClass> {
        self.classes.iter().find(|executors| executors.class == class)
    }
}

/// Attribution of a profile; `None` without readings of executors.
pub(super) fn assemble(
    recording: Recording<'_>,
    requests: Option<&ServerRequests>,
) -> Option<Attribution> {
    let histories = history::of(recording);
    if histories.iter().all(|history| history.readings.is_empty()) {
        return None;
    }
    let names = Names::of(requests, &histories, recording);
    let classes = CLASSES.into_iter().filter_map(|class| executors(class, &histories, &names));
    Some(Attribution {
        names: match requests {
            None => NameSource::Missing,
            Some(requests) if requests.is_cut => NameSource::Newest,
            Some(_) => NameSource::Complete,
        },
        classes: classes.collect(),
        costs: cost::by_kind(&histories, &names),
    })
}

fn executors(
    class: ProcessClass,
    histories: &[History<'_>],
    names: &Names<'_>,
) -> Option<ExecutorClass> {
    let of_class = histories.iter().filter(|history| history.record.class == class);
    let peaks: Vec<(ByteSize, &History<'_>, Cause)> = of_class
        .clone()
        .filter_map(|history| Some((history.record.peak?, history, cause::of(history, names))))
        .collect();
    let (peak, largest, cause) = peaks.iter().max_by_key(|(peak, ..)| *peak)?;
    let without = cause.kind().and_then(|kind| {
        let others = peaks.iter().filter(|(.., other)| !other.may_be(kind));
        let peak = others.map(|(peak, ..)| *peak).max()?;
        Some(PeakWithout { kind: kind.clone(), peak })
    });
    Some(ExecutorClass {
        class,
        peak: *peak,
        process: largest.record.identity,
        cause: cause.clone(),
        without,
        peaks: Spread::of(peaks.iter().map(|(peak, ..)| *peak))?,
        idle: Spread::of(of_class.filter_map(History::idle)),
    })
}

#[cfg(test)]
mod tests;
