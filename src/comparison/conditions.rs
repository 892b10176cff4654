//! Conditions of two sets of runs: what should be equal, so that a change is SkyPilot's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::analysis::Report;
use crate::fact::Fact;
use crate::ids::RunId;
use crate::plan::{PlannedScenario, ServerTarget, SkySelection};
use crate::record::environment::{Environment, HugePages, SkyUnderTest, short_commit};
use crate::units::{ByteSize, as_gib};

/// Condition that differs between two runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Difference {
    /// Condition, such as `CPUs`.
    pub what: String,
    /// First run of the base.
    pub run: RunId,
    /// Value in that run.
    pub value: String,
    /// First run with another value.
    pub other_run: RunId,
    /// Value in the other run.
    pub other_value: String,
    /// Whether the condition may follow from SkyPilot's version, and is no reason to refuse.
    pub may_be_skypilots: bool,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, run, value, other_run, other_value, .. } = self;
        write!(f, "{what}: {value} in {run}, {other_value} in {other_run}")
    }
}

/// Conditions of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conditions {
    /// SkyPilot under test; `None` if the run has no record of it.
    pub(super) sky: Option<String>,
    /// Selection of the SkyPilot; `None` if unknown.
    pub(super) selected: Option<SkySelection>,
    /// Conditions in an order that is the same for every run.
    list: Vec<Condition>,
}

/// Condition of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    /// Name in messages.
    what: &'static str,
    /// Value as text; `None` if unknown, which differs from nothing.
    value: Option<String>,
    /// Whether the value may follow from SkyPilot's version.
    may_be_skypilots: bool,
}

/// Conditions that differ from the first run's, each with the first run that differs.
pub(super) fn differences(runs: &[(&RunId, &Conditions)]) -> Vec<Difference> {
    let Some(((run, first), others)) = runs.split_first() else { return Vec::new() };
    let mut found: Vec<Difference> = Vec::new();
    for (other_run, other) in others {
        let has_other_skypilot = first.may_be_of_other_skypilot(other);
        for (here, there) in first.list.iter().zip(&other.list) {
            let (Some(value), Some(other_value)) = (here.value.clone(), there.value.clone()) else {
                continue;
            };
            if value != other_value && found.iter().all(|known| known.what != here.what) {
                found.push(Difference {
                    what: here.what.to_owned(),
                    run: (*run).clone(),
                    value,
                    other_run: (*other_run).clone(),
                    other_value,
                    may_be_skypilots: here.may_be_skypilots && has_other_skypilot,
                });
            }
        }
    }
    found
}

impl Conditions {
    /// Conditions of a report's run.
    pub(super) fn of(report: &Report) -> Self {
        let environment = report.environment.as_ref();
        let of_environment = environment.into_iter().flat_map(|environment| {
            of_machine(environment).into_iter().chain(of_server(environment))
        });
        Self {
            sky: environment.map(|environment| sky_of(&environment.sky)),
            selected: Some(report.plan.sky.clone()),
            list: of_plan(report).into_iter().chain(of_environment).collect(),
        }
    }

    /// Whether another run may be of another SkyPilot: by what they report, or since they were
    /// selected in different ways, such as a release and a modified copy of it.
    fn may_be_of_other_skypilot(&self, other: &Self) -> bool {
        let selected = self.selected.as_ref().zip(other.selected.as_ref());
        self.sky != other.sky || selected.is_some_and(|(one, other)| one != other)
    }
}

/// SkyPilot under test: its version, and its commit if it is known.
fn sky_of(sky: &SkyUnderTest) -> String {
    match &sky.commit {
        Some(commit) => format!("{} ({})", sky.version, short_commit(commit)),
        None => sky.version.clone(),
    }
}

fn known(what: &'static str, value: impl ToString) -> Condition {
    optional(what, Some(value))
}

fn optional(what: &'static str, value: Option<impl ToString>) -> Condition {
    let value = value.map(|value| value.to_string());
    Condition { what, value, may_be_skypilots: false }
}

/// Condition with items, or with none of them.
fn list(what: &'static str, items: impl IntoIterator<Item = impl ToString>) -> Condition {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    known(what, if items.is_empty() { "none".to_owned() } else { items.join(", ") })
}

fn yes_or_no(what: &'static str, value: impl Into<Fact>) -> Condition {
    optional(what, value.into().known().map(|is_so| if is_so { "yes" } else { "no" }))
}

/// Condition that may follow from SkyPilot's version.
fn of_skypilot(condition: Condition) -> Condition {
    Condition { may_be_skypilots: true, ..condition }
}

fn of_plan(report: &Report) -> Vec<Condition> {
    let plan = &report.plan;
    let scenario = |one: &PlannedScenario| {
        let concurrency = match one.concurrency < one.users {
            true => format!(" (concurrency {})", one.concurrency),
            false => String::new(),
        };
        let mix = one.mix.as_ref().map_or_else(String::new, |mix| format!(" {mix}"));
        let shape = match one.shape.iterations() {
            Some(iterations) => format!("x{iterations}"),
            None => format!("({})", one.shape),
        };
        format!("{} {} {shape}{concurrency}{mix}", one.id, one.users)
    };
    let server = match &plan.server {
        ServerTarget::Isolated { deploy: false } => "isolated".to_owned(),
        ServerTarget::Isolated { deploy: true } => "isolated, in deploy mode".to_owned(),
        ServerTarget::System => "local".to_owned(),
        ServerTarget::Remote(url) => url.to_string(),
    };
    let duration = |duration| humantime::format_duration(duration).to_string();
    let level = report.profiler.map(|profiler| profiler.describe());
    vec![
        list("scenarios", plan.scenarios.iter().map(scenario)),
        known("server", server),
        list("stated size", plan.size),
        list("limits of the size", report.server_size.as_ref().map(|size| size.group.limits())),
        list("executor pools", (!plan.workers.is_none()).then_some(plan.workers)),
        list("infra", plan.infrastructure.names()),
        known("seed", plan.seed),
        known("ramp", ramp(report)),
        known("baseline", duration(plan.baseline)),
        known("cooldown", duration(plan.cooldown)),
        known("health probe", format!("{}/s", plan.probe_rate)),
        list("hash of the script", plan.script.as_ref().map(|script| &script.sha256)),
        yes_or_no("--async", plan.run_async),
        yes_or_no("phase peaks", plan.phase_peaks),
        yes_or_no("distinct users", plan.distinct_users),
        yes_or_no("reading of the server's own metrics", plan.server_metrics.is_some()),
        known("sampling interval", duration(plan.profiler_interval)),
        optional("method of peaks", level),
    ]
}

/// Ramp as it was asked for: an automatic one depends on the machine's speed at that moment.
fn ramp(report: &Report) -> String {
    let asked = report.request.as_ref().and_then(|request| request.ramp.clone());
    let of_plan = if report.plan.ramp.is_zero() { "none" } else { "automatic" };
    asked.unwrap_or_else(|| of_plan.to_owned())
}

fn of_machine(environment: &Environment) -> Vec<Condition> {
    let Environment { skyload, sky, machine, .. } = environment;
    // Rounded down to 256 MiB: the kernel reserves a different amount at each boot.
    let unit = ByteSize::mib(256).as_u64();
    let memory = ByteSize((machine.memory_total.as_u64() / unit).saturating_mul(unit));
    let limits = &machine.limits;
    let memory_limit = limits.memory.as_ref().map(|memory| memory.limit);
    let quota = limits
        .cpu
        .as_ref()
        .map(|cpu| format!("{} us in {} us", cpu.quota_micros, cpu.period_micros));
    let counted = sky.counted.map(|it| format!("{} CPUs, {}", it.cpus, it.memory));
    let memory_settings = environment.server_environment.memory();
    let huge_pages = memory_settings.and_then(|settings| match &settings.huge_pages {
        HugePages::Mode(mode) => Some(mode),
        HugePages::Unknown => None,
    });
    let variables = memory_settings.map(|settings| settings.assignments().join(" "));
    vec![
        known("skyload", skyload),
        known("CPUs", machine.cpus),
        optional("CPU model", machine.cpu_model.as_ref()),
        known("memory", format!("{:.2} GiB", as_gib(memory))),
        known("system", &machine.system),
        list("memory limit of control groups", memory_limit),
        list("CPU quota of control groups", quota),
        of_skypilot(optional("machine as SkyPilot counts it", counted)),
        optional("transparent huge pages", huge_pages),
        optional("variables that affect memory", variables.map(|text| format!("[{text}]"))),
    ]
}

fn of_server(environment: &Environment) -> Vec<Condition> {
    let Environment { sky, server, modifications, catalog, .. } = environment;
    let workers = server
        .workers
        .map(|it| format!("{} server, {} long, {} short", it.server, it.long, it.short));
    let constants = [sky.constants.long, sky.constants.short, sky.constants.server];
    let constants = constants.map(|one| one.map_or_else(|| "none".to_owned(), |it| it.to_string()));
    let extras = sky.extras.as_ref().map(|extras| format!("[{}]", extras.join(", ")));
    vec![
        of_skypilot(yes_or_no("jobs consolidation", server.consolidation)),
        of_skypilot(yes_or_no("serve consolidation", server.serve_consolidation)),
        yes_or_no("other infra of the server", server.clouds),
        list("hash of the catalogs", catalog.as_ref().map(|catalog| &catalog.hash)),
        of_skypilot(optional("workers", workers)),
        of_skypilot(list("constants (long, short, server)", constants)),
        of_skypilot(list("modifications", modifications)),
        of_skypilot(optional("extras of the package", extras)),
    ]
}
