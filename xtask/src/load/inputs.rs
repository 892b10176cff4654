//! What a plan is resolved from: what was typed, the file and the machine, each read once.

use std::path::Path;

use anyhow::Result;
use skyload::config::{Config, ConfigError};
use skyload::ids::ProcessIdentity;
use skyload::plan::{LoadPlan, Machine, Speed, UsageErrors};
use skyload::record::request::LoadRequest;

use super::request::request;
use super::{places, prepare};
use crate::flags;
use crate::infra;
use crate::profiler;
use crate::server;
use crate::server_profile;
use crate::workspace::Workspace;

/// What a plan is resolved from.
pub(super) struct Inputs {
    /// What was typed, fit to be repeated from anywhere.
    pub(super) request: LoadRequest,
    config: Config,
    machine: Machine,
    /// What is wrong with what was typed and found, beside what a plan finds: one message
    /// each.
    mistakes: Vec<String>,
}

impl Inputs {
    /// Reads everything. Touches nothing.
    pub(super) fn read(flags: &flags::Load, workspace: &Workspace) -> Result<Self> {
        let config = config(flags.config.as_deref(), workspace)?;
        let (request, misread) = request(flags)?;
        let unreadable = request.server_profile.as_deref().and_then(server_profile::mistake);
        // Messages have places as they were typed.
        let unfit = places::unfit(flags, workspace);
        let mut mistakes: Vec<String> =
            unreadable.into_iter().chain(misread).chain(unfit).collect();
        mistakes.extend(server::mistake_in_limit());
        let machine = Machine { loopback_obstacle: infra::obstacle(), ..prepare::machine()? };
        Ok(Self { request, config, machine, mistakes })
    }

    /// The plan, or everything that is wrong with what was typed, here and now.
    pub(super) fn check(&self) -> Result<LoadPlan, UsageErrors> {
        let mut mistakes = self.mistakes.clone();
        let plan = self.plan();
        match &plan {
            Ok(plan) if !plan.is_remote() => {
                let is_typed = self.request.peaks.is_some();
                let place = if is_typed { "--peaks" } else { "[profiler] peaks" };
                mistakes.extend(profiler::refusal(place, plan.peaks));
            }
            Ok(_) => {}
            Err(UsageErrors(others)) => mistakes.extend_from_slice(others),
        }
        if mistakes.is_empty() { plan } else { Err(UsageErrors(mistakes)) }
    }

    /// The plan.
    pub(super) fn plan(&self) -> Result<LoadPlan, UsageErrors> {
        let mut plan = LoadPlan::resolve(&self.request, &self.config, &self.machine)?;
        plan.conductor = ProcessIdentity::current();
        Ok(plan)
    }

    /// The same with what is known once SkyPilot is installed: why it can't launch on
    /// loopback, if it can't, and how fast it is here.
    pub(super) fn with_sky(self, obstacle: Option<String>, speed: Option<Speed>) -> Self {
        let loopback_obstacle = self.machine.loopback_obstacle.or(obstacle);
        Self { machine: Machine { loopback_obstacle, speed, ..self.machine }, ..self }
    }
}

/// The checkout's `skyload.toml`, or the file that was named instead. Naming one
/// that can't be read is a mistake like any other in what was typed.
fn config(named: Option<&Path>, workspace: &Workspace) -> Result<Config> {
    let Some(path) = named else {
        return Ok(Config::read(&workspace.root.join("skyload.toml"))?);
    };
    Config::read(path).map_err(|error| match error {
        ConfigError::Read { path, source } => {
            UsageErrors(vec![format!("--config: cannot read `{}`: {source}", path.display())])
                .into()
        }
        mistakes @ ConfigError::Mistakes(_) => mistakes.into(),
    })
}
