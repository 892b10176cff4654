//! Both SkyPilots of an `ab`: installed alike, with one plan for the runs of both.

use anyhow::{Context as _, Result, bail};
use skyload::comparison::{AbRecord, Role, VersionUnderTest};
use skyload::credentials::Credentials;
use skyload::ids::RunId;
use skyload::plan::{Dependencies, LoadPlan, SkySelection, UsageErrors};
use skyload::record::request::RequestFile;
use skyload::record::{ComparisonDir, Version, write_json};
use skyload::target::sky::GitReference;

use super::order::{Limits, New, Resumed};
use crate::commands::load::{Coordinator, Prepared};
use crate::commands::runs;
use crate::nextest::Tests;
use crate::sky::SkyInstallation;

/// Both versions, ready to run.
pub(super) struct Versions<'a> {
    base: Prepared<'a>,
    candidate: Prepared<'a>,
    pub(super) tests: Tests,
}

impl<'a> Versions<'a> {
    pub(super) fn of(&self, role: Role) -> &Prepared<'a> {
        match role {
            Role::Base => &self.base,
            Role::Candidate => &self.candidate,
        }
    }
}

/// Prepares a new comparison, and creates its directory.
pub(super) fn of_new(
    new: New,
    limits: Limits,
    coordinator: Coordinator<'_>,
) -> Result<(Versions<'_>, ComparisonDir, AbRecord)> {
    let New { base, candidate, plans: [plan, of_candidate], own_dependencies, runs } = new;
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

    let directory = coordinator.workspace.comparisons().join(RunId::generate().as_str());
    let directory = ComparisonDir::create(&directory)?;
    let record = AbRecord {
        version: Version,
        base: under_test(&base),
        candidate: under_test(&candidate),
        pairs: limits.pairs,
        max_time: limits.max_time,
        runs,
        request: RequestFile::of(base.request.clone()),
        plan: base.plan.clone(),
        done: Vec::new(),
    };
    write_json(&directory.ab(), &record)?;
    // From the beginning, so that `--continue` finds a comparison without a complete pair.
    let is_latest = directory.link_latest()?;
    runs::warn_if_not_latest(is_latest, directory.path(), coordinator.progress);
    Ok((Versions { base, candidate, tests }, directory, record))
}

/// Prepares a comparison that is continued, with the plan and the versions that it began with.
pub(super) fn of_resumed(
    resumed: Resumed,
    limits: Limits,
    coordinator: Coordinator<'_>,
) -> Result<(Versions<'_>, ComparisonDir, AbRecord)> {
    let Resumed { directory, record } = resumed;
    let credentials = Credentials::for_server(&record.plan.server)?;
    let tests = coordinator.build_tests(&credentials, &record.plan)?;
    let prepare = |role: Role| {
        let begun = record.version_of(role);
        let plan = LoadPlan { sky: begun.sky.clone(), ..record.plan.clone() };
        let request = record.request.request.clone();
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
    let record = AbRecord { pairs: limits.pairs, max_time: limits.max_time, ..record };
    Ok((versions, directory, record))
}

/// Installs the version with the older dependencies again, with those of the other's date, so that
/// a difference is SkyPilot's.
fn align_dependencies<'a>(base: &mut Prepared<'a>, candidate: &mut Prepared<'a>) -> Result<()> {
    let dates = [&*base, &*candidate].map(|one| one.sky.resolved_as_of.clone());
    let [Some(of_base), Some(of_candidate)] = dates else { return Ok(()) };
    let newer = of_base.clone().max(of_candidate.clone());
    for (role, prepared, date) in
        [(Role::Base, base, of_base), (Role::Candidate, candidate, of_candidate)]
    {
        prepared.plan.dependencies = Dependencies::At(newer.clone());
        if date != newer {
            // A release may not work with packages that are newer than itself.
            prepared.install_again().with_context(|| {
                format!(
                    "installing the {} with packages as of {}, the newer date of both; with \
                     `--own-dependencies`, each version has those of its own date",
                    role.name(),
                    newer.day()
                )
            })?;
        }
    }
    Ok(())
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
    VersionUnderTest { sky, version: facts.version.clone(), commit: facts.commit.clone() }
}
