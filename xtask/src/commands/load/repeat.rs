//! Set of runs of one plan: `--repeat`.

use host::progress::Progress;
use skyload::analysis::{Report, Verdict};
use skyload::ids::RunId;
use skyload::record::PlaceInSet;
use skyload::shell;

/// Runs of one plan, one after the other.
pub(crate) struct RunSet {
    /// Number of runs that were asked for.
    of: u32,
    /// Runs that ended, with their names for command lines and their verdicts.
    done: Vec<(RunId, String, Verdict)>,
}

impl RunSet {
    pub(crate) fn new(of: u32) -> Self {
        Self { of, done: Vec::new() }
    }

    /// Whether another run is to be made.
    pub(super) fn is_open(&self) -> bool {
        self.number() <= self.of
    }

    /// Number of the next run.
    fn number(&self) -> u32 {
        u32::try_from(self.done.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Place of the next run; `None` if it is the only one.
    pub(super) fn next_place(&self, run: &RunId) -> Option<PlaceInSet> {
        let first_run = self.done.first().map_or(run, |(first, ..)| first).clone();
        (self.of > 1).then(|| PlaceInSet { first_run, number: self.number(), of: self.of })
    }

    /// Announces the next run, if there is more than one.
    pub(super) fn announce(&self, progress: Progress) {
        if self.of > 1 {
            progress.note(format!("Run {} of {}", self.number(), self.of));
        }
    }

    pub(super) fn add(&mut self, report: &Report) {
        self.done.push((report.run.clone(), report.name.clone(), report.verdict));
    }

    /// Prints a line for each run of a set, and the command that compares the set.
    pub(super) fn conclude(&self, progress: Progress) {
        if self.of == 1 {
            return;
        }
        for (index, (run, _, verdict)) in self.done.iter().enumerate() {
            progress.note(format!("Run {} of {}: {run}: {}", index + 1, self.of, verdict.name()));
        }
        let names = self.done.iter().map(|(_, name, _)| shell::word(name).into_owned());
        let names = names.collect::<Vec<_>>().join(" ");
        progress.note(format!(
            "To compare runs of another SkyPilot with these: cargo xtask compare {names} --with \
             RUNS"
        ));
    }

    /// Verdict of the set: the first that any run has of scenario failed, over budget and
    /// inconclusive; otherwise pass.
    pub(super) fn verdict(&self) -> Verdict {
        let severe = [Verdict::ScenarioFailed, Verdict::OverBudget, Verdict::Inconclusive];
        let is_any = |wanted: &Verdict| self.done.iter().any(|(.., verdict)| verdict == wanted);
        severe.into_iter().find(is_any).unwrap_or(Verdict::Pass)
    }
}
