//! Page of a comparison: its tables, the amounts of each pair, and the curves of all runs over one
//! another.

use std::io::{self, Write};
use std::time::Duration;

use askama::Template;

use super::data::{Chart, Data, Series};
use super::embed::Embedded;
use super::page::Drawing;
use super::table::Table;
use crate::analysis::{ChartData, Quantity, Report, Subject, Timeline};
use crate::clock::Timestamp;
use crate::comparison::{Comparison, ComparisonVerdict, MetricComparison, Pairing, Role};
use crate::ids::RunId;
use crate::metric::Amount;
use crate::record::profile::Phase;
use crate::render::comparison::notes::{self, FEW_PACKAGES, basis, warnings};
use crate::render::comparison::{attribution, rows};
use crate::render::text::Detail;

/// Most intervals of the time axis, in each of which a curve has one point.
const POINTS: u32 = 600;

/// Curves of a run.
#[derive(Clone, Debug)]
pub struct Curves {
    run: RunId,
    timeline: Timeline,
    /// Start of the load, at which the curves of all runs are aligned.
    load_began: Timestamp,
}

impl Curves {
    /// Curves of a run; `None` without a load or without samples.
    pub fn of(report: &Report, data: ChartData) -> Option<Self> {
        let load = report.phases.iter().find(|span| span.phase == Phase::Load)?;
        data.timeline.span?;
        let (run, load_began) = (report.run.clone(), load.began);
        Some(Self { run, timeline: data.timeline, load_began })
    }

    /// Longest time between two neighbouring points of a line, without those at a gap. A long run
    /// has points only at the ends of its chunks, which are longer where samples are rarer.
    fn time_between_points(&self) -> Duration {
        let series = self.timeline.series.iter();
        let lines = series.flat_map(|series| {
            series.lines.iter().map(|line| series.times.iter().zip(&line.values))
        });
        let times = lines.flat_map(|points| {
            let neighbours = points.clone().zip(points.skip(1));
            // A gap has a point without a value.
            let known =
                neighbours.filter(|((_, before), (_, after))| before.is_some() && after.is_some());
            known.map(|((from, _), (to, _))| to.since(*from))
        });
        times.max().unwrap_or_default()
    }

    /// Time before the load, with samples.
    fn before_load(&self) -> Duration {
        self.timeline.span.map_or(Duration::ZERO, |(first, _)| self.load_began.since(first))
    }

    /// Time from the start of the load to the last sample.
    fn after_start(&self) -> Duration {
        self.timeline.span.map_or(Duration::ZERO, |(_, last)| last.since(self.load_began))
    }
}

/// `compare.html`.
#[derive(Template)]
#[template(path = "template/comparison.html")]
struct Page {
    embedded: Embedded,
    verdict: ComparisonVerdict,
    reason: String,
    base: String,
    candidate: String,
    basis: String,
    packages: Option<Packages>,
    deciding: Table,
    /// Whether the runs of both sides are pairs.
    are_pairs: bool,
    strips: Vec<Strip>,
    errors: Option<Table>,
    informing: Table,
    /// Causes of executors' peaks.
    causes: Table,
    /// Cost per request, where it differs.
    costs: Table,
    /// Cost per request, all figures.
    all_costs: Table,
    warnings: Vec<String>,
    notes: Vec<String>,
    drawings: Vec<Drawing>,
    runs: Table,
}

/// Packages that differ.
struct Packages {
    /// Number and first names.
    title: String,
    table: Table,
    /// Whether there are so many that the table is collapsed.
    are_many: bool,
}

/// Amounts of a metric in all runs, on one axis.
struct Strip {
    metric: String,
    /// Smallest to largest amount, or the only one.
    range: String,
    /// Places of base and candidate of each pair, in percent of the axis.
    pairs: Vec<[Option<String>; 2]>,
}

/// Writes the page.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn render_comparison(
    comparison: &Comparison,
    curves: &[Vec<Curves>; 2],
    out: &mut impl Write,
) -> io::Result<()> {
    let curves = compared(comparison, curves);
    let axis = Axis::of(&curves);
    let charts = charts(&curves, &axis);
    let drawings = charts.iter().map(Drawing::of).collect();
    let data = Data {
        until: axis.length.as_secs_f64(),
        phases: Vec::new(),
        scenarios: Vec::new(),
        charts,
        distributions: Vec::new(),
    };
    let errors = rows::errors(comparison);
    let costs =
        |caption, detail| Table::showing(caption, attribution::costs(comparison, detail).table);
    let page = Page {
        embedded: Embedded::with(&data)?,
        verdict: comparison.verdict,
        reason: comparison.reason(),
        base: comparison.base.name(),
        candidate: comparison.candidate.name(),
        basis: basis(comparison),
        packages: Packages::of(comparison),
        deciding: Table::showing(
            "Deciding metrics, means of runs",
            rows::metrics(comparison, true),
        ),
        are_pairs: comparison.pairing == Pairing::InOrder,
        strips: comparison
            .deciding()
            .filter_map(|metric| Strip::of(metric, comparison.pairing))
            .collect(),
        errors: (!errors.is_empty()).then(|| Table::showing("Errors, in number of runs", errors)),
        informing: Table::showing("Other metrics, which inform", rows::metrics(comparison, false)),
        causes: Table::showing(
            "Peaks of executors by cause, medians of runs",
            attribution::causes(comparison, Detail::Full),
        ),
        costs: costs("Cost per request, where it differs", Detail::Compact),
        all_costs: costs("Cost per request, medians of runs", Detail::Full),
        warnings: warnings(comparison),
        notes: notes::notes(comparison),
        drawings,
        runs: Table::showing("Runs that are compared", rows::runs(comparison)),
    };
    page.write_into(out)
}

impl Page {
    /// Class of the style sheet for the verdict.
    fn mood(&self) -> &'static str {
        match self.verdict {
            ComparisonVerdict::Better | ComparisonVerdict::Same => "good",
            ComparisonVerdict::Worse | ComparisonVerdict::ScenarioFailed => "bad",
            ComparisonVerdict::Undecided => "doubtful",
        }
    }
}

impl Packages {
    /// Packages that differ; `None` if none do.
    fn of(comparison: &Comparison) -> Option<Self> {
        let title = notes::packages(comparison)?;
        let table = Table::showing("Packages that differ", rows::packages(comparison));
        let are_many = table.rows.len() > FEW_PACKAGES;
        Some(Self { title, table, are_many })
    }
}

impl Strip {
    /// Strip of a metric; `None` without an amount.
    fn of(metric: &MetricComparison, pairing: Pairing) -> Option<Self> {
        let amounts = || metric.base_runs.iter().chain(&metric.candidate_runs).flatten();
        let order = |one: &&Amount, other: &&Amount| one.number().total_cmp(&other.number());
        let (low, high) = (amounts().min_by(order)?, amounts().max_by(order)?);
        let length = high.number() - low.number();
        let place = |amount: &Option<Amount>| {
            let amount = amount.as_ref()?;
            // A margin keeps points off the ends.
            let share = if length > 0.0 { (amount.number() - low.number()) / length } else { 0.5 };
            Some(format!("{:.2}%", 2.0 + 96.0 * share))
        };
        let places = |runs: &[Option<Amount>]| runs.iter().map(place).collect::<Vec<_>>();
        let (base, candidate) = (places(&metric.base_runs), places(&metric.candidate_runs));
        let pairs = match pairing {
            Pairing::InOrder => {
                base.into_iter().zip(candidate).map(|(base, it)| [base, it]).collect()
            }
            Pairing::Unpaired => {
                let of_base = base.into_iter().map(|place| [place, None]);
                of_base.chain(candidate.into_iter().map(|place| [None, place])).collect()
            }
        };
        Some(Self {
            metric: metric.metric.to_string(),
            range: match low == high {
                true => low.to_string(),
                false => format!("{low} to {high}"),
            },
            pairs,
        })
    }
}

/// Curves of the runs that are compared, with the numbers of their pairs.
type Compared<'a> = [Vec<(usize, &'a Curves)>; 2];

fn compared<'a>(comparison: &Comparison, curves: &'a [Vec<Curves>; 2]) -> Compared<'a> {
    let [of_base, of_candidate] = curves;
    [(&comparison.base, of_base), (&comparison.candidate, of_candidate)].map(|(side, curves)| {
        let numbered = (1..).zip(&side.runs);
        let found = numbered.filter_map(|(number, run)| {
            Some((number, curves.iter().find(|curves| curves.run == *run)?))
        });
        found.collect()
    })
}

/// Time axis of all curves.
struct Axis {
    /// Longest time before a load.
    lead: Duration,
    length: Duration,
    /// Interval with one point of each curve, in which each run has samples: a curve with gaps
    /// would be a row of dots.
    interval: Duration,
}

impl Axis {
    fn of(curves: &Compared<'_>) -> Self {
        let all = || curves.iter().flatten().map(|(_, curves)| *curves);
        let lead = all().map(Curves::before_load).max().unwrap_or_default();
        let rest = all().map(Curves::after_start).max().unwrap_or_default();
        let length = lead.saturating_add(rest);
        let between = all().map(Curves::time_between_points).max().unwrap_or_default();
        let shortest = Duration::from_millis(1);
        let interval = (length / POINTS).max(between).max(shortest);
        Self { lead, length, interval }
    }

    /// Number of intervals.
    fn points(&self) -> u32 {
        let points = self.length.as_nanos() / self.interval.as_nanos();
        u32::try_from(points).unwrap_or(POINTS).min(POINTS).saturating_add(1)
    }

    /// Index of the interval of a time in a run.
    fn index(&self, at: Timestamp, load_began: Timestamp) -> usize {
        let on_axis = match at >= load_began {
            true => self.lead.saturating_add(at.since(load_began)),
            false => self.lead.saturating_sub(load_began.since(at)),
        };
        let index = on_axis.as_nanos() / self.interval.as_nanos();
        usize::try_from(index).unwrap_or(usize::MAX).min(self.points() as usize - 1)
    }
}

fn charts(curves: &Compared<'_>, axis: &Axis) -> Vec<Chart> {
    const NOTE: &str = "Runs are aligned at the start of their loads. Maximum of each interval.";
    let chart = |id, title, unit, quantity: Quantity, subject: &Subject| {
        let series = curves.iter().zip(Role::ALL.map(Role::name)).flat_map(|(runs, side)| {
            runs.iter().map(move |(number, run)| Series {
                name: format!("{side} {number}"),
                look: side,
                values: values(run, axis, quantity, subject),
            })
        });
        let times = (0..axis.points()).map(|point| (axis.interval * point).as_secs_f64());
        Chart {
            id,
            title,
            note: NOTE.to_owned(),
            unit,
            digits: quantity.digits(),
            times: times.map(|time| crate::analysis::rounded(time, 2)).collect(),
            series: series.collect(),
            limits: Vec::new(),
        }
    };
    let charts = [
        chart(
            "memory-sum",
            "Memory of the server: RSS sum",
            "MiB",
            Quantity::MemorySum,
            &Subject::AllProcesses,
        ),
        chart("cpu", "Host CPU use", "%", Quantity::Cpu, &Subject::Machine),
    ];
    let has_values =
        |chart: &Chart| chart.series.iter().any(|one| one.values.iter().any(Option::is_some));
    charts.into_iter().filter(has_values).collect()
}

/// Maximum of a run's line in each interval of the axis.
fn values(run: &Curves, axis: &Axis, quantity: Quantity, subject: &Subject) -> Vec<Option<f64>> {
    let mut values = vec![None; axis.points() as usize];
    let series = run.timeline.series.iter().find(|series| series.quantity == quantity);
    let line = series.and_then(|series| {
        let line = series.lines.iter().find(|line| line.subject == *subject)?;
        Some(series.times.iter().zip(&line.values))
    });
    for (at, value) in line.into_iter().flatten() {
        let slot: &mut Option<f64> = &mut values[axis.index(*at, run.load_began)];
        *slot = [*slot, *value].into_iter().flatten().reduce(f64::max);
    }
    values
}
