//! The SkyPilot under test: found or installed, and asked what it is.
//!
//! * [`install`] puts a release or the newest nightly into a virtual environment
//!   of its own below the state directory, [`release_date`] finding out as of
//!   when its dependencies must be resolved; [`stamp`] marks a finished one.
//! * [`executable`] takes a `sky` that somebody else installed.
//! * [`constants`] reads version, commit and memory constants of either, and
//!   [`sizing`] asks it how many workers it would start with others.
//! * [`speed`] times an import of it.

mod constants;
mod executable;
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

/// A SkyPilot that can be started.
#[derive(Clone, Debug)]
pub(crate) struct SkyInstallation {
    /// The `sky` program, by its absolute path.
    pub(crate) sky: PathBuf,
    /// The Python that it runs under; `None` for a program that isn't a script.
    pub(crate) python: Option<PathBuf>,
    /// As of when its dependencies were resolved, in RFC 3339; `None` for "without a
    /// limit", and where somebody else installed it.
    pub(crate) resolved_as_of: Option<String>,
    /// What it says of itself.
    pub(crate) facts: SkyFacts,
}

/// In whose environment a SkyPilot is asked and started, and so where its Python looks
/// for packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// In one that skyload chooses.
    Ours,
    /// In the shell's.
    Users,
}

impl Whose {
    /// In whose environment the SkyPilot of a server is started.
    pub(crate) const fn of(server: &ServerTarget) -> Self {
        match server {
            ServerTarget::Isolated { .. } => Self::Ours,
            ServerTarget::System | ServerTarget::Remote(_) => Self::Users,
        }
    }
}

impl SkyInstallation {
    /// Finds or installs the selected SkyPilot, to be started in an environment of ours.
    pub(crate) fn prepare(
        selection: &SkySelection,
        state_dir: &Path,
        progress: &Progress,
    ) -> Result<Self> {
        Self::prepare_in(Whose::Ours, selection, state_dir, progress)
    }

    /// The same for a plan's server.
    pub(crate) fn prepare_for(
        plan: &LoadPlan,
        state_dir: &Path,
        progress: &Progress,
    ) -> Result<Self> {
        Self::prepare_in(Whose::of(&plan.server), &plan.sky, state_dir, progress)
    }

    /// As far as nodes must know it.
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
        whose: Whose,
        selection: &SkySelection,
        state_dir: &Path,
        progress: &Progress,
    ) -> Result<Self> {
        // Environments keep their own absolute path in their scripts.
        let state_dir = std::path::absolute(state_dir).context("finding the state directory")?;
        match selection {
            SkySelection::Version(version) => install::release(version, &state_dir, progress),
            SkySelection::Nightly => install::nightly(&state_dir, progress),
            SkySelection::Executable(path) => executable::adopt(path, whose),
        }
    }
}
