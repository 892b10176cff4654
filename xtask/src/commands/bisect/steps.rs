//! Steps of a bisection: each installs a version, and compares it with the good one by `ab`.

use std::time::Instant;

use anyhow::{Context as _, Result};
use host::signals::Interrupted;
use host::tools::hint;
use skyload::comparison::{
    AbRecord, Bisection, BisectionStep, EarlyEnd, Outcome, PlacedRun, Role, StepVerdict,
};
use skyload::config::Config;
use skyload::ids::RunId;
use skyload::record::{BisectionDir, ComparisonDir, read, write_json, write_with};
use skyload::render::bisection::render_markdown;
use skyload::units::{counted, in_minutes};

use super::order::{Order, Work};
use crate::commands::ab::{Ab, FailedRun, Limits, PairClock, Versions, of_resumed, run_pairs};
use crate::commands::load::Coordinator;
use crate::commands::runs;
use crate::flags;

/// Bisection with its directory.
pub(super) struct Searched {
    pub(super) bisection: Bisection,
    pub(super) directory: BisectionDir,
}

/// Comparison that has begun.
struct Begun {
    directory: ComparisonDir,
    record: AbRecord,
}

/// Bisection in progress.
struct Search<'a> {
    searched: Searched,
    versions: Versions<'a>,
    limits: Limits,
    config: Config,
    files: flags::Files,
    coordinator: Coordinator<'a>,
    clock: PairClock,
}

/// Makes the comparisons that are missing.
pub(super) fn search(
    order: Order,
    files: flags::Files,
    coordinator: Coordinator<'_>,
) -> Result<Searched> {
    // Before the cleanup: with the lock held, any other run of this workspace is dead.
    let _lock = coordinator.workspace.lock()?;
    let Order { work, bisection, limits, config } = order;
    announce(&bisection, coordinator);
    coordinator.clean_up_after_dead_runs()?;
    let (versions, directory, begun) = match work {
        Work::New(new) => {
            let runs = new.runs.clone();
            let versions = Versions::of_new(*new, coordinator)?;
            let parent = coordinator.workspace.bisections();
            let directory = BisectionDir::create(&parent.join(RunId::generate().as_str()))?;
            let begun = versions.begin(&directory.comparisons(), runs, limits, Vec::new())?;
            (versions, directory, begun)
        }
        Work::Resumed(directory, resumed) => {
            let (versions, comparison, record) = of_resumed(*resumed, limits, coordinator)?;
            (versions, directory, (comparison, record))
        }
    };
    let is_latest = directory.link_latest()?;
    runs::warn_if_not_latest(is_latest, directory.path(), coordinator.progress);
    let begun = Begun { directory: begun.0, record: begun.1 };
    let searched = Searched { bisection, directory };
    let clock = PairClock::since(Instant::now());
    let mut search = Search { searched, versions, limits, config, files, coordinator, clock };
    search.save()?;
    search.announce_time();
    let ended = search.run(begun);
    if ended.is_err() {
        search.note(format!("`{}` goes on from here", search.resume()));
    }
    ended.map(|()| search.searched)
}

/// Prints how many versions are between, and how many runs are needed.
fn announce(bisection: &Bisection, coordinator: Coordinator<'_>) {
    let runs = match bisection.runs_needed() {
        [least, most] if least == most => counted(most, "run"),
        [least, most] => format!("{least} to {}", counted(most, "run")),
    };
    coordinator.progress.note(format!(
        "Bisection of {}: {}; at most {}, {runs}",
        bisection.metric,
        bisection.extent(),
        counted(bisection.most_steps(), "comparison"),
    ));
}

impl Search<'_> {
    /// Prints how long the runs take, by the estimate of their plan.
    fn announce_time(&self) {
        let plan = &self.versions.of(Role::Base).plan;
        let [least, most] = self.searched.bisection.runs_needed().map(|runs| {
            let runs = u32::try_from(runs).unwrap_or(u32::MAX);
            plan.estimate().map(|estimate| estimate.duration.saturating_mul(runs))
        });
        let directory = self.searched.directory.path().display();
        self.coordinator.progress.note(match least.zip(most) {
            Some((least, most)) => format!(
                "Estimate: {} to {}; results: {directory}",
                in_minutes(least),
                in_minutes(most)
            ),
            None => format!("Results: {directory}"),
        });
    }

    /// Compares version after version, beginning with that of `begun` if it has no verdict yet.
    fn run(&mut self, begun: Begun) -> Result<()> {
        let first = begun.directory.clone();
        let mut begun = Some(begun).filter(|begun| self.is_next(&begun.record));
        while let Some(position) = self.searched.bisection.next() {
            if !self.clock.fits(Instant::now(), self.limits.max_time) {
                self.note("No further comparison fits into --max-time");
                break;
            }
            let begun = match begun.take() {
                Some(begun) => Ok(begun),
                None => {
                    // Again each time: the warm-up of the good version was made since it began.
                    let first = read(&first.ab()).context("reading the bisection's comparison")?;
                    self.begin(position, first)
                }
            };
            let step = match begun {
                Ok(begun) => self.compare(position, begun)?,
                Err(error) => Some(self.untestable(position, None, error)?),
            };
            let Some(step) = step else { break };
            self.add(step)?;
        }
        Ok(())
    }

    /// Whether a comparison is that of the version that is compared next.
    fn is_next(&self, record: &AbRecord) -> bool {
        let bisection = &self.searched.bisection;
        let next = bisection.next().map(|position| &bisection.revision(position).sky);
        next == Some(&record.candidate.sky)
    }

    /// Installs the version at a position, and begins its comparison with the warm-up of the good
    /// version from the `first` one.
    fn begin(&mut self, position: usize, first: AbRecord) -> Result<Begun> {
        let revision = self.searched.bisection.revision(position);
        self.versions.replace_candidate(&revision.sky)?;
        // Of the good version alone: every other one is new.
        let is_warm_up = |run: &PlacedRun| run.place.pair.is_none() && run.place.role == Role::Base;
        let done = first.done.into_iter().filter(is_warm_up).collect();
        let parent = self.searched.directory.comparisons();
        let (directory, record) = self.versions.begin(&parent, first.runs, self.limits, done)?;
        Ok(Begun { directory, record })
    }

    /// Makes the runs of a comparison; `None` if its time is over before there is a verdict.
    fn compare(&mut self, position: usize, begun: Begun) -> Result<Option<BisectionStep>> {
        let metric = self.searched.bisection.metric;
        let Begun { directory, record } = begun;
        let id = RunId::of_directory(directory.path());
        let (config, resume) = (self.config.clone(), self.resume());
        let ab = Ab { directory, record, config, resume };
        let (clock, coordinator) = (&mut self.clock, self.coordinator);
        let compared = match run_pairs(&self.versions, ab, clock, self.files, coordinator) {
            Ok(compared) => compared,
            Err(error) if error.downcast_ref() == Some(&FailedRun(Role::Candidate)) => {
                return self.untestable(position, Some(id), error).map(Some);
            }
            Err(error) => return Err(error),
        };
        let step = BisectionStep::compared(position, id, &compared.comparison, metric);
        let is_out_of_time = compared.comparison.early_end == Some(EarlyEnd::MaxTime);
        let has_answer = matches!(step.verdict, StepVerdict::Good | StepVerdict::Bad);
        Ok((has_answer || !is_out_of_time).then_some(step))
    }

    /// Step of a version that fails with `error`, unless the failure is not the version's.
    fn untestable(
        &self,
        position: usize,
        id: Option<RunId>,
        error: anyhow::Error,
    ) -> Result<BisectionStep> {
        let text = format!("{error:#}");
        // Ctrl-C on a terminal reaches tools, too, whose failure is then not the version's.
        let is_interrupted = error.is::<Interrupted>() || self.coordinator.signals.interrupted();
        if is_interrupted || hint::is_failure_of_machine(&text) {
            return Err(error);
        }
        self.note(format!("{}: skipped: {text}", self.name(position)));
        let reason = text.lines().next().unwrap_or_default().to_owned();
        Ok(BisectionStep::untestable(position, id, reason))
    }

    /// Adds a step, prints what follows from it, and writes the bisection.
    fn add(&mut self, step: BisectionStep) -> Result<()> {
        let (position, verdict) = (step.position, step.verdict.name());
        self.searched.bisection.add(step);
        let left = match self.searched.bisection.outcome {
            Outcome::Unfinished(_) => {
                let steps = self.searched.bisection.most_steps();
                format!("; {}, at most {} more", self.searched.bisection.reason(), steps)
            }
            _ => String::new(),
        };
        self.note(format!("{} is {verdict}{left}", self.name(position)));
        self.save()
    }

    fn save(&self) -> Result<()> {
        let Searched { bisection, directory } = &self.searched;
        write_json(&directory.json(), bisection)?;
        Ok(write_with(&directory.markdown(), |out| render_markdown(bisection, out))?)
    }

    fn name(&self, position: usize) -> String {
        self.searched.bisection.revision(position).name()
    }

    /// Command that continues the bisection.
    fn resume(&self) -> String {
        let name = self.searched.directory.path().file_name().unwrap_or_default();
        format!("cargo xtask bisect --continue {}", name.to_string_lossy())
    }

    fn note(&self, text: impl AsRef<str>) {
        self.coordinator.progress.note(text.as_ref());
    }
}
