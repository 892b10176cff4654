//! `cargo xtask recommend`: recommended constants, and a patch of SkyPilot.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use host::print;
use host::progress::Progress;
use host::workspace::Workspace;
use skyload::analysis::{Report, Verdict};
use skyload::machine_size::MachineSize;
use skyload::plan::{SkySelection, UsageErrors};
use skyload::recommend::patch::{self, Change, PatchError};
use skyload::recommend::{Effects, Mode, Recommendation, effects, text};
use skyload::record::environment::{Environment, SkyUnderTest};

use super::report;
use crate::flags::{self, Format};
use crate::sky::{Extras, SkyInstallation, sizing};

/// SkyPilot's modules with the constants, from the newest releases to the oldest.
const MODULES: [&str; 2] = ["sky/server/config.py", "sky/server/requests/executor.py"];

pub(crate) fn run(flags: &flags::Recommend) -> Result<u8> {
    let workspace = Workspace::locate()?;
    let machines = machines(&flags.machines)?;
    let reports = runs(&workspace, &flags.runs)?;
    let recommendation =
        Recommendation::assemble(&reports).map_err(|error| UsageErrors(vec![error.to_string()]))?;
    let environment = reports
        .iter()
        .find_map(|report| report.environment.as_ref())
        .context("no run has a record of its SkyPilot")?;
    let code = if recommendation.is_usable() { 0 } else { Verdict::Inconclusive.exit_code() };
    if flags.patch {
        print_patch(&workspace, &recommendation, environment)?;
        return Ok(code);
    }
    let effects = effects_of(&workspace, flags, &machines, &recommendation, environment);
    let names: Vec<String> = reports.into_iter().map(|report| report.name).collect();
    show(&recommendation.with_effects(effects), &names, flags.format)?;
    Ok(code)
}

fn machines(lists: &[String]) -> Result<Vec<MachineSize>> {
    let items = || lists.iter().flat_map(|list| list.split([',', ' ']));
    let (mut machines, mut mistakes) = (Vec::new(), Vec::new());
    for item in items().map(str::trim).filter(|item| !item.is_empty()) {
        match item.parse() {
            Ok(machine) => machines.push(machine),
            Err(error) => mistakes.push(format!("--machines: {error}")),
        }
    }
    if !mistakes.is_empty() {
        return Err(UsageErrors(mistakes).into());
    }
    Ok(if machines.is_empty() { effects::DEFAULT_MACHINES.to_vec() } else { machines })
}

/// Reports of all runs. A run that is named twice counts once.
fn runs(workspace: &Workspace, names: &[PathBuf]) -> Result<Vec<Report>, UsageErrors> {
    let mut runs = Vec::<Report>::new();
    for report in report::of_runs(workspace, names, |report, _| report)? {
        if runs.iter().all(|other| other.run != report.run) {
            runs.push(report);
        }
    }
    Ok(runs)
}

/// Effects of the recommended constants. A failure to compute them is no error, since the
/// recommendation does not depend on them.
fn effects_of(
    workspace: &Workspace,
    flags: &flags::Recommend,
    machines: &[MachineSize],
    recommendation: &Recommendation,
    environment: &Environment,
) -> Effects {
    let modes: &[Mode] = match (flags.deploy, flags.local) {
        (true, _) => &[Mode::Deploy],
        (_, true) => &[Mode::Local],
        _ => &[Mode::Local, Mode::Deploy],
    };
    let Some(consolidated) = environment.server.consolidation.known() else {
        let reason = "no record of whether managed jobs ran inside of the server";
        return Effects::Unknown(reason.to_owned());
    };
    let effects = installation(workspace, environment).and_then(|sky| {
        let python =
            sky.python.with_context(|| format!("{} is not a Python script", sky.sky.display()))?;
        let query =
            sizing::Query { machines, modes, consolidated, constants: &recommendation.values() };
        sizing::run(&python, &query)
    });
    effects.unwrap_or_else(|error| Effects::Unknown(format!("{error:#}")))
}

/// SkyPilot of the runs: the one at its recorded path, or else the same release, installed again.
fn installation(workspace: &Workspace, environment: &Environment) -> Result<SkyInstallation> {
    let recorded = &environment.sky;
    let path = &environment.client.sky;
    let progress = Progress::new();
    let prepare = |selection| {
        SkyInstallation::prepare(&selection, &Extras::default(), &workspace.state, &progress)
    };
    let present = prepare(SkySelection::Executable(path.clone()))
        .ok()
        .filter(|sky| sky.facts.version == recorded.version && sky.facts.commit == recorded.commit);
    if let Some(present) = present {
        return Ok(present);
    }
    let release = is_release(&recorded.version)
        .then(|| prepare(SkySelection::Version(recorded.version.clone())))
        .transpose()?
        .filter(|sky| sky.facts.commit == recorded.commit);
    release.with_context(|| {
        format!("SkyPilot {} not found at {} any more", recorded.version, path.display())
    })
}

/// Whether this is the version of a release on PyPI. Nightly builds and checkouts have letters in
/// theirs.
fn is_release(version: &str) -> bool {
    version.chars().all(|c| c.is_ascii_digit() || c == '.')
}

fn print_patch(
    workspace: &Workspace,
    recommendation: &Recommendation,
    environment: &Environment,
) -> Result<()> {
    if !recommendation.changes_anything() {
        return writeln!(
            stderr(),
            "no constant of SkyPilot {} changes, so there is no patch",
            recommendation.sky
        )
        .context("writing to standard error");
    }
    let present: BTreeMap<_, _> = recommendation
        .constants
        .iter()
        .filter_map(|advice| Some((advice.constant, advice.current?)))
        .collect();
    let changes: BTreeMap<_, _> = recommendation
        .values()
        .into_iter()
        .filter_map(|(constant, to)| {
            Some((constant, Change { from: *present.get(&constant)?, to }))
        })
        .collect();
    let (module, source) = module(workspace, environment)?;
    let diff = patch::unified(module, &source, &changes).map_err(|error| match error {
        PatchError::Changed { .. } => {
            anyhow!("{error}\n  hint: run `cargo xtask load` with the present SkyPilot")
        }
        PatchError::NotFound { .. } => error.into(),
    })?;
    print::text("the patch", |out| {
        text::preamble(recommendation, out)?;
        write!(out, "{diff}")
    })
}

/// Module with the constants: its path in a checkout, and its text. Read from its recorded path,
/// or else from another installation of the same SkyPilot.
fn module(workspace: &Workspace, environment: &Environment) -> Result<(&'static str, String)> {
    let SkyUnderTest { constants_source: source, .. } = &environment.sky;
    if let Some((module, path)) = located(source)
        && path.is_file()
    {
        return read(module, &path);
    }
    let sky = installation(workspace, environment)
        .context("finding SkyPilot's module with the constants")?;
    let (module, path) = located(&sky.facts.source).with_context(|| {
        format!("expected the constants in {}, got {}", MODULES.join(" or "), sky.facts.source)
    })?;
    read(module, &path)
}

fn read(module: &'static str, path: &Path) -> Result<(&'static str, String)> {
    let text = fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))?;
    Ok((module, text))
}

/// Module and file in a source such as `/venv/../sky/server/config.py: LONG_.., SHORT_..`.
fn located(source: &str) -> Option<(&'static str, PathBuf)> {
    MODULES.into_iter().find_map(|module| {
        let (before, _) = source.split_once(&format!("/{module}: "))?;
        // A source with two modules: `A: NAMES; B: NAMES`.
        let before = before.rsplit_once("; ").map_or(before, |(_, before)| before);
        Some((module, Path::new(before).join(module)))
    })
}

fn show(recommendation: &Recommendation, names: &[String], format: Format) -> Result<()> {
    const WHAT: &str = "the recommendation";
    match format {
        Format::Json => print::json(WHAT, recommendation),
        Format::Text => print::text(WHAT, |out| text::render(recommendation, names, out)),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::of_today("/v/sky/server/config.py: LONG_WORKER_MEM_GB", Some("sky/server/config.py"))]
    #[case::of_old_releases(
        "/v/sky/server/requests/executor.py: _LONG_WORKER_MEM_GB, _SHORT_WORKER_MEM_GB",
        Some("sky/server/requests/executor.py")
    )]
    #[case::of_two_modules(
        "/w/sky/x.py: A; /v/sky/server/config.py: LONG_WORKER_MEM_GB",
        Some("sky/server/config.py")
    )]
    #[case::of_a_stand_in("fake-sky", None)]
    #[case::of_none("/v/sky: no worker memory constants", None)]
    fn the_module_that_a_source_names(#[case] source: &str, #[case] module: Option<&str>) {
        let expected = module.map(|module| (module, Path::new("/v").join(module)));
        assert_eq!(located(source), expected);
    }
}
