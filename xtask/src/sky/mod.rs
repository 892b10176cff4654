//! SkyPilot under test: finding or installing it, and reading its facts.
//!
//! * [`install`] installs a release, and [`nightly`] the newest nightly build, into a virtual
//!   environment below the state directory, with dependencies as of its [`release_date`]; a
//!   [`stamp`] marks a complete environment, [`wanted`] finds one, [`installer`] runs uv or pip,
//!   [`pip_index`] lists versions.
//! * [`source`] builds a checkout or a commit into such an environment.
//! * [`versions_between`] lists commits of [`source`], or [`published`] versions, [`between`] two.
//! * [`extras`]: dependencies of clouds that SkyPilot is installed with.
//! * [`executable`] uses a `sky` that is installed already.
//! * [`constants`] reads version, commit and memory constants of either.
//! * [`sizing`] computes with SkyPilot's formulas how many workers other constants lead to.
//! * [`speed`] times an import of SkyPilot.

mod between;
mod constants;
mod executable;
mod extras;
mod install;
mod installer;
mod nightly;
mod pip_index;
#[cfg(test)]
mod probe_tests;
mod published;
mod release_date;
pub(crate) mod sizing;
#[cfg(test)]
mod sizing_tests;
mod source;
pub(crate) mod speed;
mod stamp;
mod versions_between;
mod wanted;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use host::progress::Progress;
use loopback::SkyPilot;
use skyload::plan::{Dependencies, LoadPlan, ResolutionDate, ServerTarget, SkySelection};
use skyload::record::environment::{PythonPackages, SkySource};

pub(crate) use between::Between;
pub(crate) use constants::SkyFacts;
pub(crate) use extras::Extras;
pub(crate) use source::merge_base;
pub(crate) use versions_between::versions_between;

use constants::Packages;
use wanted::Wanted;

/// Installed SkyPilot that can be started.
#[derive(Clone, Debug)]
pub(crate) struct SkyInstallation {
    /// Absolute path of the `sky` program.
    pub(crate) sky: PathBuf,
    /// Python that runs `sky`; `None` for a program that is not a Python script.
    pub(crate) python: Option<PathBuf>,
    /// Date limit by which dependencies were resolved; `None` without a limit, and for a `sky`
    /// that skyload did not install.
    pub(crate) resolved_as_of: Option<ResolutionDate>,
    /// Source that skyload has built; `None` for any other SkyPilot.
    pub(crate) source: Option<SkySource>,
    /// Extras that skyload has installed; `None` for a `sky` that skyload did not install.
    pub(crate) extras: Option<Extras>,
    /// Version, commit and constants.
    pub(crate) facts: SkyFacts,
}

/// Environment variables that a SkyPilot program gets, which decide where its Python looks for
/// packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SkyEnvironment {
    /// Variables of the shell that skyload passes on, as to an isolated server.
    Filtered,
    /// Every variable of the shell.
    Shell,
}

impl SkyEnvironment {
    /// Environment of the SkyPilot programs for this kind of server.
    pub(crate) const fn of_server(server: &ServerTarget) -> Self {
        match server {
            ServerTarget::Isolated { .. } => Self::Filtered,
            ServerTarget::System | ServerTarget::Remote(_) => Self::Shell,
        }
    }
}

impl SkyInstallation {
    /// Finds or installs the selected SkyPilot with `extras`, to be started in the filtered
    /// environment.
    pub(crate) fn prepare(
        selection: &SkySelection,
        extras: &Extras,
        state_dir: &Path,
        progress: &Progress,
    ) -> Result<Self> {
        let wanted = Wanted { extras, dependencies: &Dependencies::OwnDate, state_dir, progress };
        Self::prepare_in(SkyEnvironment::Filtered, selection, wanted)
    }

    /// Finds or installs the SkyPilot of a plan, to be started in its server's environment. The
    /// extras are those of the plan's clouds for an isolated server; only a server needs them.
    pub(crate) fn prepare_for(
        plan: &LoadPlan,
        state_dir: &Path,
        progress: &Progress,
    ) -> Result<Self> {
        let environment = SkyEnvironment::of_server(&plan.server);
        let infras = plan.infrastructure.names();
        let extras = match plan.server {
            ServerTarget::Isolated { .. } => Extras::of_infras(infras.iter().map(String::as_str)),
            ServerTarget::System | ServerTarget::Remote(_) => Extras::default(),
        };
        let dependencies = &plan.dependencies;
        let wanted = Wanted { extras: &extras, dependencies, state_dir, progress };
        Self::prepare_in(environment, &plan.sky, wanted)
    }

    /// Description of this SkyPilot for the nodes of the loopback Slurm cluster.
    pub(crate) fn for_nodes(&self) -> SkyPilot {
        SkyPilot {
            program: self.sky.clone(),
            python: self.python.clone(),
            version: self.facts.version.clone(),
            commit: self.facts.commit.clone(),
            resolved_as_of: self.resolved_as_of.as_ref().map(ToString::to_string),
        }
    }

    /// Python and packages for a run's record; `None` for a program that is not a Python script.
    pub(crate) fn packages(&self) -> Option<PythonPackages> {
        self.facts.packages.clone().map(|Packages { python, installed }| PythonPackages {
            python,
            resolved_as_of: self.resolved_as_of.clone(),
            installed,
        })
    }

    fn prepare_in(
        environment: SkyEnvironment,
        selection: &SkySelection,
        wanted: Wanted<'_>,
    ) -> Result<Self> {
        // Scripts of a virtual environment contain its absolute path.
        let state_dir =
            std::path::absolute(wanted.state_dir).context("finding the state directory")?;
        let wanted = Wanted { state_dir: &state_dir, ..wanted };
        match selection {
            SkySelection::Version(version) => install::release(version, wanted),
            SkySelection::Nightly => nightly::newest(wanted),
            SkySelection::Executable(path) => {
                executable::from_path(path, wanted.extras, environment)
            }
            SkySelection::Checkout(folder) => source::checkout(folder, wanted),
            SkySelection::Git(reference) => source::commit(reference, wanted),
        }
    }
}
