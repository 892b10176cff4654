//! Run as a comparison sees it: conditions, amounts and failures, without the rest of a report.

use std::collections::{BTreeMap, BTreeSet};

use super::attribution::of_run::RunAttribution;
use super::conditions::Conditions;
use crate::analysis::{Report, Severity};
use crate::ids::RunId;
use crate::metric::{Amount, ComparedMetric, Metric};
use crate::record::environment::PythonPackages;
use crate::scenario::ScenarioId;

/// Run that is compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MeasuredRun {
    /// Run.
    pub(super) run: RunId,
    /// Reason to leave the run out; `None` for a usable run.
    pub(super) unusable: Option<String>,
    /// Conditions of the run.
    pub(super) conditions: Conditions,
    /// Python and packages that SkyPilot ran on; `None` if unknown.
    pub(super) packages: Option<PythonPackages>,
    /// Amounts of the metrics that were measured.
    pub(super) amounts: BTreeMap<ComparedMetric, MeasuredAmount>,
    /// Executors' memory by requests; `None` without readings of executors.
    pub(super) attribution: Option<RunAttribution>,
    /// Errors by scenario and type, each with its first message.
    pub(super) errors: BTreeMap<(ScenarioId, String), String>,
    /// Scenarios and thresholds that failed, and setup or teardown.
    pub(super) failed: BTreeSet<String>,
    /// Number of processes that the kernel killed at the server's size.
    pub(super) kills_at_size: u64,
}

/// Amount of a metric in a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MeasuredAmount {
    pub(super) amount: Amount,
    /// Whether the amount is a lower bound.
    pub(super) is_lower_bound: bool,
}

/// Name of a failure of setup or teardown, which concern no scenario.
const SETUP_OR_TEARDOWN: &str = "setup or teardown";

impl MeasuredRun {
    /// Run of a report.
    pub(super) fn of(report: &Report) -> Self {
        let measured =
            ComparedMetric::all().filter_map(|metric| Some((metric, report.compared(metric)?)));
        Self {
            run: report.run.clone(),
            unusable: unusable(report),
            conditions: Conditions::of(report),
            packages: report.environment.as_ref().and_then(|it| it.sky.packages.clone()),
            amounts: measured.collect(),
            attribution: report.attribution.as_ref().map(RunAttribution::of),
            errors: errors(report),
            failed: failed(report),
            kills_at_size: report.server_size.as_ref().map_or(0, |size| size.kills),
        }
    }
}

/// Reason to leave a run out: its measurements are invalid or incomplete.
pub fn unusable(report: &Report) -> Option<String> {
    let doubts = report.doubts();
    let first = doubts.first().map(|doubt| format!("inconclusive: {doubt}"));
    first.or_else(|| {
        report.environment.is_none().then(|| "no record of the SkyPilot under test".to_owned())
    })
}

/// Errors of a report's scenarios that are no fault of the clients, each with its first message.
fn errors(report: &Report) -> BTreeMap<(ScenarioId, String), String> {
    let of_server = report.errors().filter(|(_, found)| {
        found.is_error() && found.example.client_fault().is_none() && found.count > 0
    });
    of_server
        .map(|(id, found)| ((id, found.example.error_type.clone()), found.example.to_string()))
        .collect()
}

/// Scenarios and thresholds that failed, and setup or teardown.
fn failed(report: &Report) -> BTreeSet<String> {
    let findings = report.findings.iter();
    let failed = findings.filter(|finding| finding.severity == Severity::ScenarioFailed);
    failed
        .map(|finding| match &finding.about {
            Some(about) => about.to_string(),
            None => SETUP_OR_TEARDOWN.to_owned(),
        })
        .collect()
}

impl Report {
    /// Amount of a compared metric; `None` if it was not measured.
    fn compared(&self, metric: ComparedMetric) -> Option<MeasuredAmount> {
        let (amount, is_lower_bound) = match metric {
            ComparedMetric::Server(metric) => {
                let measured = match metric {
                    Metric::Class(class, statistic) => self.of_class(class, statistic),
                    Metric::Server(statistic) => self.of_server(statistic),
                };
                (measured.amount(), measured.is_lower_bound())
            }
            ComparedMetric::Latency(id, statistic) => {
                let scenario = self.scenarios.iter().find(|scenario| scenario.id == id);
                let stats = scenario.and_then(|scenario| scenario.iteration_duration);
                let latency = stats.and_then(|stats| stats.shown(statistic));
                (latency.map(Amount::Duration), false)
            }
        };
        Some(MeasuredAmount { amount: amount?, is_lower_bound })
    }
}
