//! What a run amounts to: assembled from the run directory, and judged.
//!
//! Assembling is pure: [`Evidence`] in, [`Report`] out, so any old run can be
//! reported on again.

mod chart_data;
mod coverage;
mod distributions;
mod evidence;
mod exactness;
mod growth;
mod judge;
mod kinds;
mod limits;
mod losses;
mod memory;
mod metrics;
mod profile;
mod recording;
mod scenarios;
mod server_profile;
mod snapshots;
mod summary;
mod thinning;
mod timeline;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use chart_data::ChartData;
pub use coverage::{Coverage, Gap};
pub use distributions::{Distribution, SegmentCounts};
pub use evidence::Evidence;
pub use exactness::Exactness;
pub use growth::{ClassGrowth, Growth};
pub use judge::{About, Finding, Severity, Verdict};
pub(crate) use limits::CONFIGURED;
pub use limits::{LimitCheck, LimitState};
pub use memory::{ClassMemory, MemoryReport};
pub use metrics::{Absence, Measured};
pub use profile::{PROFILE_BASELINE, ProfileEvidence, ProfileReport};
pub use scenarios::{ScenarioReport, ScenarioState, SegmentReport, Start, Stats, state};
pub use snapshots::SnapshotMemory;
pub use summary::{MonitoringSummary, PhaseSpan, UpstreamFigures};
pub use timeline::{Course, Line, Quantity, Subject, Timeline, rounded};

use crate::ids::RunId;
use crate::plan::LoadPlan;
use crate::record::environment::Environment;
use crate::record::nodes::NodeFigures;
use crate::record::outcome::FailureTally;
use crate::record::profile::{ProfilerLevel, ProfilerOverhead};
use crate::record::request::LoadRequest;
use crate::record::resources::ResourceLog;
use crate::record::{Document, Estimate, Version, v2};
use crate::scenario::ScenarioId;
use crate::units;
use crate::units::ByteSize;

/// What a run amounts to: `report.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Report {
    /// Format of this file.
    pub version: Version<3>,
    /// Which run.
    pub run: RunId,
    /// How commands are told which run: its id, or its directory where they would not
    /// look for it.
    #[serde(default)]
    pub name: String,
    /// What was typed; `None` of runs that did not write it down.
    #[serde(default)]
    pub request: Option<LoadRequest>,
    /// What was asked for.
    pub plan: LoadPlan,
    /// What the plan was to take; `None` where the machine's speed was not measured.
    pub estimate: Option<Estimate>,
    /// Memory in use on the host before the server was started.
    #[serde(default)]
    pub memory_before: Option<ByteSize>,
    /// What was found; `None` when the run ended before the server was ready.
    pub environment: Option<Environment>,
    /// The phases that took place.
    pub phases: Vec<PhaseSpan>,
    /// The original tool's figures; `None` without a profile.
    pub summary: Option<MonitoringSummary>,
    /// Each planned scenario.
    pub scenarios: Vec<ScenarioReport>,
    /// What scenarios shared; `None` where nothing was launched.
    pub resources: Option<ResourceLog>,
    /// What the nodes of the loopback infrastructure cost; `None` without one.
    pub nodes: Option<NodeFigures>,
    /// From the server's start to its end, as the plan's estimate counts; `None` when
    /// the run did not come to its end.
    #[serde(with = "units::seconds::option")]
    #[schemars(with = "Option<crate::units::Seconds>")]
    pub duration: Option<Duration>,
    /// Memory of the server; `None` without a profile.
    pub memory: Option<MemoryReport>,
    /// Processes that a stop of the server left behind; `None` when it was not stopped.
    pub leaked_processes: Option<u32>,
    /// How the profile was made; `None` without one.
    pub profiler: Option<ProfilerReport>,
    /// What of the run the profile covers.
    pub coverage: Coverage,
    /// Each configured budget.
    pub budgets: Vec<LimitCheck>,
    /// Each configured threshold for latencies.
    pub thresholds: Vec<LimitCheck>,
    /// Verdict: the first that applies of scenario failed, over budget and inconclusive.
    pub verdict: Verdict,
    /// Findings, gravest first.
    pub findings: Vec<Finding>,
}

impl Document for Report {
    const KIND: &'static str = "report";
    const VERSION: u32 = 3;
    const OLDEST: u32 = v2::VERSION;

    fn upgrade(_version: u32, content: Value) -> Value {
        v2::report(
            content,
            [
                ("plan", LoadPlan::VERSION),
                ("environment", Environment::VERSION),
                ("resources", ResourceLog::VERSION),
            ],
        )
    }
}

/// How a profile was made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProfilerReport {
    /// How peaks were read.
    pub level: ProfilerLevel,
    /// Whether the kernel told of each process, however brief.
    pub kernel_events: bool,
    /// The distance between two ticks that was asked for.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub interval: Duration,
    /// What it cost; `None` when the profiler was killed before it could say.
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

    /// How peaks were read, and what that leaves in the dark, as the value of a fact.
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

    /// The same as a clause.
    pub fn describe(&self) -> String {
        match self.level {
            ProfilerLevel::SampledRss => self.peaks(),
            _ => format!("peaks: {}", self.peaks()),
        }
    }
}

impl Report {
    /// Assembles and judges.
    pub fn assemble(evidence: &Evidence) -> Self {
        let phases = summary::phases(&evidence.events, evidence.last_moment());
        let recording = evidence.recording();
        let memory = memory::assemble(recording, evidence.came_to_rest());
        let coverage = coverage::assemble(evidence);
        let scenarios = scenarios::assemble(evidence);
        let sources = metrics::Sources {
            memory: memory.as_ref(),
            leaked_processes: evidence.leaked_processes(),
            outcomes: &evidence.outcomes,
        };
        let budgets = limits::budgets(evidence, sources);
        let thresholds = limits::thresholds(evidence, sources);
        let judgement = judge::judge(&judge::Case {
            evidence,
            coverage: &coverage,
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
            estimate: evidence.facts.and_then(|facts| facts.estimate),
            memory_before: evidence.facts.and_then(|facts| facts.memory_before),
            environment: evidence.environment.clone(),
            summary: summary::assemble(recording, memory.as_ref(), summary::baseline_of(&phases)),
            phases,
            resources: evidence.resources.clone(),
            nodes: evidence.nodes.clone(),
            duration: evidence.duration(),
            scenarios,
            memory,
            leaked_processes: evidence.leaked_processes(),
            profiler: ProfilerReport::of(recording),
            coverage,
            budgets,
            thresholds,
            verdict: judgement.verdict,
            findings: judgement.findings,
        }
    }

    /// Types of errors of all scenarios, expected ones and the load generator's included.
    pub fn errors(&self) -> impl Iterator<Item = (ScenarioId, &FailureTally)> {
        self.scenarios
            .iter()
            .flat_map(|scenario| scenario.failures.iter().map(|kind| (scenario.id, kind)))
    }

    /// Messages of the findings of one severity.
    pub fn messages(&self, severity: Severity) -> Vec<&str> {
        let findings = self.findings.iter().filter(|finding| finding.severity == severity);
        findings.map(|finding| finding.message.as_str()).collect()
    }

    /// Reasons why the run as a whole proves nothing, whatever else was found. A doubt about one
    /// budget says only how far that budget's figure can be relied upon.
    pub fn doubts(&self) -> Vec<&str> {
        let findings = self.findings.iter().filter(|finding| {
            finding.severity == Severity::Inconclusive
                && (self.verdict == Verdict::Inconclusive
                    || !finding.about.as_ref().is_some_and(About::is_budget))
        });
        findings.map(|finding| finding.message.as_str()).collect()
    }

    /// Reason of the verdict, in one clause: the gravest finding without its details.
    pub fn reason(&self) -> String {
        let mut findings = self.findings.iter().filter(|found| found.severity != Severity::Note);
        let Some(gravest) = findings.next() else {
            return "all budgets met, no failed iterations, measurements valid".to_owned();
        };
        let clause = gravest.message.split("; ").next().unwrap_or_default();
        match findings.count() {
            0 => clause.to_owned(),
            1 => format!("{clause} (and 1 more finding)"),
            more => format!("{clause} (and {more} more findings)"),
        }
    }
}
