//! Content of the page for the template, which escapes everything except what
//! [`embed`](super::embed) prepares.

use std::io;

use askama::Template;

use super::data::{Axis, Chart, Data};
use super::embed::Embedded;
use super::executors::{self, ExecutorChart};
use super::figures::{self, Figure};
use super::latency::{self, Strips};
use super::table::Table;
use super::{about, charts, memory, mood};
use crate::analysis::{ChartData, Report, Severity, Verdict};
use crate::render::tables::latency::SegmentNames;
use crate::render::tables::server_view;
use crate::render::{NextStep, next_step};

/// `report.html`.
#[derive(Template)]
#[template(path = "template/page.html")]
pub(super) struct Page {
    embedded: Embedded,
    run: String,
    began: Option<String>,
    sky: String,
    verdict: Verdict,
    sentence: String,
    first_finding: Option<String>,
    next_step: NextStep,
    figures: Vec<Figure>,
    findings: Vec<Finding>,
    over_time: Vec<Drawing>,
    machine: Vec<Drawing>,
    has_spans: bool,
    without_profile: Option<&'static str>,
    budgets: Option<Table>,
    memory: Option<Table>,
    causes: Vec<String>,
    costs: Vec<Figure>,
    executors: Vec<Table>,
    executor_charts: Vec<ExecutorChart>,
    whole: Option<Table>,
    by_phase: Vec<Table>,
    looks: Vec<(&'static str, String)>,
    segment_heading: &'static str,
    strips: Strips,
    iterations: Option<Table>,
    steps: Option<Table>,
    thresholds: Option<Table>,
    has_distributions: bool,
    server_view: Vec<Table>,
    server_view_source: Option<String>,
    errors: Option<Table>,
    resources: Option<Table>,
    server_size: Option<Table>,
    overhead: Option<Table>,
    versions: Table,
    phases: Option<Table>,
}

struct Finding {
    word: &'static str,
    mood: &'static str,
    message: String,
}

/// Chart over time, and the table behind it.
pub(super) struct Drawing {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) note: String,
    pub(super) table: Table,
}

impl Page {
    pub(super) fn of(report: &Report, data: &ChartData) -> io::Result<Self> {
        let axis = Axis::of(report, data);
        let charts = axis.map_or_else(Vec::new, |axis| charts::over_time(report, data, axis));
        let executor_charts = executors::charts(data, axis);
        let (machine, over_time) = charts.iter().map(Drawing::of).partition(Drawing::is_of_machine);
        let data = Data {
            until: axis.map_or(0.0, |axis| axis.seconds(axis.end)),
            phases: axis.map_or_else(Vec::new, |axis| axis.phases(&report.phases)),
            scenarios: axis.map_or_else(Vec::new, |axis| axis.scenarios(report)),
            charts,
            distributions: latency::distributions(data),
        };
        let finding = |finding: &crate::analysis::Finding| Finding {
            word: finding.severity.name(),
            mood: match finding.severity {
                Severity::ScenarioFailed | Severity::OverBudget => "bad",
                Severity::Inconclusive => "doubtful",
                Severity::Note => "note",
            },
            message: finding.message.clone(),
        };
        let sky = report.environment.as_ref().map(|environment| environment.sky.short_name());
        Ok(Self {
            embedded: Embedded::with(&data)?,
            run: report.run.to_string(),
            began: axis.map(|axis| about::in_utc(axis.origin)),
            sky: sky.unwrap_or_else(|| "unknown".to_owned()),
            verdict: report.verdict,
            sentence: figures::sentence(report),
            first_finding: figures::first_finding(report),
            next_step: next_step(report),
            figures: figures::key_figures(report),
            findings: report.findings.iter().map(finding).collect(),
            over_time,
            machine,
            has_spans: !data.scenarios.is_empty(),
            without_profile: without_profile(report, &data.charts),
            memory: memory::classes(report),
            causes: memory::causes(report),
            costs: figures::costs(report),
            executors: memory::executors(report),
            executor_charts,
            whole: memory::whole(report),
            by_phase: memory::by_phase(report),
            budgets: memory::budgets(report),
            looks: latency::looks(report),
            segment_heading: SegmentNames::of(report).heading(),
            strips: latency::strips(report),
            iterations: latency::iterations(report),
            steps: latency::steps(report),
            thresholds: latency::thresholds(report),
            has_distributions: !data.distributions.is_empty(),
            server_view: memory::server_view(report),
            server_view_source: report.server_view.as_ref().map(server_view::source),
            errors: latency::errors(report),
            resources: about::resources(report),
            server_size: about::server_size(report),
            overhead: about::overhead(report),
            versions: about::versions(report),
            phases: about::phases(report),
        })
    }

    /// Class of the style sheet for the verdict.
    const fn mood(&self) -> &'static str {
        mood(self.verdict)
    }
}

impl Drawing {
    pub(super) fn of(chart: &Chart) -> Self {
        Self { id: chart.id, title: chart.title, note: chart.note.clone(), table: chart.table() }
    }

    fn is_of_machine(&self) -> bool {
        matches!(self.id, "cpu" | "machine-memory")
    }
}

/// Reason why there are no charts over time; `None` if there are some.
fn without_profile(report: &Report, charts: &[Chart]) -> Option<&'static str> {
    let has_gauges = report.server_view.as_ref().is_some_and(|view| !view.classes.is_empty());
    match (charts.is_empty(), report.coverage.profiled) {
        (false, _) => None,
        (true, false) if has_gauges => {
            Some("Remote server: memory sampled by the server itself, below.")
        }
        (true, false) => Some("Remote server: memory not measured."),
        (true, true) => Some("The profiler wrote no sample: server memory is unknown."),
    }
}
