//! What a plan is resolved from: what was typed, the file and the machine, each read once.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use skyload::config::{Config, ConfigError};
use skyload::plan::{LoadPlan, Machine, Speed, UsageErrors};
use skyload::record::request::LoadRequest;

use super::{paths, prepare};
use crate::profiler;
use crate::server;
use crate::server_profile;
use host::environment::server_env;
use host::workspace::Workspace;

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
    pub(super) fn read(typed: LoadRequest, workspace: &Workspace) -> Result<Self> {
        let config = config(typed.config.as_deref(), workspace)?;
        // Messages have paths as they were typed.
        let unfit = paths::unfit(&typed, workspace);
        let request = from_anywhere(typed)?;
        let unreadable = request.server_profile.as_deref().and_then(server_profile::usage_error);
        let mistakes = unreadable.into_iter().chain(unfit).chain(server::timeout_usage_error());
        let machine = Machine {
            loopback_obstacle: loopback::obstacle(),
            shell: server_env::from_shell(&request.server_env),
            ..prepare::machine()?
        };
        Ok(Self { request, config, machine, mistakes: mistakes.collect() })
    }

    /// The plan, or everything that is wrong with what was typed, here and now.
    pub(super) fn check(&self) -> Result<LoadPlan, UsageErrors> {
        let mut mistakes = self.mistakes.clone();
        let plan = self.plan();
        match &plan {
            Ok(plan) if !plan.is_remote() => {
                let is_typed = self.request.peaks.is_some();
                let place = if is_typed { "--peaks" } else { "[profiler] peaks" };
                mistakes.extend(profiler::unavailable_level(place, plan.peaks));
            }
            Ok(_) => {}
            Err(UsageErrors(others)) => mistakes.extend_from_slice(others),
        }
        if mistakes.is_empty() { plan } else { Err(UsageErrors(mistakes)) }
    }

    /// The plan.
    pub(super) fn plan(&self) -> Result<LoadPlan, UsageErrors> {
        LoadPlan::resolve(&self.request, &self.config, &self.machine)
    }

    /// The same with what is known once SkyPilot is installed: why it can't launch on
    /// loopback, if it can't, how fast it is here, and how much memory there is by then.
    pub(super) fn with_sky(self, obstacle: Option<String>, speed: Option<Speed>) -> Result<Self> {
        let loopback_obstacle = self.machine.loopback_obstacle.or(obstacle);
        let shell = self.machine.shell;
        let machine = Machine { loopback_obstacle, speed, shell, ..prepare::machine()? };
        Ok(Self { machine, ..self })
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
        mistakes @ ConfigError::Invalid(_) => mistakes.into(),
    })
}

/// The same request, fit to be repeated from another directory.
fn from_anywhere(typed: LoadRequest) -> Result<LoadRequest> {
    let absolute = |path: Option<PathBuf>| path.map(std::path::absolute).transpose();
    Ok(LoadRequest {
        sky: typed.sky.as_deref().map(absolute_program).transpose()?,
        server_profile: absolute(typed.server_profile).context("finding the server's profile")?,
        config: absolute(typed.config).context("finding the configuration")?,
        ..typed
    })
}

/// A program's path from anywhere; versions, and names that are looked up, are what they are.
fn absolute_program(sky: &str) -> Result<String> {
    if !sky.contains('/') {
        return Ok(sky.to_owned());
    }
    let path = std::path::absolute(sky).context("finding the program of --sky")?;
    // What is not Unicode cannot be repeated as it was.
    Ok(path.to_str().unwrap_or(sky).to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::flags::{Command, Xtask};

    /// The request that a command line makes, as it is kept.
    fn kept(args: &[&str]) -> LoadRequest {
        let line = ["cargo xtask", "load"].into_iter().chain(args.iter().copied());
        match Xtask::try_parse_from(line).unwrap().command {
            Command::Load(flags) => from_anywhere(flags.request).unwrap(),
            _ => panic!("it is a load"),
        }
    }

    #[test]
    fn the_commands_have_no_flag_twice() {
        Xtask::command().debug_assert();
    }

    #[test]
    fn the_path_of_a_program_is_fit_to_be_repeated_from_anywhere() {
        let sky = |sky: &str| kept(&["--sky", sky]).sky.unwrap();
        for same in ["0.14.1", "nightly", "sky", "/opt/sky"] {
            assert_eq!(sky(same), same);
        }
        let here = std::env::current_dir().unwrap();
        assert_eq!(sky("./v/bin/sky"), here.join("v/bin/sky").to_str().unwrap());
    }

    #[test]
    fn a_request_is_repeated_by_its_own_command() {
        let line = ["-c", "none", "--api", "status", "-n", "4", "--phase-peaks", "--yes"];
        let request = kept(&line);
        let args = request.to_args();
        assert_eq!(args, ["-c", "none", "--api", "status", "-n", "4", "--phase-peaks"]);
        let again = kept(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(LoadRequest { yes: true, ..again }, request);
    }
}
