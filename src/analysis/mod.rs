//! Analysis of a run: assembles a [`Report`] from the files of the run directory and judges it.
//!
//! Only [`Evidence::read`] and [`ProfileEvidence::read`] do I/O. [`Report::assemble`] is a pure
//! function of the evidence, so a report can be made again from the files of an earlier run.

mod attribution;
mod chart_data;
mod coverage;
mod distributions;
mod downsampling;
mod evidence;
mod exactness;
mod growth;
mod judge;
mod kinds;
mod limits;
mod load_timeline;
mod losses;
mod memory;
mod metrics;
mod profile;
mod readings_timeline;
mod recording;
mod scenarios;
mod series;
mod server_profile;
mod server_size;
mod server_view;
mod snapshots;
mod soak;
mod summary;
mod thresholds;
mod timeline;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use attribution::{
    Attribution, Cause, ExecutorClass, ExecutorLine, ExecutorLines, ExecutorPeak, NameSource,
    NamedRequest, PeakGrowth, PeakWithout, RequestCost, RequestKind, RequestLine, Spread,
    UnknownCause, largest_peaks,
};
pub use chart_data::ChartData;
pub use coverage::{Coverage, Gap};
pub use distributions::{Distribution, SegmentCounts};
pub use evidence::Evidence;
pub use exactness::Exactness;
pub use growth::{ClassGrowth, Growth};
pub use judge::{About, Finding, Severity, Verdict};
pub(crate) use limits::CONFIGURED;
pub use limits::{LimitCheck, LimitState, peak_budgets};
pub use memory::{ClassMemory, MemoryReport, peaks_by_class};
pub use metrics::{Absence, Measured};
pub use profile::{PROFILE_BASELINE, ProfileEvidence, ProfileReport};
pub use scenarios::{ScenarioReport, ScenarioState, SegmentReport, Start, Stats, state};
pub use series::{Point, RunSeries, Source, Unit};
pub use server_size::{KilledProcess, ServerSize};
pub use server_view::{
    EventLoopLag, HttpView, MetricsWindow, RequestView, ServerDurations, ServerProcess, ServerView,
};
pub use snapshots::SnapshotMemory;
pub use soak::{
    ClassGrowthRate, GrowingMemory, GrowthRates, ProcessGrowthRate, RateEstimate, RateInterval,
};
pub(crate) use soak::{SHORTEST_LOAD, time_to_decide};
pub use summary::{MonitoringSummary, PhaseSpan, UpstreamFigures};
pub use thresholds::{ThresholdCheck, ThresholdState};
pub use timeline::{Line, Quantity, Subject, TimeSeries, Timeline, rounded};

use crate::ids::RunId;
use crate::plan::LoadPlan;
use crate::record::environment::Environment;
use crate::record::nodes::NodeFigures;
use crate::record::outcome::FailureTally;
use crate::record::profile::{ProfilerLevel, ProfilerOverhead};
use crate::record::request::LoadRequest;
use crate::record::resources::ResourceLog;
use crate::record::{Document, Estimate, Version, v2, v3, v4};
use crate::scenario::ScenarioId;
use crate::units;
use crate::units::ByteSize;

/// Report of a run, content of `report.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Report {
    /// Format of this file.
    pub version: Version<5>,
    /// ID of the run.
    pub run: RunId,
    /// Argument that names the run in commands: the ID, or the path of a directory in which
    /// commands do not look.
    #[serde(default)]
    pub name: String,
    /// Arguments of the command line; `None` in runs of builds that did not record them.
    #[serde(default)]
    pub request: Option<LoadRequest>,
    /// Plan of the run.
    pub plan: LoadPlan,
    /// Estimate of the plan's duration and CPU time; `None` if the machine's speed was not
    /// measured.
    pub estimate: Option<Estimate>,
    /// Memory in use on the host before the server was started.
    #[serde(default)]
    pub memory_before: Option<ByteSize>,
    /// SkyPilot, server and machine under test; `None` if the run ended before the server was
    /// ready.
    pub environment: Option<Environment>,
    /// Phases that took place, in their order.
    pub phases: Vec<PhaseSpan>,
    /// Figures of upstream's MONITORING SUMMARY; `None` without a profile.
    pub summary: Option<MonitoringSummary>,
    /// Results of each planned scenario.
    pub scenarios: Vec<ScenarioReport>,
    /// Log of shared resources; `None` if nothing was launched.
    pub resources: Option<ResourceLog>,
    /// Resource use of the nodes of the loopback Slurm cluster; `None` without one.
    pub nodes: Option<NodeFigures>,
    /// Time from the server's start to its end, in seconds, to compare with the estimate;
    /// `None` if the run ended early.
    #[serde(with = "units::seconds::option")]
    #[schemars(with = "Option<crate::units::Seconds>")]
    pub duration: Option<Duration>,
    /// Memory of the server; `None` without a profile.
    pub memory: Option<MemoryReport>,
    /// Executors' memory by the requests that they ran; `None` without readings of executors.
    #[serde(default)]
    pub attribution: Option<Attribution>,
    /// Number of leaked processes; `None` if the server was not stopped by `sky api stop`.
    pub leaked_processes: Option<u32>,
    /// Method and overhead of the profiler; `None` without a profile.
    pub profiler: Option<ProfilerReport>,
    /// The server's own view of the run; `None` if its metrics were not read.
    #[serde(default)]
    pub server_view: Option<ServerView>,
    /// Stated size of the server; `None` if it had the size of its machine.
    #[serde(default)]
    pub server_size: Option<ServerSize>,
    /// Coverage of the run by the profile.
    pub coverage: Coverage,
    /// Checks of the plan's budgets; empty if the server is not profiled.
    pub budgets: Vec<LimitCheck>,
    /// Checks of the plan's thresholds.
    pub thresholds: Vec<ThresholdCheck>,
    /// Verdict: the first that applies of scenario failed, over budget and inconclusive, else
    /// pass.
    pub verdict: Verdict,
    /// Findings, most severe first.
    pub findings: Vec<Finding>,
}

impl Document for Report {
    const KIND: &'static str = "report";
    const VERSION: u32 = 5;
    const OLDEST: u32 = v2::VERSION;

    fn upgrade(version: u32, content: Value) -> Value {
        let files = [
            ("plan", LoadPlan::VERSION),
            ("environment", Environment::VERSION),
            ("resources", ResourceLog::VERSION),
        ];
        let content = if version <= v2::VERSION { v2::report(content, files) } else { content };
        let content = if version <= v3::VERSION { v3::report(content) } else { content };
        v4::report(content, LoadPlan::VERSION)
    }
}

/// Method and overhead of a profiler.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProfilerReport {
    /// Method of reading peaks.
    pub level: ProfilerLevel,
    /// Whether the kernel reported fork, exec and exit events, so that short-lived processes
    /// are known too.
    pub kernel_events: bool,
    /// Requested sampling interval.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub interval: Duration,
    /// Overhead of the profiler; `None` without a process table, which has it.
    pub cost: Option<ProfilerOverhead>,
}

impl ProfilerReport {
    fn of(recording: recording::Recording<'_>) -> Option<Self> {
        let header = recording.header()?;
        Some(Self {
            level: header.level,
            kernel_events: header.kernel_events,
            interval: header.interval,
            cost: recording.cost(),
        })
    }

    /// Method of reading peaks, and the processes or peaks that it misses.
    pub(crate) fn peaks(&self) -> String {
        let level = match self.level {
            ProfilerLevel::ExitRecords => "VmHWM, exit records",
            ProfilerLevel::HighWaterMark => "VmHWM, read at each sample",
            ProfilerLevel::HighWaterMarkOfAnother => {
                "VmHWM, read at each sample; processes of another user, no PSS"
            }
            ProfilerLevel::SampledRss => "sampled RSS, short peaks are missed",
        };
        match self.kernel_events {
            true => level.to_owned(),
            false => format!("{level}; processes between two samples are missed"),
        }
    }

    /// Method of reading peaks, for a place without a heading.
    pub fn describe(&self) -> String {
        match self.level {
            ProfilerLevel::SampledRss => self.peaks(),
            _ => format!("peaks: {}", self.peaks()),
        }
    }
}

impl Report {
    /// Assembles the report from the evidence and judges the run.
    pub fn assemble(evidence: &Evidence) -> Self {
        let phases = summary::phases(&evidence.events, evidence.last_moment());
        let recording = evidence.recording();
        let memory =
            memory::assemble(recording, evidence.completed_cooldown(), summary::load_of(&phases));
        let coverage = coverage::assemble(evidence);
        let scenarios = scenarios::assemble(evidence);
        let server_view = server_view::assemble(evidence);
        let (server_size, kills) =
            (server_size::assemble(evidence), server_size::Kills::of(evidence));
        let sources = metrics::Sources {
            memory: memory.as_ref(),
            gauges: server_view.as_ref().map_or(&[], |view| &view.classes),
            leaked_processes: evidence.leaked_processes(),
            iterations: scenarios::completed(&scenarios),
        };
        let budgets = limits::budgets(evidence, sources);
        let thresholds = thresholds::assemble(evidence, server_view.as_ref());
        let judgement = judge::judge(&judge::Case {
            evidence,
            coverage: &coverage,
            server_view: server_view.as_ref(),
            server_size: server_size.as_ref(),
            kills: kills.as_ref(),
            scenarios: &scenarios,
            thresholds: &thresholds,
            budgets: &budgets,
            sources,
        });
        Self {
            version: Version,
            run: evidence.run.clone(),
            name: evidence.name.clone(),
            request: evidence.request.clone(),
            plan: evidence.plan.clone(),
            estimate: evidence.facts.as_ref().and_then(|facts| facts.estimate),
            memory_before: evidence.facts.as_ref().and_then(|facts| facts.memory_before),
            environment: evidence.environment.clone(),
            summary: summary::assemble(recording, memory.as_ref(), summary::baseline_of(&phases)),
            phases,
            resources: evidence.resources.clone(),
            nodes: evidence.nodes.clone(),
            duration: evidence.duration(),
            scenarios,
            memory,
            attribution: attribution::assemble(recording, evidence.server_requests.as_ref()),
            leaked_processes: evidence.leaked_processes(),
            profiler: ProfilerReport::of(recording),
            server_view,
            server_size,
            coverage,
            budgets,
            thresholds,
            verdict: judgement.verdict,
            findings: judgement.findings,
        }
    }

    /// Error types of all scenarios, with expected errors and those of the load generator.
    pub fn errors(&self) -> impl Iterator<Item = (ScenarioId, &FailureTally)> {
        self.scenarios
            .iter()
            .flat_map(|scenario| scenario.failures.iter().map(|kind| (scenario.id, kind)))
    }

    /// Number of completed iterations of the load, without the health probe and held connections.
    pub fn completed_iterations(&self) -> u64 {
        scenarios::completed(&self.scenarios)
    }

    /// Messages of the findings of one severity.
    pub fn messages(&self, severity: Severity) -> Vec<&str> {
        let findings = self.findings.iter().filter(|finding| finding.severity == severity);
        findings.map(|finding| finding.message.as_str()).collect()
    }

    /// Messages of findings that make the measurements invalid or incomplete, whatever the
    /// verdict. An inconclusive budget counts only in an inconclusive run: in others it concerns
    /// no more than the figure of that budget.
    pub fn doubts(&self) -> Vec<&str> {
        let findings = self.findings.iter().filter(|finding| {
            finding.severity == Severity::Inconclusive
                && (self.verdict == Verdict::Inconclusive
                    || !finding.about.as_ref().is_some_and(About::is_budget))
        });
        findings.map(|finding| finding.message.as_str()).collect()
    }

    /// Reason for the verdict, in one clause: the most severe finding without its details.
    pub fn reason(&self) -> String {
        let mut findings = self.findings.iter().filter(|found| found.severity != Severity::Note);
        let Some(worst) = findings.next() else {
            return "all budgets met, no failed iterations, measurements valid".to_owned();
        };
        // Findings put details after a semicolon.
        let clause = worst.message.split("; ").next().unwrap_or_default();
        match findings.count() {
            0 => clause.to_owned(),
            more => format!("{clause} (and {more} more)"),
        }
    }
}
