//! Tables of the latency of iterations and of their steps.

use super::{Cell, Table};
use crate::analysis::{Report, ScenarioReport, SegmentReport, Start, Stats};
use crate::metric::{Amount, ScenarioMetric, Unit};
use crate::render::format::seconds;

/// Headings of [`in_seconds`].
pub(in crate::render) fn headings() -> impl Iterator<Item = &'static str> {
    latencies().map(|statistic| statistic.row().heading)
}

/// Statistics of a distribution of latencies.
fn latencies() -> impl Iterator<Item = ScenarioMetric> {
    let all = ScenarioMetric::ALL.iter().copied();
    all.filter(|statistic| statistic.row().unit == Unit::Duration)
}

/// Iterations of every segment, in seconds; `None` if none ran.
pub(in crate::render) fn iterations(report: &Report) -> Option<Table> {
    if report.scenarios.iter().all(|scenario| scenario.segments.is_empty()) {
        return None;
    }
    let per_second = ScenarioMetric::Throughput.row().heading;
    let lost = Lost::of(report);
    let segment = SegmentNames::of(report).heading();
    let columns = ["scenario", segment, "iterations", "expected", "failed"];
    let columns = columns.into_iter().chain(lost.headings()).chain([per_second]);
    let headings: Vec<&str> = columns.chain(headings()).collect();
    let mut table = Table::new(&headings, 2);
    for scenario in &report.scenarios {
        table
            .rows
            .extend(scenario.segments.iter().map(|segment| iterations_of(scenario, segment, lost)));
        if scenario.segments.is_empty() {
            let mut row = vec![Cell::plain(scenario.id), Cell::plain("none")];
            row.resize_with(headings.len(), Cell::blank);
            table.rows.push(row);
        }
    }
    table.notes.extend(missing_p999(report));
    Some(table)
}

/// Names for the segments of a report: synchronized iterations, stages, or some of both.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::render) enum SegmentNames {
    /// Synchronized iterations, named by their starts.
    Iterations,
    /// Stages of a load that lasts for a time.
    Stages,
    /// Iterations of some scenarios, stages of others.
    Both,
}

impl SegmentNames {
    pub(in crate::render) fn of(report: &Report) -> Self {
        let ran = || report.scenarios.iter().filter(|scenario| !scenario.segments.is_empty());
        match (ran().any(|one| !one.is_timed()), ran().any(ScenarioReport::is_timed)) {
            (_, false) => Self::Iterations,
            (false, true) => Self::Stages,
            (true, true) => Self::Both,
        }
    }

    /// Heading of a column of segments.
    pub(in crate::render) const fn heading(self) -> &'static str {
        match self {
            Self::Iterations => "start",
            Self::Stages => "stage",
            Self::Both => "start or stage",
        }
    }

    /// Meaning of a kind of start, for a legend.
    pub(in crate::render) fn meaning(self, start: Start) -> String {
        let (one, several) = match self {
            Self::Iterations => ("iteration", "iterations"),
            Self::Stages => ("stage", "stages"),
            Self::Both => ("iteration or stage", "iterations or stages"),
        };
        match start {
            Start::Cold => format!("cold: first {one} after the start of the server"),
            Start::Warm => format!("warm: later {several}"),
            Start::Unknown => "unknown start: the server was not restarted".to_owned(),
        }
    }
}

/// Iterations without a result that a report has, each a column of its own.
#[derive(Clone, Copy)]
struct Lost {
    dropped: bool,
    interrupted: bool,
}

impl Lost {
    fn of(report: &Report) -> Self {
        Self {
            dropped: report.scenarios.iter().any(|scenario| scenario.dropped() > 0),
            interrupted: report.scenarios.iter().any(|scenario| scenario.interrupted() > 0),
        }
    }

    fn headings(self) -> impl Iterator<Item = &'static str> {
        let dropped = self.dropped.then_some("dropped");
        dropped.into_iter().chain(self.interrupted.then_some("interrupted"))
    }

    fn cells(self, segment: &SegmentReport) -> impl Iterator<Item = Cell> {
        let dropped = self.dropped.then(|| segment.dropped.map_or(Cell::blank(), Cell::plain));
        let interrupted = self.interrupted.then(|| Cell::plain(segment.interrupted));
        dropped.into_iter().chain(interrupted)
    }
}

/// Note on segments with too few iterations for the 99.9th percentile; `None` if all have it.
pub(in crate::render) fn missing_p999(report: &Report) -> Option<String> {
    let row = ScenarioMetric::P999.row();
    let segments = report.scenarios.iter().flat_map(|scenario| &scenario.segments);
    let mut stats = segments.filter_map(|segment| segment.iteration_duration);
    let is_missing = stats.any(|stats| stats.count < row.samples);
    is_missing.then(|| format!("{} needs {} iterations", row.name, in_thousands(row.samples)))
}

/// Number with a comma between the thousands.
fn in_thousands(number: u64) -> String {
    match number / 1_000 {
        0 => number.to_string(),
        thousands => format!("{thousands},{:03}", number % 1_000),
    }
}

fn iterations_of(scenario: &ScenarioReport, segment: &SegmentReport, lost: Lost) -> Vec<Cell> {
    let completed = segment.completed();
    let iterations = match completed == segment.scheduled {
        true => completed.to_string(),
        false => format!("{completed}/{}", segment.scheduled),
    };
    let counts = [
        Cell::plain(scenario.id),
        Cell::plain(scenario.segment_name(segment)),
        Cell::Plain(iterations),
        match segment.unjudged {
            0 => Cell::plain(segment.expected_errors),
            unjudged => Cell::Plain(format!("{} + {unjudged}?", segment.expected_errors)),
        },
        match segment.client_failed {
            0 => Cell::plain(segment.failed),
            by_client => Cell::Plain(format!("{} + {by_client} generator", segment.failed)),
        },
    ];
    let rate = Cell::amount(segment.throughput.map(Amount::Rate));
    let stats = segment.iteration_duration.as_ref();
    let figures = latencies().map(|statistic| shown(stats, statistic));
    counts.into_iter().chain(lost.cells(segment)).chain([rate]).chain(figures).collect()
}

/// Scenarios without those that accompany the load, one row each; `None` if no iteration ran.
pub(in crate::render) fn by_scenario(report: &Report) -> Option<Table> {
    let scenarios = || report.scenarios.iter().filter(|one| !one.id.kind().accompanies_load());
    if scenarios().all(|scenario| scenario.segments.is_empty()) {
        return None;
    }
    let has_expected = scenarios().any(|one| one.expected_errors() > 0 || one.unjudged() > 0);
    let medians = Median::columns(scenarios());
    let mut headings = vec!["scenario", "users", "iterations"];
    headings.extend(has_expected.then_some("expected"));
    headings.push("failed");
    headings.extend(medians.iter().map(|median| median.heading()));
    headings.extend(["p95", "max", "status"]);
    let mut table = Table::new(&headings, 1);
    for scenario in scenarios() {
        let mut row = vec![
            Cell::plain(scenario.id),
            // An arrival rate has no users, only a most of iterations at a time.
            match scenario.has_arrival_rate() {
                true => Cell::Unknown,
                false => Cell::plain(scenario.users),
            },
            Cell::plain(scenario.completed()),
        ];
        row.extend(has_expected.then(|| match scenario.unjudged() {
            0 => Cell::plain(scenario.expected_errors()),
            unjudged => Cell::Plain(format!("{} + {unjudged}?", scenario.expected_errors())),
        }));
        row.push(Cell::plain(scenario.failed()));
        row.extend(medians.iter().map(|median| median.cell(scenario)));
        let stats = scenario.iteration_duration.as_ref();
        row.extend([ScenarioMetric::P95, ScenarioMetric::Max].map(|metric| shown(stats, metric)));
        row.push(Cell::plain(scenario.state.name()));
        table.rows.push(row);
    }
    if medians.contains(&Median::Of(Start::Cold)) {
        table.notes.push("cold: first iteration, executors start; warm: last one".to_owned());
    }
    Some(table)
}

/// Column with medians of iterations.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Median {
    /// Median of the synchronized iteration with this start.
    Of(Start),
    /// Median of all iterations but a warm-up's.
    Whole,
}

impl Median {
    /// Columns for these scenarios. A load that lasts for a time has no synchronized iterations.
    fn columns<'a>(scenarios: impl Iterator<Item = &'a ScenarioReport>) -> Vec<Self> {
        let ran: Vec<_> = scenarios.filter(|one| !one.segments.is_empty()).collect();
        let is_unknown = |segment: &SegmentReport| segment.start == Start::Unknown;
        if ran.iter().flat_map(|one| &one.segments).any(is_unknown) {
            return vec![Self::Of(Start::Unknown)];
        }
        let synchronized = [Self::Of(Start::Cold), Self::Of(Start::Warm)];
        match ran.iter().filter(|one| one.is_timed()).count() {
            0 => synchronized.to_vec(),
            all if all == ran.len() => vec![Self::Whole],
            _ => synchronized.into_iter().chain([Self::Whole]).collect(),
        }
    }

    const fn heading(self) -> &'static str {
        match self {
            Self::Of(Start::Cold) => "cold p50",
            Self::Of(Start::Warm) => "warm p50",
            Self::Of(Start::Unknown) | Self::Whole => "p50",
        }
    }

    fn cell(self, scenario: &ScenarioReport) -> Cell {
        let stats = match (self, scenario.is_timed()) {
            (Self::Whole, _) | (Self::Of(Start::Unknown), true) => {
                scenario.iteration_duration.as_ref()
            }
            (Self::Of(_), true) => return Cell::blank(),
            (Self::Of(start), false) => {
                // Of several warm iterations, the last one is the furthest from the cold start.
                let segment = scenario.segments.iter().rfind(|segment| segment.start == start);
                segment.and_then(|segment| segment.iteration_duration.as_ref())
            }
        };
        shown(stats, ScenarioMetric::P50)
    }
}

/// Steps of each scenario's last iteration, or of its largest stage; `None` if no iteration has
/// more than one step.
pub(in crate::render) fn steps<'a>(
    scenarios: impl Iterator<Item = &'a ScenarioReport>,
) -> Option<Table> {
    let headings: Vec<&str> = ["scenario", "step", "count"].into_iter().chain(headings()).collect();
    let mut table = Table::new(&headings, 2);
    for scenario in scenarios {
        let Some(segment) = segment_of_steps(scenario) else { continue };
        // An iteration of one step is in the table of iterations already.
        if segment.steps.len() < 2 {
            continue;
        }
        for (step, stats) in &segment.steps {
            let names = [Cell::plain(scenario.id), Cell::plain(step), Cell::plain(stats.count)];
            table.row(names.into_iter().chain(in_seconds(stats)));
        }
        if scenario.stages().count() > 1 {
            let (id, stage) = (scenario.id, scenario.segment_name(segment));
            table.notes.push(format!("{id}: stage `{stage}`, which has the most iterations"));
        }
    }
    (!table.is_empty()).then_some(table)
}

/// Segment whose steps are shown. The last stage often only ends the load, so it is the one with
/// the most iterations.
fn segment_of_steps(scenario: &ScenarioReport) -> Option<&SegmentReport> {
    match scenario.is_timed() {
        true => scenario.stages().max_by_key(|stage| stage.completed()),
        false => scenario.segments.last(),
    }
}

/// Latencies of a distribution, under [`headings`].
pub(in crate::render) fn in_seconds(stats: &Stats) -> impl Iterator<Item = Cell> {
    latencies().map(|statistic| shown(Some(stats), statistic))
}

/// Latency in seconds; unknown if there are too few samples for the statistic.
pub(in crate::render) fn shown(stats: Option<&Stats>, statistic: ScenarioMetric) -> Cell {
    let latency = stats.and_then(|stats| stats.shown(statistic));
    latency.map_or(Cell::Unknown, |latency| Cell::Plain(seconds(latency)))
}
