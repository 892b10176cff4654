//! Conditions of two sets of runs: what should be equal, so that a change is SkyPilot's.
//!
//! They are in parts, by the metrics that need them: another CPU model changes CPU time and
//! latencies, and leaves memory as it was.

mod load;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::analysis::Report;
use crate::fact::Fact;
use crate::ids::RunId;
use crate::metric::Kind;
use crate::plan::SkySelection;
use crate::record::environment::{Environment, HugePages, SkyUnderTest, short_commit};
use crate::units::{ByteSize, as_gib};
pub(super) use load::of_plan;

/// Name of the condition with the thresholds of a plan.
const THRESHOLDS: &str = "thresholds";

/// Separator of the items of a condition.
const SEPARATOR: &str = ", ";

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
    /// Part that the condition is of, by the metrics that need it.
    pub part: Part,
    /// Whether the condition may follow from SkyPilot's version, and is no reason to refuse.
    pub may_be_skypilots: bool,
}

/// Part of a run's conditions, by the metrics that need it to be equal. Metrics that need a part
/// need those before it, too.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Load that was asked for, without which nothing can be compared.
    Load,
    /// Kernel and settings that shape memory and numbers of processes, which all metrics need.
    Memory,
    /// CPUs of the machine, which CPU time and latencies need.
    Cpu,
}

impl Part {
    /// Parts in the order of files and tables.
    pub const ALL: [Self; 3] = [Self::Load, Self::Memory, Self::Cpu];

    /// Last part that metrics of a kind need.
    pub(super) const fn needed_for(kind: Kind) -> Self {
        match kind {
            Kind::Memory | Kind::Growth | Kind::GrowthRate | Kind::Count => Self::Memory,
            Kind::Cpu | Kind::Latency => Self::Cpu,
        }
    }

    /// Metrics that need the part, for tables.
    pub const fn needed_by(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Memory => "all metrics",
            Self::Cpu => "CPU, latencies",
        }
    }
}

/// Meaning of a condition that is unknown in one of two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// Runs of one day: what is unknown differs from nothing.
    DiffersFromNothing,
    /// Runs of other days: machine and settings that cannot be checked may differ.
    MayDiffer,
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
    /// Conditions, each with a name of its own.
    pub(super) list: Vec<Condition>,
}

/// Condition of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// Name in messages.
    pub(super) what: String,
    /// Value as text; `None` if unknown.
    pub(super) value: Option<String>,
    /// Part that the condition is of.
    pub(super) part: Part,
    /// Whether the value may follow from SkyPilot's version.
    pub(super) may_be_skypilots: bool,
}

/// Conditions that differ from the first run's, each with the first run that differs.
pub(super) fn differences(runs: &[(&RunId, &Conditions)], unknown: Unknown) -> Vec<Difference> {
    let Some(((run, first), others)) = runs.split_first() else { return Vec::new() };
    let mut found: Vec<Difference> = Vec::new();
    for (other_run, other) in others {
        let has_other_skypilot = first.may_be_of_other_skypilot(other);
        for [here, there] in first.beside(other) {
            // A stored condition does not say whether it may be SkyPilot's.
            let facts = || [there, here].into_iter().flatten();
            let Some(Condition { what, part, .. }) = facts().next() else { continue };
            let [Some(value), Some(other_value)] =
                [here, there].map(|condition| value_of(condition, *part, unknown))
            else {
                continue;
            };
            if value != other_value && found.iter().all(|known| known.what != *what) {
                let may_be_skypilots = facts().any(|condition| condition.may_be_skypilots);
                found.push(Difference {
                    what: what.clone(),
                    run: (*run).clone(),
                    value,
                    other_run: (*other_run).clone(),
                    other_value,
                    part: *part,
                    may_be_skypilots: may_be_skypilots && has_other_skypilot,
                });
            }
        }
    }
    found
}

/// Adds conditions that differ between runs of one version. They are not SkyPilot's, though they
/// may differ by it between versions.
pub(super) fn add_those_within(
    differences: &mut Vec<Difference>,
    runs: &[(&RunId, &Conditions)],
    unknown: Unknown,
) {
    for within in self::differences(runs, unknown) {
        match differences.iter_mut().find(|known| known.what == within.what) {
            Some(known) if known.may_be_skypilots && !within.may_be_skypilots => *known = within,
            Some(_) => {}
            None => differences.push(within),
        }
    }
}

/// Value that is compared; `None` for one that differs from nothing.
fn value_of(condition: Option<&Condition>, part: Part, unknown: Unknown) -> Option<String> {
    let value = condition.and_then(|condition| condition.value.clone());
    match unknown {
        Unknown::MayDiffer if part != Part::Load => value.or_else(|| Some("unknown".to_owned())),
        Unknown::MayDiffer | Unknown::DiffersFromNothing => value,
    }
}

impl Conditions {
    /// Conditions of a report's run.
    pub(super) fn of(report: &Report) -> Self {
        let environment = report.environment.as_ref();
        let of_environment = environment.into_iter().flat_map(|environment| {
            of_machine(environment).into_iter().chain(of_server(environment))
        });
        let of_plan = of_plan(&report.plan, report.request.as_ref()).into_iter();
        Self {
            sky: environment.map(|environment| sky_of(&environment.sky)),
            selected: Some(report.plan.sky.clone()),
            list: of_plan.chain(of_measurement(report)).chain(of_environment).collect(),
        }
    }

    /// Whether another run may be of another SkyPilot: by what they report, or since they were
    /// selected in different ways, such as a release and a modified copy of it.
    fn may_be_of_other_skypilot(&self, other: &Self) -> bool {
        let selected = self.selected.as_ref().zip(other.selected.as_ref());
        self.sky != other.sky || selected.is_some_and(|(one, other)| one != other)
    }

    /// Conditions of two runs by their names, in the order of these, then those that only the
    /// others have.
    fn beside<'a>(&'a self, others: &'a Self) -> Vec<[Option<&'a Condition>; 2]> {
        let both = self.list.iter().map(|here| [Some(here), others.get(&here.what)]);
        let only_there = others.list.iter().filter(|there| self.get(&there.what).is_none());
        both.chain(only_there.map(|there| [None, Some(there)])).collect()
    }

    /// Whether the run is judged by a threshold; `None` if unknown, as in references of earlier
    /// builds.
    pub(super) fn judges_by(&self, threshold: &str) -> Option<bool> {
        let thresholds = self.get(THRESHOLDS)?.value.as_ref()?;
        let enclosed = |text: &str| format!("{SEPARATOR}{text}{SEPARATOR}");
        Some(enclosed(thresholds).contains(&enclosed(threshold)))
    }

    fn get(&self, what: &str) -> Option<&Condition> {
        self.list.iter().find(|condition| condition.what == what)
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

/// Condition of the load, unless it is put into another part.
fn optional(what: &'static str, value: Option<impl ToString>) -> Condition {
    let value = value.map(|value| value.to_string());
    Condition { what: what.to_owned(), value, part: Part::Load, may_be_skypilots: false }
}

/// Condition that all metrics need.
fn for_memory(condition: Condition) -> Condition {
    Condition { part: Part::Memory, ..condition }
}

/// Condition that CPU time and latencies need.
fn for_cpu(condition: Condition) -> Condition {
    Condition { part: Part::Cpu, ..condition }
}

/// Condition with items, or with none of them.
fn list(what: &'static str, items: impl IntoIterator<Item = impl ToString>) -> Condition {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    known(what, if items.is_empty() { "none".to_owned() } else { items.join(SEPARATOR) })
}

fn yes_or_no(what: &'static str, value: impl Into<Fact>) -> Condition {
    optional(what, value.into().known().map(|is_so| if is_so { "yes" } else { "no" }))
}

/// Condition that may follow from SkyPilot's version.
fn of_skypilot(condition: Condition) -> Condition {
    Condition { may_be_skypilots: true, ..condition }
}

/// Conditions that show during the run: what the machine granted.
fn of_measurement(report: &Report) -> Vec<Condition> {
    let level = report.profiler.map(|profiler| profiler.describe());
    let limits = report.server_size.as_ref().map(|size| size.group.limits());
    vec![
        for_memory(list("limits of the size", limits)),
        for_memory(optional("method of peaks", level)),
    ]
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
    let (system, kernel) = machine.system_and_kernel();
    let variables = variables.map(|text| format!("[{text}]"));
    vec![
        for_memory(known("skyload", skyload)),
        for_cpu(known("CPUs", machine.cpus)),
        for_cpu(optional("CPU model", machine.cpu_model.as_ref())),
        for_cpu(known("memory", format!("{:.2} GiB", as_gib(memory)))),
        for_memory(known("system", system)),
        for_memory(optional("kernel", kernel)),
        for_memory(optional("page size", machine.page_size)),
        for_memory(list("memory limit of control groups", memory_limit)),
        for_cpu(list("CPU quota of control groups", quota)),
        for_memory(of_skypilot(optional("machine as SkyPilot counts it", counted))),
        for_memory(optional("transparent huge pages", huge_pages)),
        for_memory(optional("variables that affect memory", variables)),
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
    let conditions = vec![
        of_skypilot(yes_or_no("jobs consolidation", server.consolidation)),
        of_skypilot(yes_or_no("serve consolidation", server.serve_consolidation)),
        yes_or_no("other infra of the server", server.clouds),
        list("hash of the catalogs", catalog.as_ref().map(|catalog| &catalog.hash)),
        of_skypilot(optional("workers", workers)),
        of_skypilot(list("constants (long, short, server)", constants)),
        of_skypilot(list("modifications", modifications)),
        of_skypilot(optional("extras of the package", extras)),
    ];
    conditions.into_iter().map(for_memory).collect()
}
