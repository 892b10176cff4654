//! Runs of an `ab`, pair by pair, with a look at the comparison after each.

use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result};
use host::signals::Interrupted;
use skyload::comparison::{
    AbRecord, Comparison, EarlyEnd, LEAST_RUNS, Looks, Next, Place, PlacedRun, Role, Settings,
    complete_pairs, left_out, next, unusable, warm_ups,
};
use skyload::config::Config;
use skyload::ids::RunId;
use skyload::plan::UsageErrors;
use skyload::record::{ComparisonDir, write_json};
use skyload::units::counted;

use super::limits::PairClock;
use super::versions::Versions;
use crate::commands::compare::{self, Sides};
use crate::commands::load::{Coordinator, RunSet, run_once};
use crate::commands::report;
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
}

/// Role of a version whose run ended without a result, as the context of the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FailedRun(pub(crate) Role);

impl fmt::Display for FailedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "running the {}", self.0.name())
    }
}

/// Makes the runs that are missing, and compares all. No pair begins that does not fit into the
/// time by `clock`.
pub(crate) fn run(
    versions: &Versions<'_>,
    mut ab: Ab,
    clock: &mut PairClock,
    files: flags::Files,
    coordinator: Coordinator<'_>,
) -> Result<Compared> {
    ab.announce(versions, coordinator);
    // Of the present pair; `None` during the warm-up.
    let mut pair_began: Option<Instant> = None;
    let early_end = loop {
        match next(&ab.record.done, ab.record.pairs) {
            Next::Complete => break None,
            Next::Stuck(_) => break EarlyEnd::without_usable_run(&ab.record),
            Next::Run(place) => {
                if ab.begins_pair(place) {
                    if ab.is_decided(coordinator)? {
                        break None;
                    }
                    let now = Instant::now();
                    pair_began = Some(now);
                    if !clock.fits(now, ab.record.max_time) {
                        break Some(EarlyEnd::MaxTime);
                    }
                }
                ab.run_at(place, versions, files, coordinator)?;
                clock.pair_took(pair_began.map(|began| began.elapsed()).unwrap_or_default());
            }
        }
    };
    if let Some(end) = &early_end {
        coordinator.progress.note(format!("The comparison ends: {end}"));
    }
    let (sides, comparison) = ab.compare(early_end, coordinator)?;
    sides.write(&comparison, &ab.directory)?;
    Ok(Compared { comparison, directory: ab.directory })
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
    /// Fails if conditions differ between the runs so far.
    fn is_decided(&self, coordinator: Coordinator<'_>) -> Result<bool> {
        let [pairs, _] = complete_pairs(&self.record.done).map(|runs| runs.len());
        if pairs == 0 {
            // A difference shows in the warm-ups already, before any pair is made in vain.
            let warm_ups = self.paths(warm_ups(&self.record.done));
            let sides = Sides::read(coordinator.workspace, [&warm_ups[0], &warm_ups[1]])?;
            self.ensure_comparable(&sides.compare(&self.settings()))?;
            return Ok(false);
        }
        let (sides, comparison) = self.compare(None, coordinator)?;
        if pairs < LEAST_RUNS {
            return Ok(false);
        }
        sides.write(&comparison, &self.directory)?;
        let is_decided = !comparison.is_open();
        coordinator.progress.note(format!(
            "After {pairs} pairs: {}{}",
            comparison.reason(),
            if is_decided { "" } else { "; going on" }
        ));
        Ok(is_decided)
    }

    /// Compares the complete pairs so far.
    fn compare(
        &self,
        early_end: Option<EarlyEnd>,
        coordinator: Coordinator<'_>,
    ) -> Result<(Sides, Comparison)> {
        let workspace = coordinator.workspace;
        let paths = self.paths(complete_pairs(&self.record.done));
        let sides = Sides::read(workspace, [&paths[0], &paths[1]])?;
        let left_out = left_out(&self.record.done)
            .map(|runs| Vec::from_iter(runs.into_iter().map(|(run, _)| run)));
        let left_out = self.paths(left_out).concat();
        let left_out = report::of_runs(workspace, &left_out, |report, _| report)?;
        let [base, candidate] = &sides.reports;
        let (record, settings) = (&self.record, self.settings());
        let comparison =
            Comparison::of_ab(record, [base, candidate], &left_out, early_end, &settings);
        self.ensure_comparable(&comparison)?;
        Ok((sides, comparison))
    }

    /// Fails if conditions differ that are not SkyPilot's, unless that is allowed.
    fn ensure_comparable(&self, comparison: &Comparison) -> Result<(), UsageErrors> {
        let hint = format!(
            "the runs are kept: `{} --allow-differences` compares them anyway",
            self.resume
        );
        compare::ensure_comparable(comparison, self.record.allows_differences, &hint)
    }

    fn settings(&self) -> Settings {
        let looks = Looks::AfterEachPair { most: self.record.pairs as usize };
        Settings::of(&self.config.compare, looks)
    }

    /// Directories of runs of both sides.
    fn paths(&self, runs: [Vec<&RunId>; 2]) -> [Vec<PathBuf>; 2] {
        runs.map(|runs| runs.into_iter().map(|run| self.record.runs.join(run.as_str())).collect())
    }
}
