//! Next step after a run: one command, for the end of the text report and the top of the page.

mod from_plan;
mod request;
mod scale;

use serde::{Deserialize, Serialize};

use crate::analysis::{
    About, CONFIGURED, LimitCheck, LimitState, Report, ScenarioReport, ScenarioState, Severity,
    ThresholdState, Verdict,
};
use crate::machine_size::MachineSize;
use crate::metric::Unit;
use crate::plan::{LoadPlan, PlannedScenario, ServerTarget};
use crate::record::request::LoadRequest;
use crate::render::format::budget_flag;
use crate::scenario::ScenarioId;
use crate::shape::LoadShape;
use crate::shell;
use crate::units::ByteSize;
use request::{original_request, request_as_run, with_scenarios};
use scale::Factor;

/// Command to type next, and its purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NextStep {
    /// Command to type in the checkout.
    pub command: String,
    /// Purpose of the command, as a phrase that begins with "to".
    pub purpose: String,
}

/// Next step after the run of `report`.
pub fn next_step(report: &Report) -> NextStep {
    let plan = &report.plan;
    match report.verdict {
        Verdict::Pass if is_bare_default(report) => NextStep {
            command: "cargo xtask load --plan clouds".to_owned(),
            purpose: "to measure executors with a cloud enabled, which take up to twice the memory"
                .to_owned(),
        },
        Verdict::Pass if plan.is_profiled() => {
            let constants = recommend(report, "to get recommended constants");
            constants.unwrap_or_else(|| more_users(report))
        }
        Verdict::Pass => more_users(report),
        Verdict::OverBudget => after_breach(report),
        Verdict::ScenarioFailed => after_failure(report),
        Verdict::Inconclusive => longer(report)
            .unwrap_or_else(|| repeat(report, format!("to repeat the run{}", why_not(report)))),
    }
}

/// Whether the run was of the plan `default` as it is in the checkout, which has no cloud.
fn is_bare_default(report: &Report) -> bool {
    let plan = &report.plan;
    let has_no_selection = |request: &LoadRequest| {
        let LoadRequest { config, cli, api, hold, mix, script, .. } = request;
        let has_no_file = config.is_none() && script.is_none();
        has_no_file && mix.is_none() && [cli, api, hold].into_iter().all(Vec::is_empty)
    };
    plan.name == "default"
        && matches!(plan.server, ServerTarget::Isolated { .. })
        && !plan.infrastructure.has_cloud_libraries()
        && report.request.as_ref().is_some_and(has_no_selection)
}

fn more_users(report: &Report) -> NextStep {
    match scaled(report, &loaded(&report.plan), Factor::Double) {
        Some(Scaled { command, what }) => {
            NextStep { command, purpose: format!("to double the {what}") }
        }
        None => repeat(report, "to repeat the run".to_owned()),
    }
}

/// Step to recommended constants. `recommend` needs the constants of the SkyPilot that the server
/// ran: if `sky` has another version, the step is a run with the server's version. `None` if
/// there is no such version, or without facts about the server.
fn recommend(report: &Report, purpose: &str) -> Option<NextStep> {
    let environment = report.environment.as_ref()?;
    let Some(skew) = environment.skew() else {
        return Some(NextStep {
            command: format!("cargo xtask recommend {}", shell::word(&report.name)),
            purpose: purpose.to_owned(),
        });
    };
    let version = &environment.server.version;
    // PyPI has no other commit of the same version, and no checkout.
    let is_installable = *version != environment.sky.version
        && version.chars().all(|c| c.is_ascii_digit() || c == '.');
    let request = || LoadRequest { sky: Some(version.clone()), ..request_as_run(report) };
    is_installable.then(|| NextStep {
        command: request().command(),
        purpose: format!("{purpose}, with the server's version: {skew}"),
    })
}

fn after_breach(report: &Report) -> NextStep {
    if let Some(server_size) = report.server_size.as_ref().filter(|it| it.kills > 0) {
        let memory = ByteSize(server_size.size.memory.as_u64().saturating_mul(2));
        let size = MachineSize { memory, ..server_size.size };
        let request = LoadRequest { size: Some(size.typed()), ..request_as_run(report) };
        let purpose = "to check whether twice the memory is enough".to_owned();
        return NextStep { command: request.command(), purpose };
    }
    // Constants are about memory only.
    let is_memory =
        |check: &LimitCheck| check.state == LimitState::Over && check.metric.unit() == Unit::Size;
    match report.doubts().first() {
        // `recommend` needs valid measurements.
        Some(doubt) => repeat(report, format!("to measure the rest: {doubt}")),
        None => {
            let purpose = format!("to get the constants that these peaks need{}", or_raise(report));
            let constants =
                report.budgets.iter().any(is_memory).then(|| recommend(report, &purpose));
            constants.flatten().unwrap_or_else(|| {
                repeat(report, format!("to check whether it happens again{}", or_raise(report)))
            })
        }
    }
}

/// Step that repeats the load as it ran.
fn repeat(report: &Report, purpose: String) -> NextStep {
    NextStep { command: request_as_run(report).command(), purpose }
}

/// Step with twice the time, if the run is inconclusive since iterations or connections took longer
/// than the load: the same time would interrupt them again. `None` if no flag set the time.
fn longer(report: &Report) -> Option<NextStep> {
    let first = report.findings.iter().find(|found| found.severity == Severity::Inconclusive)?;
    let Some(About::Scenario(id)) = first.about else { return None };
    let scenario = report.scenarios.iter().find(|scenario| scenario.id == id)?;
    // Arrivals are dropped since too many are active, which more time does not change.
    if scenario.interrupted() == 0 || scenario.dropped() > 0 {
        return None;
    }
    let request = request_as_run(report);
    let time = Some(scale::twice_the_time(request.time.as_deref()?)?);
    let command = LoadRequest { time, ..request }.command();
    Some(NextStep { command, purpose: format!("to give it twice the time{}", why_not(report)) })
}

/// Command for a load that is larger or smaller than that of the run.
struct Scaled {
    command: String,
    /// Amount that is larger or smaller, as a noun.
    what: &'static str,
}

/// Command for a load of `scenarios` alone, scaled by `factor`; `None` if flags cannot express
/// it, since the shape is one of a file.
fn scaled(report: &Report, scenarios: &[ScenarioId], factor: Factor) -> Option<Scaled> {
    if scenarios.is_empty() {
        return None;
    }
    // `--fit` is for bursts.
    let request = LoadRequest { fit: None, ..with_scenarios(report, scenarios) };
    if let Some(rate) = &request.rate {
        let rate = Some(factor.of_rate(rate)?);
        let command = LoadRequest { rate, ..request }.command();
        return Some(Scaled { command, what: "arrival rate" });
    }
    if let Some(stages) = &request.stages {
        let what = if stages.contains('/') { "arrival rate" } else { "users" };
        let stages = Some(factor.of_stages(stages)?);
        return Some(Scaled { command: LoadRequest { stages, ..request }.command(), what });
    }
    let (ids, users) = with_typed_users(report, scenarios)?;
    let command = load(report, &ids, factor.of_users(users)?);
    Some(Scaled { command, what: "users" })
}

/// Scenarios among `ids` with the most users, and that number; `None` if `-n` would be refused,
/// since one of them has an arrival rate or stages of a file.
fn with_typed_users(report: &Report, ids: &[ScenarioId]) -> Option<(Vec<ScenarioId>, u32)> {
    let request = original_request(report);
    // With these flags, a closed loop has no stages of its own.
    let is_loop = request.users.is_some() || request.time.is_some();
    let takes_users = |shape: &LoadShape| match shape {
        LoadShape::Burst { .. } => true,
        LoadShape::Timed(_) => is_loop && !shape.is_open(),
    };
    let mut planned = report.plan.scenarios.iter().filter(|planned| ids.contains(&planned.id));
    let all = planned.all(|planned| takes_users(&planned.shape));
    let has_other_shape = request.rate.is_some() || request.stages.is_some();
    (all && !has_other_shape && !ids.is_empty()).then(|| with_most_users(&report.plan, ids))
}

/// Command for a load of `scenarios` alone with `users` each.
fn load(report: &Report, scenarios: &[ScenarioId], users: u32) -> String {
    let request = with_scenarios(report, scenarios);
    // `-n` without `--ramp` is a burst.
    let ramp = (!report.plan.ramp.is_zero()).then(|| "auto".to_owned());
    let ramp = request.ramp.clone().or(ramp);
    // `--fit` would reduce the number of users again.
    let request = LoadRequest { ramp, fit: None, ..request };
    LoadRequest { users: Some(users.to_string()), ..request }.command()
}

/// Hint to raise a budget that was exceeded, if it was set by the user. For SkyPilot's constants,
/// `recommend` is the step.
fn or_raise(report: &Report) -> String {
    let set = report
        .budgets
        .iter()
        .find(|check| check.state == LimitState::Over && check.source == CONFIGURED);
    set.map_or_else(String::new, |check| {
        let (metric, unit) = (check.metric, check.metric.unit());
        let limit = match unit {
            Unit::GrowthRate => "SIZE/h".to_owned(),
            unit => unit.name().to_uppercase(),
        };
        format!("; or raise the budget: {}", budget_flag(metric, &limit))
    })
}

fn after_failure(report: &Report) -> NextStep {
    const DETAILS: &str = "details: load.log, server.log.tail of the results";
    let plan = &report.plan;
    let is_breached = |id: ScenarioId| {
        report.thresholds.iter().any(|check| {
            let is_about_id = check.threshold.metric.scenario() == Some(id);
            is_about_id && check.state == ThresholdState::Breached
        })
    };
    let has_failed = |scenario: &&ScenarioReport| {
        scenario.state == ScenarioState::Failed || is_breached(scenario.id)
    };
    let failed = report.scenarios.iter().filter(has_failed).map(|scenario| scenario.id);
    let (beside, mut ids): (Vec<_>, Vec<_>) = failed.partition(|id| id.kind().accompanies_load());
    if ids.is_empty() && !beside.is_empty() {
        // If only what accompanies the load failed, the cause is the load of all scenarios.
        ids = loaded(plan);
    }
    // A failure that depends on the load may disappear with half of it.
    if let Some(Scaled { command, what }) = scaled(report, &ids, Factor::Half) {
        let purpose = format!("to check whether it also fails with half the {what}; {DETAILS}");
        return NextStep { command, purpose };
    }
    match with_typed_users(report, &ids) {
        Some((ids, 1)) if beside.is_empty() => NextStep {
            command: load(report, &ids, 1),
            purpose: format!("to check whether it also fails alone; {DETAILS}"),
        },
        // Health probe or held connections during a load of single users, setup or teardown, or a
        // load that cannot be halved.
        _ => repeat(report, format!("to check whether it fails again; {DETAILS}")),
    }
}

fn why_not(report: &Report) -> String {
    let doubts = report.messages(Severity::Inconclusive);
    doubts.first().map_or_else(String::new, |first| format!(": {first}"))
}

/// Scenarios of a plan whose load can be scaled: all but those that accompany it.
fn loaded(plan: &LoadPlan) -> Vec<ScenarioId> {
    let ids = plan.scenarios.iter().map(|planned| planned.id);
    ids.filter(|id| !id.kind().accompanies_load()).collect()
}

/// Scenarios among `ids` with the most users, and that number. `-n` is one number for all
/// scenarios of a command.
fn with_most_users(plan: &LoadPlan, ids: &[ScenarioId]) -> (Vec<ScenarioId>, u32) {
    let users = users_of(plan, ids);
    let most = users.iter().map(|(_, users)| *users).max().unwrap_or_default();
    let with_most = users.into_iter().filter(|(_, users)| *users == most);
    (with_most.map(|(id, _)| id).collect(), most)
}

/// Number of users of the scenarios, as a value for `-n`; `None` if they differ in it.
fn common_users(plan: &LoadPlan, ids: &[ScenarioId]) -> Option<u32> {
    let (with_most, users) = with_most_users(plan, ids);
    (with_most.len() == ids.len() && users > 0).then_some(users)
}

/// Users of each scenario as `-n` counts them: per infra.
fn users_of(plan: &LoadPlan, ids: &[ScenarioId]) -> Vec<(ScenarioId, u32)> {
    let infras =
        |planned: &PlannedScenario| u32::try_from(planned.infras.len()).unwrap_or(u32::MAX);
    let planned = plan.scenarios.iter().filter(|planned| ids.contains(&planned.id));
    planned.map(|planned| (planned.id, planned.users / infras(planned).max(1))).collect()
}
