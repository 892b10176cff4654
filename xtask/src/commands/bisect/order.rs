//! Order of a bisection: a new one, or one to continue.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::workspace::Workspace;
use skyload::comparison::{AbRecord, Bisection};
use skyload::config::Config;
use skyload::metric::{ClassMetric, ComparedMetric, Decider, Metric};
use skyload::plan::UsageErrors;
use skyload::record::request::LoadRequest;
use skyload::record::{BisectionDir, ComparisonDir, read};

use crate::commands::ab::{Asked, Limits, Naming, New, Resumed, limits};
use crate::commands::load::{confirm, runs_dir};
use crate::config;
use crate::flags;
use crate::sky;

const BISECT: Naming = Naming { command: "bisect", versions: ["GOOD", "BAD"] };

/// Bisection that flags ask for.
pub(super) struct Order {
    pub(super) work: Work,
    pub(super) bisection: Bisection,
    pub(super) limits: Limits,
    /// Configuration in which the bisection's metric alone decides.
    pub(super) config: Config,
}

/// Bisection to begin or to continue.
pub(super) enum Work {
    /// Comparison of the bad version with the good one.
    New(Box<New>),
    /// Directory of the bisection, and its comparison that was interrupted or else the first.
    Resumed(BisectionDir, Box<Resumed>),
}

impl Order {
    /// Reads flags, configuration and an existing bisection, or returns all usage errors.
    pub(super) fn read(
        flags: flags::Bisect,
        workspace: &Workspace,
        progress: Progress,
    ) -> Result<Self> {
        match flags.resume.clone() {
            Some(name) => Self::resumed(flags, &name, workspace),
            None => Self::new(flags, workspace, progress),
        }
    }

    fn new(flags: flags::Bisect, workspace: &Workspace, progress: Progress) -> Result<Self> {
        let flags::Bisect { good, bad, metric, request, results, own_dependencies, .. } = flags;
        let (limits, mistake) =
            limits(flags.pairs, flags.max_time.as_deref(), flags.allow_differences, None);
        let mut mistakes = Vec::from_iter(mistake);
        let metric = metric_of(metric.as_deref().unwrap_or_default());
        let metric = metric.map_err(|mistake| mistakes.push(mistake)).ok();
        // Without `--continue`, clap insists on both.
        let typed = [good, bad].map(Option::unwrap_or_default);
        let between = sky::versions_between(&typed[0], &typed[1], &workspace.state, &progress);
        let between = match between.map_err(anyhow::Error::downcast) {
            Ok(between) => Some(between),
            Err(Ok(UsageErrors(of_versions))) => {
                mistakes.extend(of_versions);
                None
            }
            Err(Err(error)) => return Err(error),
        };
        let resolved = between.as_ref().and_then(|between| {
            Some([&between.good, between.revisions.last()?].map(|it| it.sky.to_string()))
        });
        let runs = runs_dir(results.out.as_deref(), workspace)?;
        let asked = Asked { request, own_dependencies, runs };
        let new = New::read(&BISECT, asked, resolved.unwrap_or(typed), workspace, mistakes)?;
        // Missing only with a mistake, which is an error by now.
        let (metric, between) = metric.zip(between).context("reading GOOD, BAD and --metric")?;
        if let ComparedMetric::Latency(id, _) = metric
            && new.plans[0].scenario(id).is_none()
        {
            let mistake = format!("--metric: the plan has no {id}, so nothing measures {metric}");
            return Err(UsageErrors(vec![mistake]).into());
        }
        let sky::Between { good, revisions, unchanged_commits } = between;
        let bisection = Bisection::new(metric, good, revisions, unchanged_commits);
        let config = config::read(new.base.request.config.as_deref(), workspace)?;
        Ok(Self::of(Work::New(Box::new(new)), bisection, limits, config))
    }

    fn resumed(flags: flags::Bisect, name: &Path, workspace: &Workspace) -> Result<Self> {
        let mut mistakes = Vec::new();
        let yes = flags.request.yes;
        let has_no_flags = flags.request == LoadRequest { yes, ..LoadRequest::default() };
        let is_new = flags.good.is_some()
            || flags.metric.is_some()
            || flags.own_dependencies
            || flags.results.out.is_some();
        if is_new || !has_no_flags {
            mistakes.push(
                "--continue: expected only --pairs, --max-time, --allow-differences, --yes and the \
                 form of the output, since versions, metric and plan are those of the bisection"
                    .to_owned(),
            );
        }
        let directory = find(name, workspace).map_err(|mistake| mistakes.push(mistake)).ok();
        let begun = directory.as_ref().map(|it| read::<Bisection>(&it.json())).transpose();
        let begun = begun.context("reading the bisection")?;
        let limits_begun =
            begun.as_ref().map(|&Bisection { pairs, max_time, allows_differences, .. }| Limits {
                pairs,
                max_time,
                allows_differences,
            });
        let allow_differences = flags.allow_differences;
        let (limits, mistake) =
            limits(flags.pairs, flags.max_time.as_deref(), allow_differences, limits_begun);
        mistakes.extend(mistake);
        let (Some(directory), Some(bisection), true) = (directory, begun, mistakes.is_empty())
        else {
            return Err(UsageErrors(mistakes).into());
        };
        let comparison = comparison_to_continue(&directory, &bisection)?;
        let record: AbRecord =
            read(&comparison.ab()).context("reading a comparison of the bisection")?;
        let config = config::read(record.request.request.config.as_deref(), workspace)?;
        let resumed = Resumed { directory: comparison, record, yes };
        let work = Work::Resumed(directory, Box::new(resumed));
        Ok(Self::of(work, bisection, limits, config))
    }

    fn of(work: Work, bisection: Bisection, limits: Limits, mut config: Config) -> Self {
        let Limits { pairs, max_time, allows_differences } = limits;
        config.compare.decide = Some(vec![Decider::Metric(bisection.metric)]);
        // Of one metric, noise is no reason to go by the others.
        config.compare.unless_noisy = Some(Vec::new());
        let bisection = Bisection { pairs, max_time, allows_differences, ..bisection };
        Self { work, bisection, limits, config }
    }

    /// Asks for what a run may not do without a confirmation.
    pub(super) fn confirm(&self) -> Result<()> {
        let (plan, yes) = match &self.work {
            Work::New(new) => (&new.plans[0], new.base.request.yes),
            Work::Resumed(_, resumed) => (&resumed.record.plan, resumed.yes),
        };
        confirm(plan, yes, Progress::new())
    }
}

/// Metric of a name, where `CLASS.peak` is the largest peak of a class as its name alone is.
fn metric_of(text: &str) -> Result<ComparedMetric, String> {
    let is_class = |name: &&str| {
        let metric = name.parse::<ComparedMetric>();
        matches!(metric, Ok(ComparedMetric::Server(Metric::Class(_, ClassMetric::MaxPeak))))
    };
    let name = text.trim().strip_suffix(".peak").filter(is_class).unwrap_or(text.trim());
    match name.parse::<Decider>() {
        Ok(Decider::Metric(metric)) => Ok(metric),
        Ok(group) => Err(format!("--metric: expected one metric, got the group `{group}`")),
        Err(error) => Err(format!("--metric: {error}")),
    }
}

/// Directory of a bisection to continue, by its path or its id, or a usage error.
fn find(name: &Path, workspace: &Workspace) -> Result<BisectionDir, String> {
    let is_one =
        |path: &PathBuf| BisectionDir::open(path).is_ok_and(|directory| directory.json().is_file());
    let mut paths = [name.to_owned(), workspace.bisections().join(name)].into_iter();
    let found = paths.find(is_one).and_then(|path| BisectionDir::open(&path).ok());
    found.ok_or_else(|| {
        format!(
            "--continue: `{}` is no bisection\n  hint: bisections are in `{}`",
            name.display(),
            workspace.bisections().display()
        )
    })
}

/// Comparison of a bisection that has ended without a verdict on its version, or else the first,
/// whose plan is that of all.
fn comparison_to_continue(
    directory: &BisectionDir,
    bisection: &Bisection,
) -> Result<ComparisonDir> {
    let mut ids = Vec::new();
    let reading = || format!("reading {}", directory.comparisons().display());
    for entry in fs::read_dir(directory.comparisons()).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        // Leaves out the link `latest`.
        if entry.file_type().with_context(reading)?.is_dir() {
            ids.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    ids.sort();
    let is_judged = |name: &str| {
        let mut judged = bisection.steps.iter().filter_map(|step| step.comparison.as_ref());
        judged.any(|id| id.as_str() == name)
    };
    let open = ids.iter().rev().find(|name| !is_judged(name.as_str()));
    let name = open.or(ids.first()).context("the bisection has no comparison")?;
    Ok(ComparisonDir::open(&directory.comparisons().join(name))?)
}
