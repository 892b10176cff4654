//! Inputs of a plan: request, configuration file and machine, each read once.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use loopback::{Obstacles, ObstaclesOfSky};
use skyload::config::Config;
use skyload::infrastructure::LocalInfra;
use skyload::plan::{LoadPlan, Machine, SkySelection, Speed, UsageErrors};
use skyload::record::request::LoadRequest;
use skyload::target::sky::GitReference;

use super::credentials::Typed;
use super::{paths, prepare};
use crate::profiler;
use crate::server;
use crate::server_profile;
use host::environment::server_env;
use host::workspace::Workspace;

/// Inputs of a plan.
pub(crate) struct Inputs {
    /// Request with absolute paths, so that it can be repeated from any directory.
    pub(crate) request: LoadRequest,
    /// Credentials that flags name.
    pub(super) credentials: Typed,
    config: Config,
    machine: Machine,
    /// Usage errors that the resolution of the plan does not find, one message each.
    errors: Vec<String>,
}

impl Inputs {
    /// Reads the inputs, without side effects.
    pub(crate) fn read(typed: LoadRequest, workspace: &Workspace) -> Result<Self> {
        let config = crate::config::read(typed.config.as_deref(), workspace)?;
        // Before paths are made absolute: messages show them as typed.
        let paths = paths::usage_errors(&typed, workspace);
        let request = with_absolute_paths(typed)?;
        let (credentials, of_credentials) = Typed::read(&request);
        let unreadable = request.server_profile.as_deref().and_then(server_profile::usage_error);
        let catalog = request.catalog.as_deref().and_then(paths::catalog_error);
        let errors =
            unreadable.into_iter().chain(catalog).chain(paths).chain(server::timeout_usage_error());
        let errors = errors.chain(of_credentials);
        let machine = Machine {
            obstacles: loopback::obstacles(),
            // Namespaces are tried out for it.
            without_nodes: match names_emulated_aws(&request, &config) {
                true => loopback::without_nodes(workspace),
                false => Obstacles::new(),
            },
            shell: server_env::from_shell(&request.server_env),
            ..prepare::machine()?
        };
        Ok(Self { request, credentials, config, machine, errors: errors.collect() })
    }

    /// Inputs with further usage errors, one message each.
    pub(super) fn with_errors(mut self, errors: impl IntoIterator<Item = String>) -> Self {
        self.errors.extend(errors);
        self
    }

    /// Plan, or all usage errors, including those that depend on this machine.
    pub(crate) fn check(&self) -> Result<LoadPlan, UsageErrors> {
        let mut errors = self.errors.clone();
        let plan = self.plan();
        match &plan {
            // For a remote server, no profiler runs on this machine.
            Ok(plan) if !plan.is_remote() => {
                let is_typed = self.request.peaks.is_some();
                let place = if is_typed { "--peaks" } else { "[profiler] peaks" };
                errors.extend(profiler::unavailable_level(place, plan.peaks));
            }
            Ok(_) => {}
            Err(UsageErrors(others)) => errors.extend_from_slice(others),
        }
        if errors.is_empty() { plan } else { Err(UsageErrors(errors)) }
    }

    /// Plan, or the usage errors of its resolution.
    pub(crate) fn plan(&self) -> Result<LoadPlan, UsageErrors> {
        LoadPlan::resolve(&self.request, &self.config, &self.machine)
    }

    /// Inputs with what is known once SkyPilot is installed: obstacles to launching on local
    /// infras, the machine's speed, and the memory that is available now.
    pub(super) fn with_sky(self, of_sky: ObstaclesOfSky, speed: Option<Speed>) -> Result<Self> {
        let Machine { mut obstacles, mut without_nodes, shell, .. } = self.machine;
        obstacles.extend(of_sky.obstacles);
        without_nodes.extend(of_sky.without_nodes);
        // Memory is read again, since compiling and installing took place in between.
        let machine = Machine { obstacles, without_nodes, speed, shell, ..prepare::machine()? };
        Ok(Self { machine, ..self })
    }
}

/// Whether the request or its plan names emulated AWS, in any spelling.
fn names_emulated_aws(request: &LoadRequest, config: &Config) -> bool {
    let plan = config.plans.get(request.plan.as_deref().unwrap_or("default"));
    let of_plan = plan.and_then(|plan| plan.infra.clone());
    let mut lists = request.infra.iter().cloned().chain(of_plan);
    lists.any(|list| list.to_lowercase().contains(LocalInfra::EmulatedAws.argument()))
}

/// Request with absolute paths, so that it can be repeated from any directory.
fn with_absolute_paths(typed: LoadRequest) -> Result<LoadRequest> {
    with_paths(typed, |path| {
        std::path::absolute(path).with_context(|| format!("finding `{}`", path.display()))
    })
}

/// Request in which `change` has changed each path.
pub(crate) fn with_paths(
    request: LoadRequest,
    change: impl Fn(&Path) -> Result<PathBuf>,
) -> Result<LoadRequest> {
    let changed = |path: Option<PathBuf>| path.as_deref().map(&change).transpose();
    Ok(LoadRequest {
        sky: request.sky.as_deref().map(|sky| sky_with_path(sky, &change)).transpose()?,
        server_profile: changed(request.server_profile)?,
        config: changed(request.config)?,
        token_file: changed(request.token_file)?,
        catalog: changed(request.catalog)?,
        script: changed(request.script)?,
        ..request
    })
}

/// Value of `--sky` in which `change` has changed the path of a program, a checkout or a
/// repository. All other values are unchanged.
fn sky_with_path(sky: &str, change: impl Fn(&Path) -> Result<PathBuf>) -> Result<String> {
    // A value that is not valid is reported with all other usage errors.
    let Ok(selection) = SkySelection::parse(sky) else { return Ok(sky.to_owned()) };
    let changed = |path: &Path| -> Result<Option<String>> {
        let path = change(path)?;
        // A path that is not Unicode cannot be written into the request, so it stays as typed.
        let Some(text) = path.to_str() else { return Ok(None) };
        // A word without a `/` would be a version.
        Ok(Some(if path.is_absolute() { text.to_owned() } else { format!("./{text}") }))
    };
    let text = match selection {
        SkySelection::Executable(path) | SkySelection::Checkout(path) => changed(&path)?,
        SkySelection::Git(git) if is_folder(&git.repository) => {
            let repository = changed(Path::new(&git.repository))?;
            repository
                .map(|repository| SkySelection::Git(GitReference { repository, ..git }).to_string())
        }
        _ => None,
    };
    Ok(text.unwrap_or_else(|| sky.to_owned()))
}

/// Whether a repository is a folder, and no URL. One that is relative to the file of a reference
/// need not be relative to this directory.
fn is_folder(repository: &str) -> bool {
    repository.starts_with("./") || Path::new(repository).is_dir()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::flags::{Command, Xtask};

    /// Request of a command line, as it is recorded.
    fn recorded(args: &[&str]) -> LoadRequest {
        let line = ["cargo xtask", "load"].into_iter().chain(args.iter().copied());
        match Xtask::try_parse_from(line).unwrap().command {
            Command::Load(flags) => with_absolute_paths(flags.request).unwrap(),
            _ => panic!("expected the command `load`"),
        }
    }

    #[test]
    fn no_command_has_conflicting_flags() {
        Xtask::command().debug_assert();
    }

    #[test]
    fn a_relative_path_of_sky_becomes_absolute() {
        let sky = |sky: &str| recorded(&["--sky", sky]).sky.unwrap();
        for unchanged in ["0.14.1", "nightly", "sky", "/opt/sky", "git:https://h/r@main"] {
            assert_eq!(sky(unchanged), unchanged);
        }
        let here = std::env::current_dir().unwrap();
        assert_eq!(sky("./v/bin/sky"), here.join("v/bin/sky").to_str().unwrap());
        let src = format!("git:{}@main", here.join("src").display());
        assert_eq!(sky("git:./src@main"), src);
    }

    #[test]
    fn the_command_of_a_request_repeats_it() {
        let line = ["-c", "none", "--api", "status", "-n", "4", "--phase-peaks", "--yes"];
        let request = recorded(&line);
        let args = request.to_args();
        assert_eq!(args, ["-c", "none", "--api", "status", "-n", "4", "--phase-peaks"]);
        let again = recorded(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(LoadRequest { yes: true, ..again }, request);
    }
}
