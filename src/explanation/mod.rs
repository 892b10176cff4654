//! Explanation of a run's largest peaks: their requests once more, in a fresh server whose executors
//! are traced.
//!
//! An explanation is no measurement: its servers run one request each, and some of them under
//! tracemalloc, so its figures are never compared with peaks of runs. [`Repetition`] decides how a
//! cause is seen again; the traces are in [`crate::record::trace`].

mod packages;
mod repetition;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use packages::{PackageCost, packages};
pub use repetition::{Repetition, Subject, plan, plan_of_installation};

use crate::analysis::{ExecutorPeak, Verdict};
use crate::class::ProcessClass;
use crate::ids::RunId;
use crate::record::trace::Trace;
use crate::record::{Document, ServerRequests, Version};
use crate::scenario::ScenarioId;
use crate::units::ByteSize;

/// Explanation of a run's largest peaks, content of `explanation.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Explanation {
    /// Format of this file.
    pub version: Version<1>,
    /// Run whose peaks are explained.
    pub run: RunId,
    /// Version of SkyPilot.
    pub sky: String,
    /// Import of SkyPilot in an executor; `None` if it was not traced.
    pub import: Option<Trace>,
    /// Largest peaks of the run, one for each cause, the largest first.
    pub peaks: Vec<ExplainedPeak>,
    /// Gaps of the explanation beside the answers to peaks, with their reasons.
    pub notes: Vec<String>,
}

impl Document for Explanation {
    const KIND: &'static str = "explanation";
    const VERSION: u32 = 1;
}

/// Peak of a run with what its cause allocates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExplainedPeak {
    /// Process class.
    pub class: ProcessClass,
    /// Peak as measured by the run.
    pub peak: ByteSize,
    /// Cause of the peak in the run, in words.
    pub cause: String,
    /// Trace of the cause, or the reason why there is none.
    pub answer: Answer,
}

/// Trace of a peak's cause, or the reason why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Answer {
    /// Request of the same name in a fresh server.
    Repeated {
        /// Scenario that sent the request; `None` for a request of the server itself, such as a
        /// daemon.
        scenario: Option<ScenarioId>,
        /// Trace of the request, with its allocations from another fresh server.
        trace: Box<Trace>,
        /// Limits of the trace, such as a failed iteration or a server that did not start.
        notes: Vec<String>,
    },
    /// Import of SkyPilot, which the explanation has.
    Import,
    /// No trace, for this reason.
    NotExplained {
        /// Reason in words.
        reason: String,
    },
}

impl Explanation {
    /// Whether any of the peaks is explained.
    pub fn is_any(&self) -> bool {
        self.peaks.iter().any(|peak| match peak.answer {
            Answer::Repeated { .. } => true,
            Answer::Import => self.import.is_some(),
            Answer::NotExplained { .. } => false,
        })
    }

    /// Exit code of `cargo xtask explain`.
    pub fn exit_code(&self) -> u8 {
        if self.is_any() { Verdict::Pass } else { Verdict::Inconclusive }.exit_code()
    }
}

impl ExplainedPeak {
    /// Peak of a run with its answer.
    pub fn new(peak: &ExecutorPeak, answer: Answer) -> Self {
        Self { class: peak.class, peak: peak.peak, cause: peak.cause_in_words(), answer }
    }
}

/// Trace of the request of a name that grew most in an executor of a class; `None` if there is none.
pub fn trace_of<'a>(
    name: &str,
    class: ProcessClass,
    traces: &'a [Trace],
    requests: &ServerRequests,
) -> Option<&'a Trace> {
    largest(Some(class), traces, |trace| {
        let id = trace.request.as_deref();
        requests.requests.iter().any(|one| Some(one.id.as_str()) == id && one.name == name)
    })
}

/// Trace of a request of the server itself that grew most in an executor of a class; `None` if there
/// is none.
pub fn trace_of_server<'a>(
    id: &str,
    class: ProcessClass,
    traces: &'a [Trace],
) -> Option<&'a Trace> {
    largest(Some(class), traces, |trace| trace.request.as_deref() == Some(id))
}

/// Trace of the import of SkyPilot that grew most, in an executor of a class if one is given; `None`
/// if there is none.
pub fn import_of(class: Option<ProcessClass>, traces: &[Trace]) -> Option<&Trace> {
    largest(class, traces, |trace| trace.request.is_none())
}

/// Trace that grew most. One of an executor whose queue is unknown may be of any class.
fn largest(
    class: Option<ProcessClass>,
    traces: &[Trace],
    is_wanted: impl Fn(&Trace) -> bool,
) -> Option<&Trace> {
    let is_of_class =
        |trace: &Trace| class.is_none() || trace.class().is_none_or(|its| Some(its) == class);
    let found = traces.iter().filter(|trace| is_wanted(trace) && is_of_class(trace));
    found.max_by_key(|trace| (trace.allocations.as_ref().map(|it| it.peak), trace.growth()))
}
