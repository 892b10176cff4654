//! Reference: a stored set of runs of one SkyPilot, in one file that can be committed, with which
//! later runs are compared.
//!
//! The runs are of another day, and may be of another machine. So a metric is compared only where
//! the conditions that it depends on are equal ([`Fingerprint`]).

mod recorded_run;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::{self, Condition, Conditions, Part, Unknown};
use super::decision::Pairing;
use super::estimate::LEAST_RUNS;
use super::excluded::Excluded;
use super::measured_run::MeasuredRun;
use super::packages;
use super::side::Side;
use crate::analysis::Report;
use crate::metric::{Amount, ComparedMetric};
use crate::plan::{Capacity, Fit, LeftOut, LoadPlan, PlannedScenario, UsageErrors};
use crate::record::environment::PythonPackages;
use crate::record::request::LoadRequest;
use crate::record::{Document, Version};
use crate::units::{self, ByteSize};
pub use recorded_run::RecordedRun;

/// Stored set of runs, content of `skyload-reference.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Reference {
    /// Format of the file.
    version: Version<1>,
    /// SkyPilot of the runs, with its commit where it is known.
    pub sky: String,
    /// Python and packages that SkyPilot ran on; `None` if unknown.
    pub packages: Option<PythonPackages>,
    /// Arguments of `cargo xtask load` that made the runs. Paths are relative to the folder of the
    /// file if they are below it.
    pub arguments: Vec<String>,
    /// Load of the runs.
    load: Load,
    /// Conditions of the runs.
    pub fingerprint: Fingerprint,
    /// Runs, in their order.
    pub runs: Vec<RecordedRun>,
}

impl Document for Reference {
    const KIND: &'static str = "reference";
    const VERSION: u32 = 1;
}

/// Load as it was planned. On another day, the machine's speed and its free memory would lead to
/// another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Load {
    /// Scenarios of the load.
    scenarios: Vec<PlannedScenario>,
    /// Scenarios of the plan's lists that no infra of the runs supports.
    left_out: Vec<LeftOut>,
    /// Time over which the starts of users are spread; zero is a burst.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    ramp: Duration,
    /// Reduction of the load to a time limit; `None` without a limit.
    fit: Option<Fit>,
    /// Estimated peak of memory.
    memory: ByteSize,
}

/// Conditions of runs, in parts: by the metrics that need them to be equal. `None` is an unknown
/// value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fingerprint {
    /// Load that was asked for, without which nothing can be compared.
    load: BTreeMap<String, Option<String>>,
    /// Kernel and settings that shape memory and numbers of processes, which all metrics need.
    memory: BTreeMap<String, Option<String>>,
    /// CPUs of the machine, which CPU time and latencies need, too.
    cpu: BTreeMap<String, Option<String>>,
}

impl Fingerprint {
    fn of(conditions: &Conditions) -> Self {
        let mut parts = Self::default();
        for Condition { what, value, part, .. } in &conditions.list {
            parts.part_mut(*part).insert(what.clone(), value.clone());
        }
        parts
    }

    /// Conditions of one part by their names.
    pub const fn part(&self, part: Part) -> &BTreeMap<String, Option<String>> {
        match part {
            Part::Load => &self.load,
            Part::Memory => &self.memory,
            Part::Cpu => &self.cpu,
        }
    }

    const fn part_mut(&mut self, part: Part) -> &mut BTreeMap<String, Option<String>> {
        match part {
            Part::Load => &mut self.load,
            Part::Memory => &mut self.memory,
            Part::Cpu => &mut self.cpu,
        }
    }

    fn conditions(&self) -> Vec<Condition> {
        let of_part = |part| {
            let condition = move |(what, value): (&String, &Option<String>)| Condition {
                what: what.clone(),
                value: value.clone(),
                part,
                may_be_skypilots: false,
            };
            self.part(part).iter().map(condition)
        };
        Part::ALL.into_iter().flat_map(of_part).collect()
    }
}

impl Reference {
    /// Reference of finished runs, with the arguments that they were made with, and the runs that
    /// are left out of it; or all reasons why they make none.
    pub fn assemble(reports: &[Report]) -> Result<(Self, Vec<Excluded>), UsageErrors> {
        let measured: Vec<MeasuredRun> = reports.iter().map(MeasuredRun::of).collect();
        let (side, used) = Side::of(&measured, &[], Pairing::Unpaired);
        let mut mistakes = Vec::new();
        if side.sky.len() > 1 {
            mistakes.push(format!("expected runs of one SkyPilot, got {}", side.name()));
        }
        let runs: Vec<_> = used.iter().map(|run| (&run.run, &run.conditions)).collect();
        let mut differences = conditions::differences(&runs, Unknown::DiffersFromNothing);
        differences.extend(packages::within("reference", &used));
        mistakes.extend(differences.iter().map(|it| format!("runs differ in {it}")));
        if used.len() < LEAST_RUNS {
            let left_out = side.excluded.iter();
            let left_out = left_out.map(|it| format!("\n  left out: {it}"));
            mistakes.push(format!(
                "expected at least {LEAST_RUNS} usable runs, got {}{}\n  hint: `cargo xtask load \
                 --repeat {LEAST_RUNS}` makes them",
                used.len(),
                left_out.collect::<String>()
            ));
        }
        // Of the runs that are used: one that is left out may have had another load.
        let usable = || reports.iter().filter(|report| side.runs.contains(&report.run));
        let request = usable().find_map(|report| report.request.as_ref());
        if request.is_none() && !used.is_empty() {
            mistakes.push(
                "expected runs with a record of their flags, got runs of an earlier skyload\n  \
                 hint: make new ones with `cargo xtask load --repeat 3`"
                    .to_owned(),
            );
        }
        let (true, Some(first), Some(request), [sky]) =
            (mistakes.is_empty(), usable().next(), request, &side.sky[..])
        else {
            return Err(UsageErrors(mistakes));
        };
        let plan = &first.plan;
        let reference = Self {
            version: Version,
            sky: sky.clone(),
            packages: packages::first(&used).cloned(),
            arguments: request.to_args(),
            load: Load {
                scenarios: plan.scenarios.clone(),
                left_out: plan.left_out.clone(),
                ramp: plan.ramp,
                fit: plan.fit,
                memory: plan.capacity.planned,
            },
            fingerprint: Fingerprint::of(&used[0].conditions),
            runs: used.into_iter().map(RecordedRun::of).collect(),
        };
        Ok((reference, side.excluded))
    }

    /// Runs as they are compared.
    pub(super) fn measured_runs(&self) -> Vec<MeasuredRun> {
        let list = self.fingerprint.conditions();
        let conditions = Conditions { sky: Some(self.sky.clone()), selected: None, list };
        self.runs.iter().map(|run| run.measured(&conditions, self.packages.as_ref())).collect()
    }

    /// Amounts of a metric in the runs that measured it.
    pub fn amounts(&self, metric: ComparedMetric) -> Vec<Amount> {
        self.runs.iter().filter_map(|run| run.amount(metric)).collect()
    }

    /// Request that made the runs, with paths as they are in the file.
    pub fn request(&self) -> Result<LoadRequest, UsageErrors> {
        LoadRequest::from_args(&self.arguments).map_err(|error| {
            UsageErrors(vec![format!("the reference's arguments of `load`: {error}")])
        })
    }

    /// Plan that is resolved on this machine, with the load of the reference; or all reasons why
    /// its runs could not be compared with those of the reference.
    pub fn plan(
        &self,
        resolved: &LoadPlan,
        request: &LoadRequest,
    ) -> Result<LoadPlan, UsageErrors> {
        let Load { scenarios, left_out, ramp, fit, memory } = self.load.clone();
        let usable = resolved.capacity.usable;
        let plan = LoadPlan {
            scenarios,
            left_out,
            ramp,
            fit,
            capacity: Capacity { wanted: memory, planned: memory, usable },
            ..resolved.clone()
        };
        let of_reference = self.fingerprint.part(Part::Load);
        let differs = |here: Condition| {
            let there = of_reference.get(&here.what)?.as_ref()?;
            let value = here.value.filter(|value| value != there)?;
            Some(format!(
                "the load differs in {}: {there} in the reference, {value} here",
                here.what
            ))
        };
        let here = conditions::of_plan(&plan, Some(request));
        let mut mistakes: Vec<String> = here.into_iter().filter_map(differs).collect();
        if memory > usable && !request.yes {
            mistakes.push(format!(
                "not enough memory: the reference's load needs {memory}, {usable} is usable\n  \
                 hint: use a larger machine, or --yes to run anyway"
            ));
        }
        if mistakes.is_empty() { Ok(plan) } else { Err(UsageErrors(mistakes)) }
    }
}
