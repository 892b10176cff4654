//! From flags to a plan, and from a plan to everything that it needs.

use std::path::PathBuf;

use anyhow::{Context, Result};
use skyload::config::{Config, ConfigError};
use skyload::env;
use skyload::environment::{Environment, MachineFacts, SkyUnderTest};
use skyload::ids::{ProcessIdentity, RunId};
use skyload::plan::{LoadPlan, LoadRequest, Machine, ServerTarget, UsageErrors};
use skyload::run_dir::{FORMAT_VERSION, RunDir};
use skyload::units::{ByteSize, as_gib};
use sysinfo::{MemoryRefreshKind, System};
use url::Url;

use crate::flags;
use crate::progress::Progress;
use crate::server::ServerSession;
use crate::sky::SkyInstallation;
use crate::workspace::Workspace;

/// Resolves what was typed. Touches nothing.
pub(super) fn plan(flags: &flags::Load, workspace: &Workspace) -> Result<LoadPlan> {
    let config = config(flags, workspace)?;
    let request = LoadRequest {
        requests_per_scenario: flags.requests_per_scenario.clone(),
        requests: flags.requests.clone(),
        apis: flags.apis.clone(),
        waves: flags.waves.clone(),
        sky: flags.sky.clone(),
        server: flags.server.as_deref().map(without_credentials),
        deploy: flags.deploy,
        profile: flags.profile.clone(),
        budgets: flags.budgets.clone(),
        keep_server: flags.keep_server,
        yes: flags.yes,
    };
    let mut plan = LoadPlan::resolve(&request, &config, machine()?)?;
    plan.conductor = ProcessIdentity::current();
    Ok(plan)
}

/// The checkout's `skyload.toml`, or the file that was named instead. Naming one
/// that can't be read is a mistake like any other in what was typed.
fn config(flags: &flags::Load, workspace: &Workspace) -> Result<Config> {
    let Some(path) = &flags.config else {
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

/// `user:password` of a server's URL, to be handed on in the environment alone:
/// files of the run are read by more people than should know it.
fn credentials(flags: &flags::Load) -> Option<String> {
    let url = Url::parse(flags.server.as_deref()?).ok()?;
    let password = url.password()?;
    Some(format!("{}:{password}", url.username()))
}

fn without_credentials(server: &str) -> String {
    let Ok(mut url) = Url::parse(server) else { return server.to_owned() };
    // What was typed is quoted in messages, so it stays as it is where it can.
    if url.username().is_empty() && url.password().is_none() {
        return server.to_owned();
    }
    // Both fail only for URLs that can't have credentials to begin with.
    _ = url.set_username("");
    _ = url.set_password(None);
    url.to_string()
}

/// Says in one line what will happen, and what it will need.
pub(super) fn announce(plan: &LoadPlan, progress: Progress) {
    let capacity = &plan.capacity;
    let names: Vec<String> = plan
        .scenarios
        .iter()
        .map(|scenario| match scenario.at_once {
            at_once if at_once < scenario.users => {
                format!("{} x{} ({at_once} at once)", scenario.id, scenario.users)
            }
            _ => format!("{} x{}", scenario.id, scenario.users),
        })
        .collect();
    progress.note(format!("Plan `{}`, {} wave(s): {}", plan.profile, plan.waves, names.join(", ")));
    if matches!(plan.server, ServerTarget::Remote(_)) {
        progress.note("The server is on another machine: no restart, no memory profile");
        return;
    }
    progress.note(format!(
        "Expected memory peak: about {:.1} GiB; {:.1} GiB can be used, {:.1} GiB stay free",
        as_gib(capacity.planned),
        as_gib(capacity.usable),
        as_gib(plan.memory_floor)
    ));
    if capacity.is_lowered() {
        progress.note(format!(
            "Fewer users at once than asked for: all of them would need about {:.1} GiB",
            as_gib(capacity.wanted)
        ));
    }
}

/// Makes the run's directory.
pub(super) fn run_dir(
    flags: &flags::Load,
    plan: &LoadPlan,
    workspace: &Workspace,
) -> Result<RunDir> {
    let id = RunId::generate();
    let under = match &flags.out {
        Some(out) => std::path::absolute(out).context("finding the output directory")?,
        None => workspace.runs(),
    };
    let path: PathBuf = under.join(id.as_str());
    let run = RunDir::create(&path)?;
    run.link_latest()?;
    RunDir::write(&run.plan(), plan)?;
    Ok(run)
}

/// Puts together what was found.
pub(super) fn environment(sky: &SkyInstallation, server: &ServerSession) -> Result<Environment> {
    let facts = &sky.facts;
    Ok(Environment {
        version: FORMAT_VERSION,
        skyload: env!("CARGO_PKG_VERSION").to_owned(),
        sky: SkyUnderTest {
            version: facts.version.clone(),
            commit: facts.commit.clone(),
            constants: facts.constants,
            constants_source: facts.source.clone(),
        },
        server: server.server.clone(),
        client: server.client.clone(),
        machine: MachineFacts {
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory_total: machine()?.memory_total,
            system: System::long_os_version()
                .into_iter()
                .chain(System::kernel_version())
                .collect::<Vec<_>>()
                .join(", kernel "),
        },
    })
}

fn machine() -> Result<Machine> {
    let mut system = System::new().context("reading this machine's memory")?;
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    Ok(Machine {
        memory_total: ByteSize(system.total_memory()),
        memory_available: ByteSize(system.available_memory()),
    })
}

/// The variables that scenario processes need beside the run directory.
pub(super) fn secrets(flags: &flags::Load) -> Vec<(&'static str, String)> {
    credentials(flags).map(|pair| (env::SERVER_CREDENTIALS, pair)).into_iter().collect()
}
