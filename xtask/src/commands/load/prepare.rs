//! From flags to a plan, and from a plan to everything that it needs.

use std::io::{IsTerminal as _, stdin};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use host::progress::Progress;
use host::signals::Interrupted;
use host::workspace::Workspace;
use skyload::config::{Config, ConfigError};
use skyload::credentials::{Credentials, Login};
use skyload::env;
use skyload::ids::{ProcessIdentity, RunId};
use skyload::infrastructure::Infrastructure;
use skyload::limits::{Cpus, MachineLimits, MemoryGroups};
use skyload::plan::{LoadPlan, Machine, Speed, UsageErrors};
use skyload::profiler::{Marker, ProfilerOptions};
use skyload::record::environment::{Environment, MachineFacts, SkyUnderTest};
use skyload::record::request::RequestFile;
use skyload::record::{FORMAT_VERSION, RunDir, write_json};
use skyload::scenario::{Need, Scenario};
use skyload::units::in_minutes;
use skyload::units::{ByteSize, as_gib};
use sysinfo::{MemoryRefreshKind, System};
use url::Url;

use super::places;
use super::request::request;
use crate::commands::runs;
use crate::flags;
use crate::profiler;
use crate::server::{self, Addresses, Context, ServerSession};
use crate::server_profile;

/// Resolves what was typed. Touches nothing.
pub(super) fn plan(
    flags: &flags::Load,
    workspace: &Workspace,
    loopback_obstacle: Option<String>,
    speed: Option<Speed>,
) -> Result<LoadPlan> {
    let config = config(flags, workspace)?;
    let (request, misread) = request(flags)?;
    let unreadable = request.server_profile.as_deref().and_then(server_profile::mistake);
    let machine = Machine { loopback_obstacle, speed, ..machine()? };
    let unfit = places::unfit(flags, workspace);
    let mut mistakes: Vec<String> = unreadable.into_iter().chain(misread).chain(unfit).collect();
    mistakes.extend(server::mistake_in_limit());
    let mut plan = match LoadPlan::resolve(&request, &config, &machine) {
        Ok(plan) => {
            let place = if flags.peaks.is_some() { "--peaks" } else { "[profiler] peaks" };
            let refusal = || profiler::refusal(place, plan.peaks);
            mistakes.extend((!plan.is_remote()).then(refusal).flatten());
            plan
        }
        Err(UsageErrors(others)) => {
            mistakes.extend(others);
            return Err(UsageErrors(mistakes).into());
        }
    };
    if !mistakes.is_empty() {
        return Err(UsageErrors(mistakes).into());
    }
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

/// How the server is told who asks: by the login of its URL, or else as the environment
/// says. The plan knows nothing of it: files of the run are read by more people than should.
pub(super) fn credentials(flags: &flags::Load, plan: &LoadPlan) -> Credentials {
    let url = flags.server.as_deref().and_then(|server| Url::parse(server).ok());
    let login = url.and_then(|mut url| Login::take_from(&mut url).ok().flatten());
    login.map_or_else(|| Credentials::for_server(&plan.server), Credentials::Login)
}

/// What is launched on somebody else's machines costs money, and is there until it
/// is taken down: that is said, and asked for, before anything is started.
pub(super) fn confirm(flags: &flags::Load, plan: &LoadPlan, progress: Progress) -> Result<()> {
    let Infrastructure::Clouds(clouds) = &plan.infrastructure else { return Ok(()) };
    let shared = plan.needs().into_iter().filter(|need| need.is_shared()).count() as u64;
    let launching = plan
        .scenarios
        .iter()
        .filter(|planned| Scenario::of(planned.id).needs == Need::Infrastructure);
    let turns: u64 =
        launching.map(|planned| u64::from(planned.users) * u64::from(planned.iterations)).sum();
    let launches = turns + u64::from(plan.infrastructure.count()) * shared;
    if launches == 0 {
        return Ok(());
    }
    progress.note(format!(
        "This plan launches {launches} cluster(s), jobs and services included, on {}: it costs money \
         there. All names begin with `skyload-`. What was launched is taken down and looked for at \
         the end; should this machine crash before, you must end it in the cloud itself. Controllers \
         that SkyPilot launches for managed jobs and services stay until SkyPilot stops them.",
        clouds.join(", ")
    ));
    if flags.yes {
        return Ok(());
    }
    if !stdin().is_terminal() {
        bail!(UsageErrors(vec![
            "-c: launches that cost money need --yes where nobody can be asked".to_owned()
        ]));
    }
    progress.note("Go on? [y/N]");
    let mut answer = String::new();
    stdin().read_line(&mut answer).context("reading the answer")?;
    agreed(&answer)
}

/// Who answers anything but yes makes no mistake: that ends the run, as Ctrl-C would.
fn agreed(answer: &str) -> Result<()> {
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(anyhow::Error::from(Interrupted).context("nothing was launched")),
    }
}

/// Says in one line what will happen, and what it will need.
pub(super) fn announce(plan: &LoadPlan, progress: Progress) {
    let capacity = &plan.capacity;
    let names: Vec<String> = plan
        .scenarios
        .iter()
        .map(|scenario| {
            let turns = match scenario.iterations {
                1 => String::new(),
                iterations => format!(" x{iterations}"),
            };
            match scenario.concurrency {
                at_once if at_once < scenario.users => {
                    format!("{} {}{turns} ({at_once} at once)", scenario.id, scenario.users)
                }
                _ => format!("{} {}{turns}", scenario.id, scenario.users),
            }
        })
        .collect();
    progress.note(format!("Plan `{}` (users x turns): {}", plan.name, names.join(", ")));
    match (&plan.infrastructure, &plan.without_infrastructure) {
        (Infrastructure::None, Some(reason)) => {
            progress.note(format!("Nothing is launched: {reason}"));
        }
        (Infrastructure::None, None) => {}
        (infrastructure, _) => {
            progress.note(format!("Launching on {}", infrastructure.names().join(", ")));
        }
    }
    if plan.is_remote() {
        announce_pace(plan, progress);
        progress.note(match &plan.server_profile {
            None => "The server is on another machine: no restart, no memory profile".to_owned(),
            Some(path) => format!(
                "The server is on another machine: no restart; its profile is at {}",
                path.display()
            ),
        });
        return;
    }
    let duration = plan.estimate.map_or_else(String::new, |estimate| {
        format!(" {} on these {} CPUs and", in_minutes(estimate.duration), estimate.all_cpus())
    });
    progress.note(format!(
        "Expected: about{duration} {:.1} GiB of memory; {:.1} GiB can be used, {:.1} GiB stay free",
        as_gib(capacity.planned),
        as_gib(capacity.usable),
        as_gib(plan.memory_floor)
    ));
    announce_pace(plan, progress);
    for limit in MachineLimits::of_groups().in_words() {
        progress.note(format!("Limit of a control group: {limit}"));
    }
    if capacity.is_lowered() {
        progress.note(format!(
            "Fewer users at once than asked for: all of them would need about {:.1} GiB",
            as_gib(capacity.wanted)
        ));
    }
}

/// Says how the load was made to suit this machine, or that it does not.
fn announce_pace(plan: &LoadPlan, progress: Progress) {
    let ramp = humantime::format_duration(plan.ramp);
    if !plan.ramp.is_zero() {
        progress.note(format!("Starts of users are spread over {ramp} (--ramp {ramp})"));
    }
    if let Some(fit) = plan.fit.filter(|fit| !fit.left_out.is_none()) {
        progress.note(format!(
            "Left out, so that the load takes about {} instead of {} (--fit {}): {}",
            in_minutes(fit.planned),
            in_minutes(fit.wanted),
            humantime::format_duration(fit.within),
            fit.left_out
        ));
    }
    if let Some(work) = plan.overload() {
        progress.note(format!(
            "All users start at once, which keeps this machine's CPUs busy for {}: SDK timeouts (5 s \
             for /launch and /exec, 3 times 2.5 s for health) may be missed; add `--ramp auto` to \
             spread the starts",
            in_minutes(work)
        ));
    }
}

/// Makes the run's directory.
pub(super) fn run_dir(
    flags: &flags::Load,
    plan: &LoadPlan,
    workspace: &Workspace,
    progress: Progress,
) -> Result<RunDir> {
    let id = RunId::generate();
    let under = match &flags.out {
        Some(out) => std::path::absolute(out).context("finding the output directory")?,
        None => workspace.runs(),
    };
    let path: PathBuf = under.join(id.as_str());
    let run = RunDir::create(&path)?;
    write_json(&run.request(), &RequestFile::of(request(flags)?.0))?;
    write_json(&run.plan(), plan)?;
    runs::say_whether_latest(run.link_latest()?, run.path(), progress);
    Ok(run)
}

/// How the server of a run is profiled.
pub(super) fn profiler(run: &RunDir, plan: &LoadPlan, addresses: Addresses) -> ProfilerOptions {
    let marker = Marker { name: env::SERVER_OF_RUN.to_owned(), value: run.id().to_string() };
    ProfilerOptions {
        interval: plan.profiler_interval,
        level: plan.peaks,
        marker: Some(marker),
        api_port: Some(addresses.api_port),
        queue_port: Some(addresses.queue_port),
        memory_floor: Some(plan.memory_floor),
        upstream_figures: plan.upstream_figures,
        ..ProfilerOptions::new(addresses.root, run.samples(), run.processes())
    }
}

/// Puts together what was found.
pub(super) fn environment(
    context: &Context<'_>,
    server: &ServerSession,
    changes: Vec<String>,
) -> Result<Environment> {
    let facts = &context.sky.facts;
    let counted = context.counted.filter(|_| !context.plan.is_remote());
    Ok(Environment {
        version: FORMAT_VERSION,
        skyload: env!("CARGO_PKG_VERSION").to_owned(),
        sky: SkyUnderTest {
            version: facts.version.clone(),
            commit: facts.commit.clone(),
            constants: facts.constants,
            constants_source: facts.source.clone(),
            counted,
        },
        server: server.server.clone(),
        server_environment: server.environment.clone(),
        infrastructure: context.plan.infrastructure.names(),
        modifications: changes,
        client: server.client.clone(),
        machine: MachineFacts {
            cpus: Cpus::here().allowed,
            memory_total: ByteSize(memory()?.total_memory()),
            system: System::long_os_version()
                .into_iter()
                .chain(System::kernel_version())
                .collect::<Vec<_>>()
                .join(", kernel "),
            limits: MachineLimits::here(),
        },
    })
}

/// This machine, without a word on what can be launched on it.
pub(crate) fn machine() -> Result<Machine> {
    let system = memory()?;
    let machine = Machine {
        memory_total: ByteSize(system.total_memory()),
        memory_available: ByteSize(system.available_memory()),
        limits: MachineLimits::here(),
        loopback_obstacle: None,
        speed: None,
    };
    Ok(machine.below(MemoryGroups::here().room()))
}

/// Memory of the host, whatever a control group may have of it.
fn memory() -> Result<System> {
    let mut system = System::new().context("reading this machine's memory")?;
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    Ok(system)
}

/// The variables that scenario processes need beside the run directory.
pub(super) fn secrets(credentials: &Credentials) -> Vec<(&'static str, String)> {
    match credentials {
        Credentials::Login(login) => vec![(env::SERVER_CREDENTIALS, login.to_variable())],
        // It is in the environment already.
        Credentials::Token(_) | Credentials::None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_agree_interrupts_the_run_and_makes_no_mistake() {
        for answer in ["n\n", "no\n", "\n", ""] {
            let error = agreed(answer).unwrap_err();
            assert_eq!(crate::exit_code(&error), 12);
            assert!(error.to_string().contains("nothing was launched"), "{error:#}");
        }
        assert!(agreed("y\n").is_ok() && agreed("yes\n").is_ok());
    }
}
