//! Runs of an `ab`, pair by pair, with a look at the comparison after each.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use host::signals::Interrupted;
use skyload::analysis::Verdict;
use skyload::comparison::{
    AbRecord, Comparison, ComparisonVerdict, LEAST_RUNS, Looks, Next, Place, PlacedRun, Role,
    Settings, complete_pairs, next, unusable,
};
use skyload::config::Config;
use skyload::record::{ComparisonDir, write_json};
use skyload::units::counted;

use super::versions::Versions;
use crate::commands::compare::Sides;
use crate::commands::load::{Coordinator, RunSet, run_once};
use crate::flags;

/// Comparison in progress.
pub(crate) struct Ab {
    pub(crate) directory: ComparisonDir,
    pub(crate) record: AbRecord,
    pub(crate) config: Config,
    /// Command that continues after an interruption.
    pub(crate) resume: String,
}

/// Comparison that has ended.
pub(crate) struct Compared {
    pub(crate) comparison: Comparison,
    pub(crate) directory: ComparisonDir,
    pub(crate) record: AbRecord,
    /// Whether no further pair fitted into `--max-time`.
    pub(crate) is_out_of_time: bool,
    /// State of a place whose runs were all unusable; `None` if there is no such place.
    stuck: Option<(Place, Stuck)>,
}

/// Role of a version whose run ended without a result, as the context of the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FailedRun(pub(crate) Role);

impl fmt::Display for FailedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "running the {}", self.0.name())
    }
}

/// Place whose runs were all unusable.
#[derive(Clone, Copy)]
enum Stuck {
    /// Inconclusive runs.
    Unusable,
    /// Runs of the candidate in which scenarios failed, too.
    CandidateFails,
}

impl Compared {
    /// Exit code of the verdict. With a place that has no usable run, a verdict of no difference is
    /// undecided, or scenario failed if the candidate failed there each time.
    pub(crate) fn exit_code(&self) -> u8 {
        match (self.stuck.map(|(_, stuck)| stuck), self.comparison.verdict.exit_code()) {
            (Some(Stuck::CandidateFails), 0 | 12) => ComparisonVerdict::ScenarioFailed.exit_code(),
            (Some(Stuck::Unusable), 0) => ComparisonVerdict::Undecided.exit_code(),
            (_, code) => code,
        }
    }

    /// Message of a place whose runs were all unusable; `None` if there is no such place.
    pub(crate) fn obstacle(&self) -> Option<String> {
        self.stuck.map(|(place, _)| why_stuck(&self.record, place))
    }
}

/// Makes the runs that are missing, and compares all.
pub(crate) fn run(
    versions: &Versions<'_>,
    mut ab: Ab,
    files: flags::Files,
    coordinator: Coordinator<'_>,
) -> Result<Compared> {
    ab.announce(versions, coordinator);
    // Of the first pair, and of the present one; `None` during the warm-up.
    let (mut began, mut pair_began) = (None, None);
    let mut longest_pair = Duration::ZERO;
    let (mut stuck, mut is_out_of_time) = (None, false);
    loop {
        match next(&ab.record.done, ab.record.pairs) {
            Next::Complete => break,
            Next::Stuck(place) => {
                let why = why_stuck(&ab.record, place);
                coordinator.progress.note(format!("The comparison ends: {why}"));
                stuck = Some((place, ab.stuck_at(place)));
                break;
            }
            Next::Run(place) => {
                if ab.begins_pair(place) {
                    if ab.is_decided(coordinator)? {
                        break;
                    }
                    let now = Instant::now();
                    pair_began = Some(now);
                    let began = *began.get_or_insert(now);
                    let expected = began.elapsed().saturating_add(longest_pair);
                    if ab.record.max_time.is_some_and(|most| expected > most) {
                        coordinator.progress.note("No further pair fits into --max-time");
                        is_out_of_time = true;
                        break;
                    }
                }
                ab.run_at(place, versions, files, coordinator)?;
                let of_pair = pair_began.map(|began: Instant| began.elapsed());
                longest_pair = longest_pair.max(of_pair.unwrap_or_default());
            }
        }
    }
    let comparison = ab.compare(coordinator)?;
    let Ab { directory, record, .. } = ab;
    Ok(Compared { comparison, directory, record, is_out_of_time, stuck })
}

impl Ab {
    fn announce(&self, versions: &Versions<'_>, coordinator: Coordinator<'_>) {
        let progress = coordinator.progress;
        for role in Role::ALL {
            let version = self.record.version_of(role);
            let date = versions.of(role).sky.resolved_as_of.as_ref();
            let date = date.map_or_else(String::new, |it| format!(", packages as of {}", it.day()));
            progress.note(format!("{}: {}{date}", role.title(), version.in_words()));
        }
        versions.of(Role::Base).announce();
        let pairs = self.record.pairs;
        progress.note(format!(
            "At most {pairs} pairs of runs after a warm-up of both; results: {}",
            self.directory.path().display()
        ));
    }

    /// Whether no run of the place's pair has been made.
    fn begins_pair(&self, place: Place) -> bool {
        place.pair.is_some() && self.record.done.iter().all(|run| run.place.pair != place.pair)
    }

    /// Makes the run at a place, and records it. An interrupted run is not recorded: it is made
    /// again when the comparison is continued.
    fn run_at(
        &mut self,
        place: Place,
        versions: &Versions<'_>,
        files: flags::Files,
        coordinator: Coordinator<'_>,
    ) -> Result<()> {
        let progress = coordinator.progress;
        progress.note(self.in_words(place));
        let prepared = versions.of(place.role);
        let out = &self.record.runs;
        let single = run_once(prepared, &versions.tests, &RunSet::new(1), out, files.out_series);
        // Also of a run that has ended with a result, which lacks what the signal has cut off.
        if coordinator.signals.interrupted() {
            return Err(anyhow::Error::from(Interrupted).context(self.interrupted()));
        }
        let single = single.context(FailedRun(place.role))?;
        single.gate?;
        let (report, unusable) = (&single.report, unusable(&single.report));
        progress.note(match &unusable {
            None => format!("Run {}: {}", report.run, report.verdict.name()),
            Some(reason) => format!("Run {} is not compared: {reason}", report.run),
        });
        let (run, verdict) = (report.run.clone(), report.verdict);
        self.record.done.push(PlacedRun { place, run, verdict, unusable });
        Ok(write_json(&self.directory.ab(), &self.record)?)
    }

    fn in_words(&self, place: Place) -> String {
        let attempts = self.record.done.iter().filter(|run| run.place == place).count();
        let again = if attempts == 0 { "" } else { ", again" };
        let role = place.role.name();
        match place.pair {
            None => format!("Warm-up of the {role}"),
            Some(pair) => format!("Pair {pair} of {}: {role}{again}", self.record.pairs),
        }
    }

    fn stuck_at(&self, place: Place) -> Stuck {
        let mut attempts = self.record.done.iter().filter(|run| run.place == place);
        let always_fails = attempts.all(|run| run.verdict == Verdict::ScenarioFailed);
        match place.role == Role::Candidate && always_fails {
            true => Stuck::CandidateFails,
            false => Stuck::Unusable,
        }
    }

    /// Message of a comparison that was interrupted.
    fn interrupted(&self) -> String {
        let [pairs, _] = complete_pairs(&self.record.done).map(|runs| runs.len());
        format!(
            "interrupted after {}; no run that had ended is lost\n  hint: `{}`",
            counted(pairs, "pair"),
            self.resume
        )
    }

    /// Whether no further pair is needed: with enough pairs, every deciding metric is decided.
    fn is_decided(&self, coordinator: Coordinator<'_>) -> Result<bool> {
        let [pairs, _] = complete_pairs(&self.record.done).map(|runs| runs.len());
        if pairs < LEAST_RUNS {
            return Ok(false);
        }
        let comparison = self.compare(coordinator)?;
        let is_decided = !comparison.is_undecided();
        coordinator.progress.note(format!(
            "After {pairs} pairs: {}{}",
            comparison.reason(),
            if is_decided { "" } else { "; going on" }
        ));
        Ok(is_decided)
    }

    /// Compares the complete pairs so far, and writes the comparison.
    fn compare(&self, coordinator: Coordinator<'_>) -> Result<Comparison> {
        let paths = complete_pairs(&self.record.done).map(|runs| {
            Vec::from_iter(runs.into_iter().map(|run| self.record.runs.join(run.as_str())))
        });
        let looks = Looks::AfterEachPair { most: self.record.pairs as usize };
        let settings = Settings::of(&self.config.compare, looks);
        let sides = Sides::read(coordinator.workspace, [&paths[0], &paths[1]])?;
        let comparison = sides.compare(&settings);
        sides.write(&comparison, &self.directory)?;
        Ok(comparison)
    }
}

/// Reason for which a comparison has no usable run at a place.
fn why_stuck(record: &AbRecord, place: Place) -> String {
    let attempts = record.done.iter().filter(|run| run.place == place);
    let last = attempts.clone().next_back().and_then(|run| run.unusable.as_deref());
    format!(
        "no usable run of the {} in {} attempts; the last one: {}",
        place.role.name(),
        attempts.count(),
        last.unwrap_or("no reason")
    )
}
