//! Order of an `ab`: a new comparison, or one to continue.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::workspace::Workspace;
use skyload::comparison::{AbRecord, Role};
use skyload::config::Config;
use skyload::plan::{LoadPlan, ServerTarget, SkySelection, UsageErrors};
use skyload::record::request::LoadRequest;
use skyload::record::{ComparisonDir, read};

use crate::commands::load::{Inputs, confirm, runs_dir};
use crate::config;
use crate::flags;
use crate::sky;

/// Most pairs, unless a flag says otherwise.
const PAIRS: u32 = 5;

/// Comparison that flags ask for.
pub(super) struct Order {
    pub(super) work: Work,
    pub(super) limits: Limits,
    /// Configuration with deciding metrics and tolerances.
    pub(super) config: Config,
}

/// Comparison to begin or to continue.
pub(super) enum Work {
    New(Box<New>),
    Resumed(Box<Resumed>),
}

/// New comparison.
pub(super) struct New {
    pub(super) base: Inputs,
    pub(super) candidate: Inputs,
    pub(super) plans: [LoadPlan; 2],
    pub(super) own_dependencies: bool,
    /// Directory of the runs.
    pub(super) runs: PathBuf,
}

/// Comparison that was interrupted.
pub(super) struct Resumed {
    pub(super) directory: ComparisonDir,
    pub(super) record: AbRecord,
    /// `--yes`, which is not recorded.
    pub(super) yes: bool,
}

/// Limits of a comparison: how many runs it makes, and what it compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Most pairs.
    pub(super) pairs: u32,
    /// Time after which no further pair begins; `None` without a limit.
    pub(super) max_time: Option<Duration>,
    /// Whether runs are compared although their conditions differ.
    pub(super) allows_differences: bool,
}

impl Order {
    /// Reads flags, configuration and an existing record, or returns all usage errors.
    pub(super) fn read(flags: flags::Ab, workspace: &Workspace) -> Result<Self> {
        match flags.resume.clone() {
            Some(name) => Self::resumed(flags, &name, workspace),
            None => Self::new(flags, workspace),
        }
    }

    fn new(flags: flags::Ab, workspace: &Workspace) -> Result<Self> {
        let mut mistakes = usage_errors(&flags.request);
        let (limits, of_limits) = limits(&flags, None);
        mistakes.extend(of_limits);
        let flags::Ab { base, candidate, request, results, own_dependencies, .. } = flags;
        let typed = match (base, candidate) {
            (Some(base), Some(candidate)) => [base, candidate],
            (Some(checkout), None) => match alone(&checkout) {
                Ok(typed) => typed,
                Err(error) => {
                    mistakes.push(error);
                    return Err(UsageErrors(mistakes).into());
                }
            },
            // Without `--continue`, clap insists on the first.
            (None, _) => return Err(UsageErrors(vec!["BASE: expected a SkyPilot".into()]).into()),
        };
        let mut plans = Vec::new();
        let mut inputs = Vec::new();
        for (role, sky) in Role::ALL.into_iter().zip(typed) {
            let request = LoadRequest { sky: Some(sky), ..request.clone() };
            let read = Inputs::read(request, workspace)?;
            match read.check() {
                Ok(plan) => plans.push(plan),
                Err(UsageErrors(errors)) => {
                    mistakes.extend(errors.iter().map(|it| named(it, role)))
                }
            }
            inputs.push(read);
        }
        if let Some(plan) = plans.first() {
            mistakes.extend(of_server(plan));
        }
        // Mistakes in other flags are found for both.
        let mut seen = BTreeSet::new();
        mistakes.retain(|mistake| seen.insert(mistake.clone()));
        let (Ok(plans), Ok([base, candidate])) =
            (<[LoadPlan; 2]>::try_from(plans), <[Inputs; 2]>::try_from(inputs))
        else {
            return Err(UsageErrors(mistakes).into());
        };
        if !mistakes.is_empty() {
            return Err(UsageErrors(mistakes).into());
        }
        let runs = runs_dir(results.out.as_deref(), workspace)?;
        let config = config::read(base.request.config.as_deref(), workspace)?;
        let new = New { base, candidate, plans, own_dependencies, runs };
        Ok(Self { work: Work::New(Box::new(new)), limits, config })
    }

    fn resumed(flags: flags::Ab, name: &Path, workspace: &Workspace) -> Result<Self> {
        let mut mistakes = Vec::new();
        let yes = flags.request.yes;
        let has_no_flags = flags.request == LoadRequest { yes, ..LoadRequest::default() };
        let is_new = flags.base.is_some() || flags.own_dependencies || flags.results.out.is_some();
        if is_new || !has_no_flags {
            mistakes.push(
                "--continue: expected only --pairs, --max-time, --allow-differences, --yes and the \
                 form of the output, since versions, plan and directory are those of the comparison"
                    .to_owned(),
            );
        }
        let directory = find(name, workspace).map_err(|mistake| mistakes.push(mistake)).ok();
        let record = directory.as_ref().map(|it| read::<AbRecord>(&it.ab())).transpose();
        let record = record.context("reading the comparison")?;
        let (limits, of_limits) = limits(&flags, record.as_ref());
        mistakes.extend(of_limits);
        let (Some(directory), Some(record), true) = (directory, record, mistakes.is_empty()) else {
            return Err(UsageErrors(mistakes).into());
        };
        let config = config::read(record.request.request.config.as_deref(), workspace)?;
        let resumed = Resumed { directory, record, yes };
        Ok(Self { work: Work::Resumed(Box::new(resumed)), limits, config })
    }

    /// Asks for what a run may not do without a confirmation.
    pub(super) fn confirm(&self) -> Result<()> {
        let (plan, yes) = match &self.work {
            Work::New(new) => (&new.plans[0], new.base.request.yes),
            Work::Resumed(resumed) => (&resumed.record.plan, resumed.yes),
        };
        confirm(plan, yes, Progress::new())
    }
}

/// Usage errors of load's flags that a comparison cannot have.
fn usage_errors(request: &LoadRequest) -> Vec<String> {
    let checks = [
        (request.sky.is_some(), "--sky: `ab` takes its versions as BASE and CANDIDATE"),
        (request.keep_server, "--keep-server: a kept server would run beside the next one"),
    ];
    checks.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, text)| text.to_owned()).collect()
}

/// Usage error of a plan whose server is not one of skyload's own.
fn of_server(plan: &LoadPlan) -> Option<String> {
    let is_own = matches!(plan.server, ServerTarget::Isolated { .. });
    (!is_own).then(|| {
        "--server: expected isolated, since `ab` starts a server of each version".to_owned()
    })
}

/// Usage error with the argument in place of the flag of `load`.
fn named(mistake: &str, role: Role) -> String {
    match mistake.strip_prefix("--sky: ") {
        Some(rest) => format!("{}: {rest}", role.name().to_uppercase()),
        None => mistake.to_owned(),
    }
}

/// Limits of flags, or of the comparison that is continued; with usage errors.
fn limits(flags: &flags::Ab, record: Option<&AbRecord>) -> (Limits, Option<String>) {
    let pairs = flags.pairs.or(record.map(|record| record.pairs)).unwrap_or(PAIRS);
    let of_record = record.and_then(|record| record.max_time);
    let (max_time, mistake) = match flags.max_time.as_deref().map(str::trim) {
        None => (of_record, None),
        Some(text) => match humantime::parse_duration(text) {
            Ok(time) if !time.is_zero() => (Some(time), None),
            _ => (None, Some(format!("--max-time: expected a time such as 2h, got `{text}`"))),
        },
    };
    let of_record = record.is_some_and(|record| record.allows_differences);
    let allows_differences = flags.allow_differences || of_record;
    (Limits { pairs, max_time, allows_differences }, mistake)
}

/// Base and candidate of a checkout alone, or a usage error.
fn alone(checkout: &str) -> Result<[String; 2], String> {
    let expected = "CANDIDATE: expected a second SkyPilot; only a checkout can be compared alone, \
                    with its merge base with the main branch";
    match SkySelection::parse(checkout) {
        Ok(SkySelection::Checkout(folder)) => {
            let base = sky::merge_base(&folder).map_err(|error| format!("BASE: {error:#}"))?;
            Ok([format!("git:{}@{base}", folder.display()), checkout.to_owned()])
        }
        Ok(_) => Err(expected.to_owned()),
        Err(error) => Err(format!("BASE: {error}")),
    }
}

/// Directory of a comparison to continue, by its path or its id, or a usage error.
fn find(name: &Path, workspace: &Workspace) -> Result<ComparisonDir, String> {
    // The link `latest` may be of a comparison of finished runs.
    let newest = (name == Path::new("latest")).then(|| newest_ab(&workspace.comparisons()));
    let by_id = newest.flatten().unwrap_or_else(|| workspace.comparisons().join(name));
    let path = if name.join(ComparisonDir::AB).is_file() { name.to_owned() } else { by_id };
    let directory = ComparisonDir::open(&path);
    match directory {
        Ok(directory) if directory.ab().is_file() => Ok(directory),
        _ => Err(format!(
            "--continue: `{}` is no comparison that `ab` has begun\n  hint: comparisons are in `{}`",
            name.display(),
            workspace.comparisons().display()
        )),
    }
}

/// Newest comparison that `ab` has begun, by its id; `None` without one.
fn newest_ab(comparisons: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(comparisons).into_iter().flatten().flatten();
    // Leaves out the link `latest`.
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let paths = folders.map(|entry| entry.path());
    paths.filter(|path| path.join(ComparisonDir::AB).is_file()).max()
}
