//! SkyPilot under test: finding or installing it, and reading its facts.
//!
//! * [`install`] installs a release or the newest nightly into a virtual environment below the
//!   state directory, with dependencies as of its [`release_date`]; a [`stamp`] marks a complete
//!   environment.
//! * [`extras`]: dependencies of clouds that SkyPilot is installed with.
//! * [`executable`] uses a `sky` that is installed already.
//! * [`constants`] reads version, commit and memory constants of either.
//! * [`sizing`] computes with SkyPilot's formulas how many workers other constants lead to.
//! * [`speed`] times an import of SkyPilot.

mod constants;
mod executable;
mod extras;
mod install;
#[cfg(test)]
mod probe_tests;
mod release_date;
pub(crate) mod sizing;
#[cfg(test)]
mod sizing_tests;
pub(crate) mod speed;
mod stamp;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use host::progress::Progress;
use loopback::SkyPilot;
use skyload::plan::{LoadPlan, ServerTarget, SkySelection};

pub(crate) use constants::SkyFacts;
pub(crate) use extras::Extras;

/// Installed SkyPilot that can be started.
#[derive(Clone, Debug)]
pub(crate) struct SkyInstallation {
    /// Absolute path of the `sky` program.
    pub(crate) sky: PathBuf,
    /// Python that runs `sky`; `None` for a program that is not a Python script.
    pub(crate) python: Option<PathBuf>,
    /// Date limit (RFC 3339) by which dependencies were resolved; `None` without a limit, and for
    /// a `sky` that skyload did not install.
    pub(crate) resolved_as_of: Option<String>,
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
        Self::prepare_in(SkyEnvironment::Filtered, selection, extras, state_dir, progress)
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
        Self::prepare_in(environment, &plan.sky, &extras, state_dir, progress)
    }

    /// Description of this SkyPilot for the nodes of the loopback Slurm cluster.
    pub(crate) fn for_nodes(&self) -> SkyPilot {
        SkyPilot {
            program: self.sky.clone(),
            python: self.python.clone(),
            version: self.facts.version.clone(),
            commit: self.facts.commit.clone(),
            resolved_as_of: self.resolved_as_of.clone(),
        }
    }

    fn prepare_in(
        environment: SkyEnvironment,
        selection: &SkySelection,
        extras: &Extras,
        state_dir: &Path,
        progress: &Progress,
    ) -> Result<Self> {
        // Scripts of a virtual environment contain its absolute path.
        let state_dir = std::path::absolute(state_dir).context("finding the state directory")?;
        match selection {
            SkySelection::Version(version) => {
                install::release(version, extras, &state_dir, progress)
            }
            SkySelection::Nightly => install::nightly(extras, &state_dir, progress),
            SkySelection::Executable(path) => executable::from_path(path, extras, environment),
        }
    }
}
