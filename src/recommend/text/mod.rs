//! Recommendation as text: for a terminal, and as the preamble of a patch.

mod cautions;
mod conclusion;
mod concurrency;
mod effects;
mod outliers;

use std::cmp::Ordering;
use std::io::{self, Write};

use super::support::{Advice, Caution, ClassPeak, Counted, Support};
use super::{Constant, Effects, Recommendation, RunUsed};
use crate::analysis::Verdict;
use crate::record::profile::ProfilerLevel;
use crate::render::table::Table;
use crate::units::as_mib;

/// Indentation of lines below a heading.
const INDENT: &str = "  ";

/// Writes the recommendation, ending with the next command, which has these names of the runs.
pub fn render(
    recommendation: &Recommendation,
    names: &[String],
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "RECOMMENDED CONSTANTS for SkyPilot {}", recommendation.sky)?;
    constants(recommendation, out)?;
    writeln!(out, "  {}", conclusion::sentence(recommendation))?;
    cautions::write(recommendation, out)?;
    writeln!(
        out,
        "\nRUNS with the max peak per class, in MiB (in parentheses: number of processes)"
    )?;
    runs(recommendation, out)?;
    outliers::write(recommendation, out)?;
    writeln!(out, "\nHEADROOM: {}", cautions::headroom_rule())?;
    effects::write(recommendation, out)?;
    concurrency::write(recommendation, out)?;
    conclusion::next(recommendation, names, out)
}

/// Writes the preamble of a patch, which `git apply` ignores.
pub fn preamble(recommendation: &Recommendation, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "Worker memory of SkyPilot {}, from peaks that skyload measured.\n",
        recommendation.sky
    )?;
    let values = recommendation.values();
    for advice in &recommendation.constants {
        let (Some(value), Support::Supported { peak, .. }) =
            (values.get(&advice.constant), advice.support)
        else {
            continue;
        };
        writeln!(
            out,
            "{}: {} -> {}, from a peak of {:.1} MiB",
            advice.constant,
            present(advice),
            advice.constant.literal(*value),
            as_mib(peak)
        )?;
    }
    let runs: Vec<String> = recommendation
        .runs
        .iter()
        .map(|used| format!("{} ({}; on {})", used.run, verdict(used), launched_on(used)))
        .collect();
    writeln!(out, "\nRuns: {}", runs.join(", "))?;
    writeln!(out, "Headroom: {}", cautions::headroom_rule())?;
    cautions::write(recommendation, out)?;
    writeln!(out)
}

fn constants(recommendation: &Recommendation, out: &mut impl Write) -> io::Result<()> {
    let mut rows = Table::new(&["constant", "change", "now", "recommended", "max peak"], 2);
    for advice in &recommendation.constants {
        let (recommended, peak) = match advice.support {
            Support::Supported { peak, recommended } => {
                (advice.constant.literal(recommended), format!("{:.1} MiB", as_mib(peak)))
            }
            Support::NotTried | Support::Unbounded => ("-".to_owned(), "-".to_owned()),
        };
        rows.row([
            advice.constant.to_string(),
            change(recommendation, advice).to_owned(),
            present(advice),
            recommended,
            peak,
        ]);
    }
    rows.text(INDENT, out)
}

fn present(advice: &Advice) -> String {
    advice.current.map_or_else(|| "-".to_owned(), |size| advice.constant.literal(size))
}

/// Change of a constant (lower, keep, raise), or why there is none.
fn change(recommendation: &Recommendation, advice: &Advice) -> &'static str {
    // The present value of the controllers' constant comes with the effects.
    let is_unknown = advice.constant == Constant::Controller
        && !matches!(recommendation.effects, Effects::Known { .. });
    match (advice.support, advice.current) {
        (Support::NotTried, _) => "no such process ran",
        (Support::Unbounded, _) => "unknown, max peak is a lower bound",
        (Support::Supported { .. }, None) if is_unknown => "for comparison, not patched",
        (Support::Supported { .. }, None) => "not in this SkyPilot",
        (Support::Supported { .. }, Some(_)) => match advice.change() {
            None => "for comparison, not patched",
            Some(Ordering::Equal) if advice.cautions.contains(&Caution::KeptWithoutClouds) => {
                "keep (no peak with a cloud)"
            }
            Some(Ordering::Less) => "lower",
            Some(Ordering::Equal) => "keep",
            Some(Ordering::Greater) => "raise",
        },
    }
}

fn runs(recommendation: &Recommendation, out: &mut impl Write) -> io::Result<()> {
    let mut headings = vec!["run", "verdict", "launched on", "peaks"];
    headings.extend(Constant::ALL.iter().map(|constant| short_name(*constant)));
    let mut rows = Table::new(&headings, 4);
    for used in &recommendation.runs {
        let mut row = vec![
            used.run.to_string(),
            verdict(used),
            launched_on(used),
            level(used.level).to_owned(),
        ];
        row.extend(recommendation.constants.iter().map(|advice| peaks_of(advice, used)));
        rows.row(row);
    }
    rows.text(INDENT, out)
}

const fn short_name(constant: Constant) -> &'static str {
    match constant {
        Constant::Long => "long",
        Constant::Short => "short",
        Constant::Server => "server",
        Constant::Controller => "controller",
    }
}

fn verdict(used: &RunUsed) -> String {
    match used.verdict {
        Verdict::ScenarioFailed => "SCENARIO FAILED (load incomplete)".to_owned(),
        verdict => verdict.name().to_owned(),
    }
}

fn launched_on(used: &RunUsed) -> String {
    let names = used.infrastructure.names();
    if names.is_empty() { "nothing".to_owned() } else { names.join(" ") }
}

const fn level(level: Option<ProfilerLevel>) -> &'static str {
    match level {
        None => "not measured",
        Some(ProfilerLevel::ExitRecords) => "exit-records",
        Some(ProfilerLevel::HighWaterMark | ProfilerLevel::HighWaterMarkOfAnother) => {
            "high-water-mark"
        }
        Some(ProfilerLevel::SampledRss) => "sampled",
    }
}

fn peaks_of(advice: &Advice, used: &RunUsed) -> String {
    let of_run = advice.peaks.iter().filter(|seen| seen.run == used.run);
    of_run.max_by_key(|seen| seen.size().or(seen.peak)).map_or_else(|| "-".to_owned(), peak)
}

fn peak(seen: &ClassPeak) -> String {
    let processes = seen.processes;
    let Some(measured) = seen.peak.map(as_mib) else {
        return format!("not read ({processes}), left out");
    };
    match seen.counted {
        Counted::AsMeasured => format!("{measured:.1} ({processes})"),
        Counted::AtMost(most) => {
            format!(">={measured:.1} ({processes}), at most {:.1}", as_mib(most))
        }
        Counted::LeftOut => format!(">={measured:.1} ({processes}), left out"),
    }
}
