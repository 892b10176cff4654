//! Data of the charts in the HTML report, too large for `report.json`.

use super::attribution::{self, ExecutorLines};
use super::distributions::{self, Distribution};
use super::timeline::{self, TimeSeries, Timeline};
use super::{Evidence, Report, load_timeline, readings_timeline};

/// Time series and latency distributions of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartData {
    /// Time series of the profile.
    pub timeline: Timeline,
    /// Time series of the readings of single processes.
    pub readings: Vec<TimeSeries>,
    /// RSS of each executor by request; empty without readings of executors.
    pub executors: Vec<ExecutorLines>,
    /// Time series of the load.
    pub load: Vec<TimeSeries>,
    /// Latency distributions of iterations and steps.
    pub distributions: Vec<Distribution>,
}

impl ChartData {
    /// Assembles the chart data of a run from its report and evidence.
    pub fn assemble(report: &Report, evidence: &Evidence) -> Self {
        Self {
            timeline: timeline::assemble(evidence),
            readings: readings_timeline::assemble(evidence),
            executors: attribution::executor_lines(
                evidence.recording(),
                evidence.server_requests.as_ref(),
            ),
            load: load_timeline::assemble(evidence),
            distributions: distributions::assemble(&report.scenarios, evidence),
        }
    }
}
