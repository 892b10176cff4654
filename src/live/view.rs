//! View of a run in progress: what a page shows of it.

use std::time::Duration;

use serde::Serialize;

use crate::analysis::Verdict;
use crate::class::ProcessClass;
use crate::record::outcome::WindowLatency;
use crate::record::profile::SystemSample;
use crate::units::{self, ByteSize};

/// View of a run at one time.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct View {
    /// ID of the run.
    pub run: String,
    /// Place in a set of runs, such as `run 2 of 3`; `None` for a single run.
    pub place: Option<String>,
    /// Name of the plan.
    pub plan: String,
    /// Version of SkyPilot; `None` until the server has started.
    pub sky: Option<String>,
    /// Name of the phase, or of what a run does outside of all phases.
    pub phase: &'static str,
    /// Time since the start of the phase, in seconds.
    #[serde(with = "units::seconds")]
    pub in_phase: Duration,
    /// Time since the start of the run, in seconds.
    #[serde(with = "units::seconds")]
    pub elapsed: Duration,
    /// Estimate of the time that the run still takes, in seconds; `None` if it cannot be told.
    #[serde(with = "units::seconds::option")]
    pub left: Option<Duration>,
    /// Memory by class, in the order of reports.
    pub memory: Vec<ClassView>,
    /// Figures of all processes of the server; `None` before the first sample.
    pub totals: Option<Totals>,
    /// Scenarios of the load, in the order of the plan.
    pub scenarios: Vec<ScenarioView>,
    /// Messages about events of the run, oldest first.
    pub notes: Vec<String>,
    /// End of the run; `None` while it runs.
    pub ending: Option<Ending>,
}

/// Processes of one class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClassView {
    /// Class.
    pub class: ProcessClass,
    /// Number of processes.
    pub count: u32,
    /// Number of threads.
    pub threads: u32,
    /// Sum of RSS.
    pub rss_sum: ByteSize,
    /// RSS of the largest process.
    pub largest: ByteSize,
    /// Largest peak of a process so far; `None` if none was read.
    pub peak: Option<ByteSize>,
    /// Budget on the largest peak; `None` without one, and until SkyPilot's constants are known.
    pub budget: Option<ByteSize>,
}

/// Figures of all processes of the server.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Totals {
    /// Time since the figures were read, in seconds.
    #[serde(with = "units::seconds")]
    pub age: Duration,
    /// Number of processes.
    pub processes: u32,
    /// Number of executors, those that still start included.
    pub executors: u32,
    /// Number of threads.
    pub threads: u32,
    /// Number of zombies.
    pub zombies: u32,
    /// Sum of RSS.
    pub rss_sum: ByteSize,
    /// PSS at the end of the last phase; `None` before the first.
    pub pss: Option<Pss>,
    /// CPU and memory of the machine; `None` until it was read.
    pub machine: Option<SystemSample>,
}

/// PSS of all processes at the end of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pss {
    /// Name of the phase.
    pub phase: &'static str,
    /// Sum of PSS.
    pub size: ByteSize,
}

/// Scenario of the load.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ScenarioView {
    /// Full name.
    pub name: String,
    /// Whether the scenario is the health probe.
    pub is_probe: bool,
    /// Whether the scenario accompanies the load of the others, whose iterations count apart.
    pub accompanies_load: bool,
    /// State.
    pub state: LoadState,
    /// Number of active iterations.
    pub active: u64,
    /// Number of iterations that ended, failed ones included.
    pub ended: u64,
    /// Number of iterations that failed.
    pub failed: u64,
    /// Number of arrivals without a start.
    pub dropped: u64,
    /// Latencies of the iterations that ended last; `None` if there are none.
    pub latency: Option<WindowLatency>,
}

/// State of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadState {
    /// Not started.
    Waiting,
    /// Started.
    Running,
    /// Ended, with a result.
    Done,
}

/// End of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ending {
    /// Verdict, which a renderer names.
    #[serde(skip)]
    pub verdict: Verdict,
    /// Sentence with the reason.
    pub sentence: String,
    /// Path of the HTML report.
    pub report: String,
}
