//! Verdict as a sentence, first finding, and key figures.

use crate::analysis::{
    About, LimitCheck, LimitState, Report, RequestCost, ScenarioReport, Severity, Verdict,
};
use crate::metric::{Metric, Place, ServerMetric};
use crate::record::resources::{ResourceLog, ResourceStep, Stage};
use crate::scenario::ScenarioKind;
use crate::units::{ByteSize, Percent, as_gib, as_mib, counted, total};

/// Key figure of the report.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) detail: String,
    /// Percentage of the limit, at most 100; `None` without a limit.
    pub(super) share: Option<String>,
    /// Whether the figure exceeds its limit.
    pub(super) is_over: bool,
}

/// Growth of executors by each kind of request, with bars. Kinds without growth are left out.
pub(super) fn costs(report: &Report) -> Vec<Figure> {
    /// Maximum number of bars.
    const MAX_KINDS: usize = 12;
    let costs = report.attribution.iter().flat_map(|attribution| &attribution.costs);
    let costs: Vec<_> = costs
        .filter_map(|cost| Some((cost, cost.growth_max.filter(|growth| growth.as_u64() > 0)?)))
        .take(MAX_KINDS)
        .collect();
    // Costs are in the order of their growth.
    let largest = costs.first().map_or(0, |(_, growth)| growth.as_u64());
    let figure = |(cost, growth): &(&RequestCost, ByteSize)| Figure {
        name: cost.kind.to_string(),
        value: format!("+{:.1} MiB", as_mib(*growth)),
        detail: format!(
            "largest of {} in {}",
            counted(cost.seen, "request"),
            counted(cost.executors, "executor")
        ),
        share: Percent::of(growth.as_u64(), largest).map(|share| format!("{:.1}%", share.value())),
        is_over: false,
    };
    costs.iter().map(figure).collect()
}

/// Sentence about the verdict, shown after its name.
pub fn sentence(report: &Report) -> String {
    match report.verdict {
        Verdict::Pass => "all budgets met, no failed iterations, measurements valid.".to_owned(),
        Verdict::OverBudget => exceeded(report),
        Verdict::ScenarioFailed => failed(report).to_owned(),
        Verdict::Inconclusive => "measurements are invalid or incomplete.".to_owned(),
    }
}

/// Subjects of the findings of a severity; `None` for a finding about the run.
fn about(report: &Report, severity: Severity) -> impl Iterator<Item = Option<&About>> {
    let findings = report.findings.iter();
    findings.filter(move |found| found.severity == severity).map(|found| found.about.as_ref())
}

fn exceeded(report: &Report) -> String {
    // Only kills exceed a limit of the run as a whole.
    if about(report, Severity::OverBudget).any(|about| about.is_none()) {
        return "the kernel killed processes at the server's size.".to_owned();
    }
    let names: Vec<String> =
        about(report, Severity::OverBudget).flatten().map(About::to_string).collect();
    match &names[..] {
        [] => "a budget was exceeded.".to_owned(),
        [name] => format!("the budget for {name} was exceeded."),
        names => format!("budgets were exceeded: {}.", names.join(", ")),
    }
}

/// Sentence about a failed scenario: failed iterations first, then thresholds, setup and teardown.
fn failed(report: &Report) -> &'static str {
    let about = || about(report, Severity::ScenarioFailed).flatten();
    let is_setup = |(step, _): (&ResourceStep, _)| step.stage == Stage::SetUp;
    if about().any(|about| matches!(about, About::Scenario(_))) {
        "iterations failed or timed out."
    } else if about().next().is_some() {
        "threshold breached."
    } else if report.resources.iter().flat_map(ResourceLog::failed).any(is_setup) {
        "setup of shared resources failed."
    } else {
        "teardown failed; resources may still exist."
    }
}

/// Most severe finding; `None` if the verdict is a pass.
pub(super) fn first_finding(report: &Report) -> Option<String> {
    let finding = report.findings.first()?;
    // Findings of a pass are notes.
    (report.verdict != Verdict::Pass).then(|| finding.message.clone())
}

pub(super) fn key_figures(report: &Report) -> Vec<Figure> {
    let mut figures: Vec<Figure> =
        report.budgets.iter().filter_map(|check| of_budget(report, check)).collect();
    figures.extend(of_server(report));
    if report.scenarios.iter().all(|scenario| scenario.segments.is_empty()) {
        return figures;
    }
    let of_kind = |kind| report.scenarios.iter().filter(move |one| one.id.kind() == kind);
    if of_kind(ScenarioKind::Hold).next().is_some() {
        let held = || of_kind(ScenarioKind::Hold);
        let failed = total(held().map(ScenarioReport::failed));
        let reconnects = total(held().map(ScenarioReport::retries));
        let detail = format!("{failed} failed, {reconnects} reconnects");
        let connections = total(held().map(ScenarioReport::completed)).to_string();
        figures
            .push(Figure { is_over: failed > 0, ..plain("held connections", connections, detail) });
    }
    let of_users = || report.scenarios.iter().filter(|one| !one.id.kind().accompanies_load());
    if of_users().next().is_none() {
        return figures;
    }
    let completed = report.completed_iterations();
    let failed = total(of_users().map(ScenarioReport::failed));
    let detail = match total(of_users().map(ScenarioReport::client_failed)) {
        0 => format!("{failed} failed"),
        by_client => format!("{failed} failed, {by_client} in the load generator"),
    };
    figures
        .push(Figure { is_over: failed > 0, ..plain("iterations", completed.to_string(), detail) });
    figures
}

/// Key figures of the whole server, with the peak of its RSS as detail.
fn of_server(report: &Report) -> impl Iterator<Item = Figure> {
    let rss = report.of_server(ServerMetric::TreeRss).size();
    let rss = rss.map_or_else(String::new, |peak| format!("{:.2} GiB RSS", as_gib(peak)));
    let keys = ServerMetric::ALL.iter().filter(|one| one.row().place == Place::KeyFigure);
    keys.filter_map(move |statistic| {
        let amount = report.of_server(*statistic).amount()?;
        Some(plain(statistic.row().heading, amount.to_string(), rss.clone()))
    })
}

fn of_budget(report: &Report, check: &LimitCheck) -> Option<Figure> {
    let (limit, measured) = (check.limit?, check.measured_text()?);
    let name = match check.metric {
        Metric::Class(class, statistic) => format!("{} {class}", statistic.row().heading),
        metric => metric.to_string(),
    };
    let is_over = check.state == LimitState::Over;
    let (at_least, at_most, by_at_least) = match report.is_lower_bound(check.metric) {
        true => ("≥ ", "at most ", "at least "),
        false => ("", "", ""),
    };
    // The share of an estimate that decides nothing would read as a result.
    let is_undecided = check.state == LimitState::Undecided;
    let headroom = check.headroom().filter(|_| !is_undecided);
    let result = match headroom {
        None if is_undecided => ", undecided".to_owned(),
        Some(headroom) if is_over => format!(", OVER by {by_at_least}{:.0}%", -headroom),
        Some(headroom) => format!(", {at_most}{headroom:.0}% left"),
        None if is_over => ", OVER".to_owned(),
        None => String::new(),
    };
    Some(Figure {
        name,
        value: format!("{at_least}{measured}"),
        detail: format!("of {limit}{result}"),
        share: headroom.map(|left| format!("{:.1}%", (100.0 - left).clamp(0.0, 100.0))),
        is_over,
    })
}

fn plain(name: &str, value: String, detail: String) -> Figure {
    Figure { name: name.to_owned(), value, detail, share: None, is_over: false }
}
