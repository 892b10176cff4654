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
use skyload::record::{BisectionDir, ComparisonDir, read};

use crate::commands::ab::{Asked, Continued, Limits, Naming, New, Resumable, Resumed};
use crate::commands::load::runs_dir;
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
        let flags::Bisect { good, bad, metric, paired } = flags;
        match &paired.resume {
            Some(name) => {
                let is_new = good.is_some() || metric.is_some();
                Self::resumed(&paired, is_new, name, workspace)
            }
            None => Self::new([good, bad], metric, paired, workspace, progress),
        }
    }

    fn new(
        versions: [Option<String>; 2],
        metric: Option<String>,
        paired: flags::Paired,
        workspace: &Workspace,
        progress: Progress,
    ) -> Result<Self> {
        let (limits, mistake) = Limits::of_flags(&paired, None);
        let mut mistakes = Vec::from_iter(mistake);
        let flags::Paired { request, results, own_dependencies, .. } = paired;
        let metric = metric_of(metric.as_deref().unwrap_or_default());
        let metric = metric.map_err(|mistake| mistakes.push(mistake)).ok();
        // Without `--continue`, clap insists on both.
        let typed = versions.map(Option::unwrap_or_default);
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

    fn resumed(
        paired: &flags::Paired,
        is_new: bool,
        name: &Path,
        workspace: &Workspace,
    ) -> Result<Self> {
        let continued = Continued::<Bisection>::read(name, paired, is_new, workspace)?;
        let Continued { directory, record: bisection, limits, yes } = continued;
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
        match &self.work {
            Work::New(new) => new.confirm(),
            Work::Resumed(_, resumed) => resumed.confirm(),
        }
    }
}

impl Resumable for Bisection {
    type Directory = BisectionDir;

    const NAME: &'static str = "bisection";

    const FIXED: &'static str = "versions, metric and plan";

    fn find(name: &Path, workspace: &Workspace) -> Result<BisectionDir, String> {
        find(name, workspace)
    }

    fn file(directory: &BisectionDir) -> PathBuf {
        directory.json()
    }

    fn limits(&self) -> Limits {
        let Self { pairs, max_time, allows_differences, .. } = *self;
        Limits { pairs, max_time, allows_differences }
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
