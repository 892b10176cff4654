//! Preparation of a run: announcement of the plan, and files of the results.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::workspace::Workspace;
use skyload::env;
use skyload::ids::{ProcessIdentity, RunId};
use skyload::infrastructure::Infrastructure;
use skyload::limits::{Cpus, MachineLimits, MemoryGroups};
use skyload::plan::{
    LeftOut, LoadPlan, MAX_USERS_ON_ANOTHER_MACHINE, Machine, PlannedScenario, ServerTarget,
    default_in_flight,
};
use skyload::profiler::{Marker, ProfilerOptions};
use skyload::record::environment::{Environment, MachineFacts, SkyUnderTest};
use skyload::record::request::{LoadRequest, RequestFile};
use skyload::record::{RunDir, RunFacts, Version, write_json};
use skyload::scenario::{ScenarioId, ScenarioKind};
use skyload::units::{ByteSize, as_gib, counted, in_minutes};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, System};

use super::repeat::RunSet;
use super::sizes;
use crate::commands::runs;
use crate::server::{Addresses, Context, ServerSession};
use crate::sky::Extras;

/// Prints how many scenarios are left out, and the need that no infra of the run meets.
fn announce_left_out(plan: &LoadPlan, progress: Progress) {
    let mut left_out: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for LeftOut { id, needs } in &plan.left_out {
        left_out.entry(needs).or_default().push(id.to_string());
    }
    for (needs, ids) in left_out {
        let count = ids.len();
        progress.note(match progress.is_verbose() {
            true => format!("Left out, since they need {needs}: {}", ids.join(", ")),
            false => format!("Left out: {count} that need {needs} (list with -v)"),
        });
    }
}

/// Prints the plan, its estimate, and how it was fitted to this machine.
pub(super) fn announce(plan: &LoadPlan, request: &LoadRequest, progress: Progress) {
    let capacity = &plan.capacity;
    let loads = || plan.scenarios.iter().filter(|one| !one.id.kind().accompanies_load());
    let of_users = loads().filter(|scenario| !scenario.shape.is_open());
    let users: u64 = of_users.map(|scenario| u64::from(scenario.users)).sum();
    let iterations: Option<u64> = loads().map(PlannedScenario::iterations).sum();
    let held = plan.scenarios.iter().filter(|one| one.id.kind() == ScenarioKind::Hold);
    let held: u64 = held.map(|scenario| u64::from(scenario.users)).sum();
    let probe = match plan.scenario(ScenarioId::ProbeHealth) {
        Some(_) => format!(", health probe at {}/s", plan.probe_rate),
        None => String::new(),
    };
    let counts = [
        (loads().count() > 0).then(|| counted(loads().count(), "scenario")),
        (users > 0).then(|| counted(users, "user")),
        // Of a load that lasts for a time, the server decides how many there are.
        iterations.filter(|it| *it > 0).map(|iterations| counted(iterations, "iteration")),
        (held > 0).then(|| counted(held, "held connection")),
    ];
    progress.note(format!(
        "Plan {}: {}{probe}{}",
        plan.name,
        counts.into_iter().flatten().collect::<Vec<_>>().join(", "),
        if progress.is_verbose() { "" } else { " (list with -v)" }
    ));
    sizes::announce(plan, progress);
    announce_shapes(plan, progress);
    match (&plan.infrastructure, &plan.without_infrastructure) {
        (Infrastructure::None, Some(reason)) if plan.script.is_none() => {
            progress.note(format!("Nothing is launched: {reason}"));
        }
        (Infrastructure::None, _) => {}
        (infrastructure, reason) => {
            progress.note(format!("Launching on {}", infrastructure.names().join(", ")));
            if let Some(reason) = reason {
                progress.note(format!("Not used: {reason}"));
            }
            announce_left_out(plan, progress);
        }
    }
    announce_caps(plan, request, progress);
    if plan.is_remote() {
        announce_timing(plan, progress);
        progress.note(match &plan.server_profile {
            None => "Remote server: no restart, no memory profile".to_owned(),
            Some(path) => {
                format!("Remote server: no restart; its profile is at {}", path.display())
            }
        });
        return;
    }
    let duration = plan.estimate().map_or_else(String::new, |estimate| {
        format!(" {} on {} CPUs,", in_minutes(estimate.duration), estimate.all_cpus())
    });
    progress.note(format!(
        "Estimate:{duration} {:.1} GiB of memory ({:.1} GiB usable, {:.1} GiB kept free)",
        as_gib(capacity.planned),
        as_gib(capacity.usable),
        as_gib(plan.memory_floor)
    ));
    announce_timing(plan, progress);
    for limit in MachineLimits::of_groups().in_words() {
        progress.note(format!("Control group limit: {limit}"));
    }
    if capacity.is_reduced() {
        progress.note(format!(
            "Concurrency reduced to fit memory: all users need about {:.1} GiB",
            as_gib(capacity.wanted)
        ));
    }
}

/// Prints the default caps of a server on another machine that have an effect.
fn announce_caps(plan: &LoadPlan, request: &LoadRequest, progress: Progress) {
    if !plan.server.is_on_another_machine() {
        return;
    }
    let (users, in_flight) = (MAX_USERS_ON_ANOTHER_MACHINE, default_in_flight(true));
    let has = |is_open: bool, number: u32| {
        let of_form = |one: &&PlannedScenario| {
            one.shape.is_open() == is_open && one.id.kind() != ScenarioKind::Hold
        };
        plan.scenarios.iter().filter(of_form).any(|one| one.users == number)
    };
    if request.users.is_none() && request.stages.is_none() && has(false, users) {
        progress.note(format!(
            "At most {users} users of a scenario, since the server is on another machine; -n sets \
             another number"
        ));
    }
    let mut held = plan.scenarios.iter().filter(|one| one.id.kind() == ScenarioKind::Hold);
    if request.hold.is_empty() && held.any(|one| one.users == users) {
        progress.note(format!(
            "At most {users} connections of a scenario, since the server is on another machine; \
             --hold sets another number"
        ));
    }
    if request.max_in_flight.is_none() && has(true, in_flight) {
        progress.note(format!(
            "At most {in_flight} iterations of a rate at a time, since the server is on another \
             machine; --max-in-flight sets another number"
        ));
    }
}

/// Prints the users and iterations of bursts, and the shapes of all other loads.
fn announce_shapes(plan: &LoadPlan, progress: Progress) {
    let with_concurrency = |scenario: &PlannedScenario, text: String| match scenario.concurrency {
        concurrency if concurrency < scenario.users => {
            format!("{text} (concurrency {concurrency})")
        }
        _ => text,
    };
    let burst = |scenario: &PlannedScenario| {
        let text = match scenario.shape.iterations()? {
            1 => format!("{} {}", scenario.id, scenario.users),
            iterations => format!("{} {} x{iterations}", scenario.id, scenario.users),
        };
        Some(with_concurrency(scenario, text))
    };
    let bursts: Vec<String> = plan.scenarios.iter().filter_map(burst).collect();
    progress.detail(format!("Users x iterations: {}", bursts.join(", ")));
    // Flags give all scenarios one shape.
    let mut by_shape: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for scenario in plan.scenarios.iter().filter(|one| one.shape.timed().is_some()) {
        let shape = match scenario.shape.most_per_second() {
            None => with_concurrency(scenario, scenario.shape.to_string()),
            Some(rate) => {
                let longest = f64::from(scenario.concurrency) / rate;
                format!(
                    "{}, at most {} iterations at a time: arrivals are dropped if iterations take \
                     longer than {longest:.1} s",
                    scenario.shape, scenario.concurrency
                )
            }
        };
        by_shape.entry(shape).or_default().push(scenario.id.to_string());
    }
    for (shape, ids) in by_shape {
        progress.note(format!("Load of {}: {shape}", ids.join(", ")));
    }
    for mix in plan.scenarios.iter().filter_map(|scenario| scenario.mix.as_ref()) {
        progress.note(format!("Mix of {}: {mix}", ScenarioId::ApiMix));
    }
    for planned in &plan.scenarios {
        if let Some(cancellations) = &planned.cancellations {
            progress.note(format!("Launches of {}: {cancellations}", planned.id));
        }
    }
    if plan.draws() {
        progress.note(format!("Seed: {} (--seed {})", plan.seed, plan.seed));
    }
}

/// Prints ramp, reduction and overload of the load.
fn announce_timing(plan: &LoadPlan, progress: Progress) {
    let ramp = humantime::format_duration(plan.ramp);
    let is_ramped = |planned: &PlannedScenario| {
        planned.id.kind() != ScenarioKind::Probe && planned.shape.is_ramped()
    };
    if !plan.ramp.is_zero() && plan.scenarios.iter().any(is_ramped) {
        progress.note(format!("Ramp: starts of users spread over {ramp} (--ramp {ramp})"));
    }
    if let Some(fit) = plan.fit.filter(|fit| !fit.left_out.is_none()) {
        progress.note(format!(
            "Load reduced to take about {} instead of {} (--fit {}): {}",
            in_minutes(fit.planned),
            in_minutes(fit.wanted),
            humantime::format_duration(fit.within),
            fit.left_out
        ));
    }
    if let Some(work) = plan.overload() {
        progress.note(format!(
            "Burst: all users start together, about {} of work for this machine's CPUs; SDK \
             timeouts (5 s for /launch and /exec, 3 times 2.5 s for health) may be hit; spread \
             the starts with `--ramp auto`",
            in_minutes(work)
        ));
    }
}

/// Directory that the results of runs go to: that of `--out`, or the workspace's.
pub(crate) fn runs_dir(out: Option<&Path>, workspace: &Workspace) -> Result<PathBuf> {
    match out {
        Some(out) => std::path::absolute(out).context("finding the output directory"),
        None => Ok(workspace.runs()),
    }
}

/// Creates the directory of the results below `under`, as the latest there.
pub(super) fn run_dir(
    under: &Path,
    request: &LoadRequest,
    plan: &LoadPlan,
    set: &RunSet,
    progress: Progress,
) -> Result<RunDir> {
    let run = create_run_dir(under, request, plan, Some(set))?;
    runs::warn_if_not_latest(run.link_latest()?, run.path(), progress);
    Ok(run)
}

/// Creates a directory of results below `under`, with request, facts and plan.
pub(super) fn create_run_dir(
    under: &Path,
    request: &LoadRequest,
    plan: &LoadPlan,
    set: Option<&RunSet>,
) -> Result<RunDir> {
    let run = RunDir::create(&under.join(RunId::generate().as_str()))?;
    write_json(&run.request(), &RequestFile::of(request.clone()))?;
    let coordinator = ProcessIdentity::current();
    // The base of the actual memory figure that the report compares with the estimate.
    let memory_before = ByteSize(memory()?.used_memory());
    let facts = RunFacts {
        version: Version,
        coordinator,
        estimate: plan.estimate(),
        memory_before: Some(memory_before),
        set: set.and_then(|set| set.next_place(&run.id())),
    };
    write_json(&run.facts(), &facts)?;
    write_json(&run.plan(), plan)?;
    Ok(run)
}

/// Options for the profiler of a run's server.
pub(super) fn profiler(
    run: &RunDir,
    plan: &LoadPlan,
    server: &ServerSession,
    addresses: Addresses,
) -> ProfilerOptions {
    let marker = Marker { name: env::SERVER_OF_RUN.to_owned(), value: run.id().to_string() };
    ProfilerOptions {
        interval: plan.profiler_interval,
        level: plan.peaks,
        marker: Some(marker),
        api_port: Some(addresses.api_port),
        queue_port: Some(addresses.queue_port),
        state: state(run, &plan.server),
        memory_floor: Some(plan.memory_floor),
        is_held_to_size: server.stated_size().is_some_and(|stated| stated.group().is_some()),
        upstream_figures: plan.upstream_figures,
        ..ProfilerOptions::new(addresses.root, run.samples(), run.processes())
    }
}

/// Directory of the server's state on this machine; `None` if it has none here.
fn state(run: &RunDir, server: &ServerTarget) -> Option<PathBuf> {
    let home = match server {
        ServerTarget::Isolated { .. } => run.instance().join("home"),
        ServerTarget::System => env::path("HOME")?,
        ServerTarget::Remote(_) => return None,
    };
    Some(home.join(".sky"))
}

/// Environment of the run: SkyPilot, server and machine.
pub(super) fn environment(
    context: &Context<'_>,
    server: &ServerSession,
    modifications: Vec<String>,
) -> Result<Environment> {
    let facts = &context.sky.facts;
    // The figures are of this machine, on which a remote server does not run.
    let counted = context.counted.filter(|_| !context.plan.is_remote());
    let environment = Environment {
        version: Version,
        skyload: env!("CARGO_PKG_VERSION").to_owned(),
        sky: SkyUnderTest {
            version: facts.version.clone(),
            commit: facts.commit.clone(),
            constants: facts.constants,
            constants_source: facts.source.clone(),
            counted,
            extras: context.sky.extras.as_ref().map(Extras::names),
            source: context.sky.source.clone(),
            packages: context.sky.packages(),
        },
        server: server.server.clone(),
        server_environment: server.environment.clone(),
        infrastructure: context.plan.infrastructure.names(),
        modifications,
        catalog: context.setup.as_ref().and_then(|setup| setup.catalog.clone()),
        client: server.client.clone(),
        machine: MachineFacts {
            cpus: Cpus::here().allowed,
            cpu_model: cpu_model(),
            memory_total: ByteSize(memory()?.total_memory()),
            system: MachineFacts::system_text(
                System::long_os_version().ok(),
                System::kernel_version().ok(),
            ),
            page_size: Some(ByteSize(rustix::param::page_size() as u64)),
            limits: MachineLimits::here(),
        },
        fingerprint: None,
    };
    Ok(environment.with_fingerprint())
}

/// Memory and limits of this machine; loopback, speed and shell variables are not filled in.
pub(crate) fn machine() -> Result<Machine> {
    let system = memory()?;
    let machine = Machine {
        memory_total: ByteSize(system.total_memory()),
        memory_available: ByteSize(system.available_memory()),
        limits: MachineLimits::here(),
        obstacles: BTreeMap::new(),
        without_nodes: BTreeMap::new(),
        speed: None,
        shell: Vec::new(),
    };
    // A container sees the memory of the host, and its control group may allow less.
    Ok(machine.below(MemoryGroups::here().available()))
}

/// Model of the machine's CPUs; `None` if the kernel does not report it.
fn cpu_model() -> Option<String> {
    let mut system = System::new().ok()?;
    system.refresh_cpu_list(CpuRefreshKind::nothing());
    let brand = system.cpus().first()?.brand().trim().to_owned();
    (!brand.is_empty()).then_some(brand)
}

/// Memory of the host, without limits of control groups.
fn memory() -> Result<System> {
    let mut system = System::new().context("reading this machine's memory")?;
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    Ok(system)
}
