//! A recommendation as text: for a terminal, and as the words above a patch.

use std::io::{self, Write};

use super::support::{Advice, Caution, Counted, HEADROOM_PERCENT, PeakSeen, Support};
use super::{Constant, Effects, MachineEffect, Recommendation, RunUsed, Workers};
use crate::report::Verdict;
use crate::report::text::{print, table};
use crate::sample::ProfilerLevel;
use crate::units::{ByteSize, as_gib, as_mib};

/// Writes all of it, ending with the command to type next; in that, the runs are called by
/// these names.
pub fn render(
    recommendation: &Recommendation,
    names: &[String],
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "CONSTANTS that these runs of SkyPilot {} support", recommendation.sky)?;
    constants(recommendation, out)?;
    cautions(recommendation, out)?;
    writeln!(
        out,
        "\nRUNS and the peaks of their largest processes, in MiB, and how many there were of each class"
    )?;
    runs(recommendation, out)?;
    writeln!(out, "\nHEADROOM: {}", headroom_rule())?;
    effects(recommendation, out)?;
    next(recommendation, names, out)
}

/// The words above a patch: `git apply` and `git am` pass over them.
pub fn preamble(recommendation: &Recommendation, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "Worker memory of SkyPilot {}, from the peaks that skyload measured.\n",
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
            advice.constant.spell(*value),
            as_mib(peak)
        )?;
    }
    let runs: Vec<String> = recommendation
        .runs
        .iter()
        .map(|used| format!("{} ({}; on {})", used.run, verdict(used), launched_on(used)))
        .collect();
    writeln!(out, "\nRuns: {}", runs.join(", "))?;
    writeln!(out, "Headroom: {}", headroom_rule())?;
    cautions(recommendation, out)?;
    writeln!(out)
}

/// The rule and its reason.
pub fn headroom_rule() -> String {
    format!(
        "the largest peak of all runs and {HEADROOM_PERCENT} % on top, rounded up to 0.05 GB. Runs \
         of one release with loads from 1 to 50 users differed by 5 % (long executors), 13 % (short) \
         and 34 % (server); so much on top of the lowest of them covers the highest. GB are units of \
         1024^3 bytes, as in SkyPilot."
    )
}

fn constants(recommendation: &Recommendation, out: &mut impl Write) -> io::Result<()> {
    let mut rows = table(&["constant", "", "now", "recommended", "largest peak"], 2);
    for advice in &recommendation.constants {
        let (recommended, peak) = match advice.support {
            Support::Supported { peak, recommended } => {
                (advice.constant.spell(recommended), format!("{:.1} MiB", as_mib(peak)))
            }
            Support::NotTried | Support::Unbounded => ("-".to_owned(), "-".to_owned()),
        };
        rows.add_row([
            advice.constant.to_string(),
            what_follows(recommendation, advice).to_owned(),
            present(advice),
            recommended,
            peak,
        ]);
    }
    print(out, &rows)
}

fn present(advice: &Advice) -> String {
    advice.current.map_or_else(|| "-".to_owned(), |size| advice.constant.spell(size))
}

fn what_follows(recommendation: &Recommendation, advice: &Advice) -> &'static str {
    // The controllers' stands in another module, which only SkyPilot itself is asked about.
    let is_unknown = advice.constant == Constant::Controller
        && !matches!(recommendation.effects, Effects::Known { .. });
    match (advice.support, advice.current) {
        (Support::NotTried, _) => "no such process ran",
        (Support::Unbounded, _) => {
            "the highest peak is a lower bound: nobody knows how high it was"
        }
        (Support::Supported { .. }, None) if is_unknown => "for comparison, not patched",
        (Support::Supported { .. }, None) => "not in this SkyPilot",
        (Support::Supported { recommended, .. }, Some(current)) => {
            match (recommended.cmp(&current), advice.constant.is_patched()) {
                (_, false) => "for comparison, not patched",
                (std::cmp::Ordering::Less, true) => "lower",
                (std::cmp::Ordering::Equal, true) => "keep",
                (std::cmp::Ordering::Greater, true) => "raise",
            }
        }
    }
}

fn cautions(recommendation: &Recommendation, out: &mut impl Write) -> io::Result<()> {
    const ALL: [Caution; 4] =
        [Caution::LoweredWithoutClouds, Caution::Estimated, Caution::OneRun, Caution::FewJobs];
    for caution in ALL {
        let concerned: Vec<&str> = recommendation
            .constants
            .iter()
            .filter(|advice| advice.current.is_some() && advice.cautions.contains(&caution))
            .map(|advice| advice.constant.name())
            .collect();
        if !concerned.is_empty() {
            writeln!(out, "  CAUTION, {}: {}", concerned.join(", "), words(caution))?;
        }
    }
    Ok(())
}

fn words(caution: Caution) -> &'static str {
    match caution {
        Caution::OneRun => {
            "this is one run's peak; several runs, with the loads that you expect, say more"
        }
        Caution::LoweredWithoutClouds => {
            "lower than now, and no run launched on a cloud. Executors that do need more: 0.53 GB \
             (short) and 0.70 GB (long) were seen in SkyPilot's own nightly tests. Before you lower \
             it, load with `-c` and the clouds that you use"
        }
        Caution::Estimated => {
            "no exact peak, but the most that it can have been by the fastest growth seen"
        }
        Caution::FewJobs => {
            "a controller looks after up to 200 jobs, those of the runs after a few"
        }
    }
}

fn runs(recommendation: &Recommendation, out: &mut impl Write) -> io::Result<()> {
    let mut headings = vec!["run", "verdict", "launched on", "peaks"];
    headings.extend(Constant::ALL.iter().map(|constant| short_name(*constant)));
    let mut rows = table(&headings, 4);
    for used in &recommendation.runs {
        let mut row = vec![
            used.run.to_string(),
            verdict(used),
            launched_on(used),
            level(used.level).to_owned(),
        ];
        row.extend(recommendation.constants.iter().map(|advice| peaks_of(advice, used)));
        rows.add_row(row);
    }
    print(out, &rows)
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
        Verdict::ScenarioFailed => "SCENARIO FAILED (not all of its load took place)".to_owned(),
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
    of_run.max_by_key(|seen| seen.size().unwrap_or(seen.peak)).map_or_else(|| "-".to_owned(), peak)
}

fn peak(seen: &PeakSeen) -> String {
    let (measured, processes) = (as_mib(seen.peak), seen.processes);
    match seen.counted {
        Counted::AsMeasured => format!("{measured:.1} of {processes}"),
        Counted::AtMost(most) => {
            format!(">={measured:.1} of {processes}, at most {:.1}", as_mib(most))
        }
        Counted::LeftOut => format!(">={measured:.1} of {processes}, left out"),
    }
}

fn effects(recommendation: &Recommendation, out: &mut impl Write) -> io::Result<()> {
    let (consolidated, machines) = match &recommendation.effects {
        Effects::NotAsked => return Ok(()),
        Effects::Unknown(reason) => {
            return writeln!(out, "\nWHAT IT WOULD CHANGE is not known: {reason}");
        }
        Effects::Known { consolidated, machines, .. } => (*consolidated, machines),
    };
    let jobs = if consolidated { "inside of the server" } else { "on a machine of their own" };
    writeln!(
        out,
        "\nWHAT IT WOULD CHANGE, by SkyPilot's own formulas (managed jobs {jobs}, as in the runs)"
    )?;
    let headings =
        ["machine", "mode", "web workers", "long", "short", "controllers", "all at peak, GiB"];
    let mut rows = table(&headings, 2);
    for effect in machines {
        rows.add_row(effect_row(recommendation, effect));
    }
    print(out, &rows)?;
    let burst = machines.iter().map(|effect| effect.after.burst).max().unwrap_or(0);
    if burst > 0 {
        writeln!(
            out,
            "  Local servers start up to {burst} more executors of each kind, each for one request; \
             they are in no sum."
        )?;
    }
    Ok(())
}

fn effect_row(recommendation: &Recommendation, effect: &MachineEffect) -> Vec<String> {
    let MachineEffect { machine, mode, before, after } = effect;
    let count = |of: fn(&Workers) -> u32| arrow(&of(before).to_string(), &of(after).to_string());
    let controllers = |workers: &Workers| {
        workers.controllers.map_or_else(|| "-".to_owned(), |count| count.to_string())
    };
    let at_peak = |workers: &Workers| {
        let sum: Option<ByteSize> = recommendation.at_peak(*mode, workers);
        sum.map_or_else(|| "-".to_owned(), |sum| format!("{:.1}", as_gib(sum)))
    };
    vec![
        machine.to_string(),
        mode.name().to_owned(),
        count(|workers| workers.server),
        count(|workers| workers.long),
        count(|workers| workers.short),
        arrow(&controllers(before), &controllers(after)),
        arrow(&at_peak(before), &at_peak(after)),
    ]
}

/// `36 -> 44`, or `36` where nothing changes.
fn arrow(before: &str, after: &str) -> String {
    if before == after { before.to_owned() } else { format!("{before} -> {after}") }
}

fn next(recommendation: &Recommendation, names: &[String], out: &mut impl Write) -> io::Result<()> {
    let version = &recommendation.sky.version;
    if !recommendation.is_usable() {
        return writeln!(
            out,
            "\nNEXT: cargo xtask load --sky {version}\n      no constant can be recommended; the \
             default plan runs processes of every class"
        );
    }
    if !recommendation.changes_anything() {
        return writeln!(
            out,
            "\nNEXT: cargo xtask load --sky {version} -n 20\n      nothing is to be changed; more \
             users would say whether that holds"
        );
    }
    writeln!(
        out,
        "\nNEXT: cargo xtask recommend {} --patch > constants.patch\n      then `git apply \
         constants.patch` in a checkout of SkyPilot {version}",
        names.join(" ")
    )
}
