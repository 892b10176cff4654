//! Order of an `ab`: a new comparison, or one to continue.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use host::progress::Progress;
use host::workspace::Workspace;
use skyload::comparison::AbRecord;
use skyload::config::Config;
use skyload::plan::{LoadPlan, ServerTarget, SkySelection, UsageErrors};
use skyload::record::ComparisonDir;
use skyload::record::request::LoadRequest;

use super::limits::Limits;
use super::resume::{Continued, Resumable};
use crate::commands::load::{Inputs, confirm, runs_dir};
use crate::config;
use crate::flags;
use crate::sky;

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
pub(crate) struct New {
    pub(crate) base: Inputs,
    pub(crate) candidate: Inputs,
    pub(crate) plans: [LoadPlan; 2],
    pub(crate) own_dependencies: bool,
    /// Directory of the runs.
    pub(crate) runs: PathBuf,
}

/// Comparison that was interrupted.
pub(crate) struct Resumed {
    pub(crate) directory: ComparisonDir,
    pub(crate) record: AbRecord,
    /// `--yes`, which is not recorded.
    pub(crate) yes: bool,
}

impl Order {
    /// Reads flags, configuration and an existing record, or returns all usage errors.
    pub(super) fn read(flags: flags::Ab, workspace: &Workspace) -> Result<Self> {
        let flags::Ab { base, candidate, paired } = flags;
        match &paired.resume {
            Some(name) => Self::resumed(&paired, base.is_some(), name, workspace),
            None => Self::new([base, candidate], paired, workspace),
        }
    }

    fn new(
        versions: [Option<String>; 2],
        paired: flags::Paired,
        workspace: &Workspace,
    ) -> Result<Self> {
        let (limits, mistake) = Limits::of_flags(&paired, None);
        let mut mistakes = Vec::from_iter(mistake);
        let flags::Paired { request, results, own_dependencies, .. } = paired;
        let typed = match versions {
            [Some(base), Some(candidate)] => Ok([base, candidate]),
            [Some(checkout), None] => alone(&checkout),
            // Without `--continue`, clap insists on the first.
            [None, _] => Err("BASE: expected a SkyPilot".to_owned()),
        };
        let typed = match typed {
            Ok(typed) => typed,
            Err(mistake) => {
                mistakes.extend(AB.usage_errors(&request));
                mistakes.push(mistake);
                return Err(UsageErrors(mistakes).into());
            }
        };
        let runs = runs_dir(results.out.as_deref(), workspace)?;
        let asked = Asked { request, own_dependencies, runs };
        let new = New::read(&AB, asked, typed, workspace, mistakes)?;
        let config = config::read(new.base.request.config.as_deref(), workspace)?;
        Ok(Self { work: Work::New(Box::new(new)), limits, config })
    }

    fn resumed(
        paired: &flags::Paired,
        is_new: bool,
        name: &Path,
        workspace: &Workspace,
    ) -> Result<Self> {
        let continued = Continued::<AbRecord>::read(name, paired, is_new, workspace)?;
        let Continued { directory, record, limits, yes } = continued;
        let config = config::read(record.request.request.config.as_deref(), workspace)?;
        let resumed = Resumed { directory, record, yes };
        Ok(Self { work: Work::Resumed(Box::new(resumed)), limits, config })
    }

    /// Asks for what a run may not do without a confirmation.
    pub(super) fn confirm(&self) -> Result<()> {
        match &self.work {
            Work::New(new) => new.confirm(),
            Work::Resumed(resumed) => resumed.confirm(),
        }
    }
}

impl Resumable for AbRecord {
    type Directory = ComparisonDir;

    const NAME: &'static str = "comparison";

    const FIXED: &'static str = "versions, plan and directory";

    fn find(name: &Path, workspace: &Workspace) -> Result<ComparisonDir, String> {
        find(name, workspace)
    }

    fn file(directory: &ComparisonDir) -> PathBuf {
        directory.ab()
    }

    fn limits(&self) -> Limits {
        let Self { pairs, max_time, allows_differences, .. } = *self;
        Limits { pairs, max_time, allows_differences }
    }
}

impl Resumed {
    /// Asks for what a run may not do without a confirmation.
    pub(crate) fn confirm(&self) -> Result<()> {
        confirm(&self.record.plan, self.yes, Progress::new())
    }
}

impl New {
    /// New comparison of two typed versions, or all usage errors, after `mistakes`.
    pub(crate) fn read(
        naming: &Naming,
        asked: Asked,
        typed: [String; 2],
        workspace: &Workspace,
        mut mistakes: Vec<String>,
    ) -> Result<Self> {
        let Asked { request, own_dependencies, runs } = asked;
        mistakes.extend(naming.usage_errors(&request));
        let mut plans = Vec::new();
        let mut inputs = Vec::new();
        for (name, sky) in naming.versions.into_iter().zip(typed) {
            let request = LoadRequest { sky: Some(sky), ..request.clone() };
            let read = Inputs::read(request, workspace)?;
            match read.check() {
                Ok(plan) => plans.push(plan),
                Err(UsageErrors(errors)) => {
                    mistakes.extend(errors.iter().map(|it| named(it, name)))
                }
            }
            inputs.push(read);
        }
        if let Some(plan) = plans.first() {
            mistakes.extend(naming.error_of_server(plan));
        }
        // Mistakes in other flags are found for both.
        let mut seen = BTreeSet::new();
        mistakes.retain(|mistake| seen.insert(mistake.clone()));
        let (Ok(plans), Ok([base, candidate]), true) = (
            <[LoadPlan; 2]>::try_from(plans),
            <[Inputs; 2]>::try_from(inputs),
            mistakes.is_empty(),
        ) else {
            return Err(UsageErrors(mistakes).into());
        };
        Ok(Self { base, candidate, plans, own_dependencies, runs })
    }

    /// Asks for what a run may not do without a confirmation.
    pub(crate) fn confirm(&self) -> Result<()> {
        confirm(&self.plans[0], self.base.request.yes, Progress::new())
    }
}

/// Flags of a new comparison, beside its versions.
pub(crate) struct Asked {
    pub(crate) request: LoadRequest,
    pub(crate) own_dependencies: bool,
    /// Directory of the runs.
    pub(crate) runs: PathBuf,
}

/// Command that compares versions, with the names of its arguments, for usage errors.
pub(crate) struct Naming {
    /// Name of the command.
    pub(crate) command: &'static str,
    /// Names of base and candidate.
    pub(crate) versions: [&'static str; 2],
}

const AB: Naming = Naming { command: "ab", versions: ["BASE", "CANDIDATE"] };

impl Naming {
    /// Usage errors of load's flags that a comparison cannot have.
    fn usage_errors(&self, request: &LoadRequest) -> Vec<String> {
        let Self { command, versions: [base, candidate] } = self;
        let mut mistakes = Vec::new();
        if request.sky.is_some() {
            mistakes
                .push(format!("--sky: `{command}` takes its versions as {base} and {candidate}"));
        }
        if request.keep_server {
            let reason = "--keep-server: a kept server would run beside the next one";
            mistakes.push(reason.to_owned());
        }
        mistakes
    }

    /// Usage error of a plan whose server is not one of skyload's own.
    fn error_of_server(&self, plan: &LoadPlan) -> Option<String> {
        let command = self.command;
        let is_own = matches!(plan.server, ServerTarget::Isolated { .. });
        (!is_own).then(|| {
            format!(
                "--server: expected isolated, since `{command}` starts a server of each version"
            )
        })
    }
}

/// Usage error with the argument in place of the flag of `load`.
fn named(mistake: &str, argument: &str) -> String {
    match mistake.strip_prefix("--sky: ") {
        Some(rest) => format!("{argument}: {rest}"),
        None => mistake.to_owned(),
    }
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
