//! Next step after a run: one command, for the end of the text report and the top of the page.

mod request;

use serde::{Deserialize, Serialize};

use crate::analysis::{
    CONFIGURED, LimitCheck, LimitState, Report, ScenarioReport, ScenarioState, Severity,
    ThresholdState, Verdict,
};
use crate::metric::Unit;
use crate::plan::{LoadPlan, MAX_USERS, PlannedScenario, ServerTarget};
use crate::record::request::LoadRequest;
use crate::scenario::{ScenarioId, ScenarioKind};
use crate::shell;
use request::{request_as_run, with_scenarios};

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
        Verdict::Inconclusive => repeat(report, format!("to repeat the run{}", why_not(report))),
    }
}

/// Whether the run was of the plan `default` as it is in the checkout, which has no cloud.
fn is_bare_default(report: &Report) -> bool {
    let plan = &report.plan;
    let has_no_selection = |request: &LoadRequest| {
        request.config.is_none() && request.cli.is_empty() && request.api.is_empty()
    };
    plan.name == "default"
        && matches!(plan.server, ServerTarget::Isolated { .. })
        && !plan.infrastructure.has_cloud_libraries()
        && report.request.as_ref().is_some_and(has_no_selection)
}

fn more_users(report: &Report) -> NextStep {
    let (ids, users) = with_most_users(&report.plan, &loaded(&report.plan));
    NextStep {
        // More users than `MAX_USERS` are a usage error.
        command: load(report, &ids, MAX_USERS.min(users.saturating_mul(2))),
        purpose: "to double the users".to_owned(),
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
        let (metric, unit) = (check.metric, check.metric.unit().name().to_uppercase());
        format!("; or raise the budget: --budget {metric}={unit}")
    })
}

fn after_failure(report: &Report) -> NextStep {
    const DETAILS: &str = "details: load.log, server.log.tail of the results";
    let plan = &report.plan;
    let is_breached = |id: ScenarioId| {
        report.thresholds.iter().any(|check| {
            let is_about_id = check.threshold.metric.scenario == id;
            is_about_id && check.state == ThresholdState::Breached
        })
    };
    let has_failed = |scenario: &&ScenarioReport| {
        scenario.state == ScenarioState::Failed || is_breached(scenario.id)
    };
    let failed = report.scenarios.iter().filter(has_failed).map(|scenario| scenario.id);
    let (probes, mut ids): (Vec<_>, Vec<_>) =
        failed.partition(|id| id.kind() == ScenarioKind::Probe);
    if ids.is_empty() && !probes.is_empty() {
        // If only the health probe failed, the cause is the load of all scenarios.
        ids = loaded(plan);
    }
    match with_most_users(plan, &ids) {
        // A failure that depends on the load may disappear with half the users.
        (ids, users) if users > 1 => NextStep {
            command: load(report, &ids, users / 2),
            purpose: format!("to check whether it also fails with half the users; {DETAILS}"),
        },
        (ids, 1) if probes.is_empty() => NextStep {
            command: load(report, &ids, 1),
            purpose: format!("to check whether it also fails alone; {DETAILS}"),
        },
        // The health probe during a load of single users, or setup or teardown.
        _ => repeat(report, format!("to check whether it fails again; {DETAILS}")),
    }
}

fn why_not(report: &Report) -> String {
    let doubts = report.messages(Severity::Inconclusive);
    doubts.first().map_or_else(String::new, |first| format!(": {first}"))
}

/// Scenarios of a plan that flags can select: all but the health probe.
fn loaded(plan: &LoadPlan) -> Vec<ScenarioId> {
    let ids = plan.scenarios.iter().map(|planned| planned.id);
    ids.filter(|id| id.kind() != ScenarioKind::Probe).collect()
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
