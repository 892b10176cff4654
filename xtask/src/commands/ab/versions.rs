//! Both SkyPilots of an `ab`: installed alike, with one plan for the runs of both.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use host::environment::server_env;
use skyload::comparison::{AbRecord, PlacedRun, Role, VersionUnderTest};
use skyload::credentials::Credentials;
use skyload::ids::RunId;
use skyload::plan::{Dependencies, LoadPlan, ResolutionDate, SkySelection, UsageErrors};
use skyload::record::request::{LoadRequest, RequestFile, ServerVariable};
use skyload::record::{ComparisonDir, Version, write_json};
use skyload::target::sky::GitReference;

use super::limits::Limits;
use super::order::{New, Resumed};
use crate::commands::load::{Coordinator, Prepared};
use crate::commands::runs;
use crate::nextest::Tests;
use crate::sky::SkyInstallation;

/// Both versions, ready to run.
pub(crate) struct Versions<'a> {
    base: Prepared<'a>,
    candidate: Prepared<'a>,
    pub(super) tests: Tests,
}

impl<'a> Versions<'a> {
    pub(crate) fn of(&self, role: Role) -> &Prepared<'a> {
        match role {
            Role::Base => &self.base,
            Role::Candidate => &self.candidate,
        }
    }

    /// Installs another version in the place of the candidate, with the plan of the base and
    /// packages of the same date.
    pub(crate) fn replace_candidate(&mut self, sky: &SkySelection) -> Result<()> {
        let base = &self.base;
        let plan = LoadPlan { sky: sky.clone(), ..base.plan.clone() };
        let request = LoadRequest { sky: Some(sky.to_string()), ..base.request.clone() };
        let (coordinator, credentials) = (base.coordinator, base.credentials.clone());
        let candidate = Prepared::of_plan(coordinator, request, plan, credentials)?;
        ensure_same_abilities(&candidate)?;
        self.candidate = candidate;
        Ok(())
    }

    /// Prepares both versions of a new comparison.
    pub(crate) fn of_new(new: New, coordinator: Coordinator<'a>) -> Result<Self> {
        let New { base, candidate, plans: [plan, of_candidate], own_dependencies, .. } = new;
        let credentials = Credentials::for_server(&plan.server)?;
        let tests = coordinator.build_tests(&credentials, &plan)?;
        let mut base = Prepared::new(coordinator, base, &plan, credentials.clone())?;
        let with_sky = |plan: &LoadPlan| LoadPlan { sky: of_candidate.sky.clone(), ..plan.clone() };
        let plan_of_candidate = with_sky(&base.plan);
        let mut candidate =
            Prepared::of_plan(coordinator, candidate.request, plan_of_candidate, credentials)?;
        if !own_dependencies {
            align_dependencies(&mut base, &mut candidate)?;
        }
        ensure_same_abilities(&candidate)?;
        Ok(Self { base, candidate, tests })
    }

    /// Creates the directory of a comparison in `parent`, with the record of the runs to make. A
    /// warm-up that an earlier comparison has `done` is not repeated.
    pub(crate) fn begin(
        &self,
        parent: &Path,
        runs: PathBuf,
        limits: Limits,
        done: Vec<PlacedRun>,
    ) -> Result<(ComparisonDir, AbRecord)> {
        let directory = ComparisonDir::create(&parent.join(RunId::generate().as_str()))?;
        let record = AbRecord {
            version: Version,
            base: under_test(&self.base),
            candidate: under_test(&self.candidate),
            pairs: limits.pairs,
            max_time: limits.max_time,
            allows_differences: limits.allows_differences,
            runs,
            request: RequestFile::of(self.base.request.clone()),
            plan: self.base.plan.clone(),
            done,
        };
        write_json(&directory.ab(), &record)?;
        // From the beginning, so that `--continue` finds a comparison without a complete pair.
        let is_latest = directory.link_latest()?;
        let progress = self.base.coordinator.progress;
        runs::warn_if_not_latest(is_latest, directory.path(), progress);
        Ok((directory, record))
    }
}

/// Prepares a comparison that is continued, with the plan and the versions that it began with.
pub(crate) fn of_resumed(
    resumed: Resumed,
    limits: Limits,
    coordinator: Coordinator<'_>,
) -> Result<(Versions<'_>, ComparisonDir, AbRecord)> {
    let Resumed { directory, record, yes } = resumed;
    ensure_same_variables(&record)?;
    let credentials = Credentials::for_server(&record.plan.server)?;
    let tests = coordinator.build_tests(&credentials, &record.plan)?;
    let prepare = |role: Role| {
        let begun = record.version_of(role);
        let plan = LoadPlan { sky: begun.sky.clone(), ..record.plan.clone() };
        let sky = Some(begun.sky.to_string());
        let request = LoadRequest { sky, yes, ..record.request.request.clone() };
        let prepared = Prepared::of_plan(coordinator, request, plan, credentials.clone())?;
        let now = under_test(&prepared);
        if now != *begun {
            bail!(UsageErrors(vec![format!(
                "--continue: the {} is {} now, and the comparison began with {}\n  hint: start a \
                 new one",
                role.name(),
                now.in_words(),
                begun.in_words()
            )]));
        }
        Ok(prepared)
    };
    let (base, candidate) = (prepare(Role::Base)?, prepare(Role::Candidate)?);
    let versions = Versions { base, candidate, tests };
    let Limits { pairs, max_time, allows_differences } = limits;
    let record = AbRecord { pairs, max_time, allows_differences, ..record };
    Ok((versions, directory, record))
}

/// Installs the version with the older dependencies again, with those of the other's date, so that
/// a difference is SkyPilot's.
fn align_dependencies<'a>(base: &mut Prepared<'a>, candidate: &mut Prepared<'a>) -> Result<()> {
    let [Some(of_base), Some(of_candidate)] = [&*base, &*candidate].map(date_of) else {
        base.coordinator.progress.note(
            "Packages of both versions are as they are: one has no date that the other's could be \
             resolved as of",
        );
        return Ok(());
    };
    let newer = of_base.max(of_candidate);
    for (role, prepared) in [(Role::Base, base), (Role::Candidate, candidate)] {
        prepared.plan.dependencies = Dependencies::At(newer.clone());
        // Also of the newer version: its environment may be of another Python. A release may not
        // work with packages that are newer than itself.
        prepared.install_again().with_context(|| {
            format!(
                "installing the {} with packages as of {}, the newer date of both; with \
                 `--own-dependencies`, each version has those of its own date",
                role.name(),
                newer.day()
            )
        })?;
    }
    Ok(())
}

/// Date of a version's packages; `None` if it is unknown, or of a `sky` that skyload did not
/// install.
fn date_of(prepared: &Prepared<'_>) -> Option<ResolutionDate> {
    let is_nightly = prepared.plan.sky == SkySelection::Nightly;
    // The newest nightly build is installed with the newest packages.
    prepared
        .sky
        .resolved_as_of
        .clone()
        .or_else(|| is_nightly.then(|| ResolutionDate::at(SystemTime::now())))
}

/// Fails if variables of the shell that the server gets (`--server-env NAME`) are not as at the
/// beginning, of which the record has hashes.
fn ensure_same_variables(record: &AbRecord) -> Result<(), UsageErrors> {
    let now = server_env::from_shell(&record.request.request.server_env);
    let begun = record.plan.server_env.iter();
    let differ = |variable: &&ServerVariable| {
        let is_of_shell = now.iter().any(|one| one.name == variable.name)
            || record.request.request.server_env.contains(&variable.name);
        is_of_shell && !now.contains(variable)
    };
    let mistakes: Vec<String> = begun
        .filter(differ)
        .map(|variable| {
            format!(
                "--continue: the variable {} of the shell is not as at the beginning of the \
                 comparison (--server-env {})",
                variable.name, variable.name
            )
        })
        .collect();
    if mistakes.is_empty() { Ok(()) } else { Err(UsageErrors(mistakes)) }
}

/// Fails if the candidate cannot do what the plan, which is made for the base, has it do.
fn ensure_same_abilities(candidate: &Prepared<'_>) -> Result<()> {
    let locals = candidate.plan.infrastructure.locals();
    let obstacles = loopback::obstacles_of(&candidate.sky.for_nodes(), locals);
    let all = obstacles.obstacles.values().chain(obstacles.without_nodes.values());
    let reasons: Vec<String> = all.map(ToString::to_string).collect();
    if !reasons.is_empty() {
        bail!(
            "the candidate cannot run the plan of the base: {}\n  hint: `-c none` compares without \
             launches",
            reasons.join("; ")
        );
    }
    Ok(())
}

fn under_test(prepared: &Prepared<'_>) -> VersionUnderTest {
    let SkyInstallation { facts, source, .. } = &prepared.sky;
    let commit = source.as_ref().and_then(|source| source.commit.as_ref());
    let sky = match (&prepared.plan.sky, commit) {
        (SkySelection::Git(git), Some(commit)) => {
            SkySelection::Git(GitReference { reference: commit.hash.clone(), ..git.clone() })
        }
        (sky, _) => sky.clone(),
    };
    VersionUnderTest {
        sky,
        version: facts.version.clone(),
        commit: facts.commit.clone(),
        python: facts.packages.as_ref().map(|packages| packages.python.clone()),
    }
}
