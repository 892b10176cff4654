//! The one command to type after a run, for the end of every report.

mod request;

use serde::{Deserialize, Serialize};

use crate::analysis::{
    CONFIGURED, LimitCheck, LimitState, Report, ScenarioReport, ScenarioState, Severity, Verdict,
};
use crate::metric::{Metric, Unit};
use crate::plan::{LoadPlan, MAX_USERS};
use crate::record::request::LoadRequest;
use crate::scenario::{Scenario, ScenarioId, ScenarioKind};
use crate::shell;
use request::{request_as_run, with_scenarios};

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NextStep {
    /// The command, as it is typed in the checkout.
    pub command: String,
    /// What it is for: the end of a sentence.
    pub purpose: String,
}

/// What to do after a run of which this is the report.
pub fn next_step(report: &Report) -> NextStep {
    let plan = &report.plan;
    match report.verdict {
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

fn more_users(report: &Report) -> NextStep {
    let (ids, users) = with_most_users(&report.plan, &loaded(&report.plan));
    NextStep {
        command: load(report, &ids, MAX_USERS.min(users.saturating_mul(2))),
        purpose: "to double the users".to_owned(),
    }
}

/// What leads to constants: `recommend`, or what it asks for where it refuses this run;
/// `None` where nothing is known to lead there. It wants to know the constants of the very
/// SkyPilot that the server was.
fn recommend(report: &Report, purpose: &str) -> Option<NextStep> {
    let environment = report.environment.as_ref()?;
    let Some(skew) = environment.skew() else {
        return Some(NextStep {
            command: format!("cargo xtask recommend {}", shell::word(&report.name)),
            purpose: purpose.to_owned(),
        });
    };
    let version = &environment.server.version;
    // Of another commit of the same version, and of a checkout, nobody can be had.
    let can_be_had = *version != environment.sky.version
        && version.chars().all(|c| c.is_ascii_digit() || c == '.');
    let request = || LoadRequest { sky: Some(version.clone()), ..request_as_run(report) };
    can_be_had.then(|| NextStep {
        command: request().command(),
        purpose: format!("{purpose}, once they are the server's: {skew}"),
    })
}

fn after_breach(report: &Report) -> NextStep {
    // Constants are about memory, and what cannot be trusted says nothing of them.
    let takes_memory =
        |check: &LimitCheck| check.state == LimitState::Over && check.metric.unit() == Unit::Size;
    match report.doubts().first() {
        Some(doubt) => repeat(report, format!("to measure the rest: {doubt}")),
        None => {
            let purpose = format!("to get the constants that these peaks need{}", or_raise(report));
            let constants =
                report.budgets.iter().any(takes_memory).then(|| recommend(report, &purpose));
            constants.flatten().unwrap_or_else(|| {
                repeat(report, format!("to check whether it happens again{}", or_raise(report)))
            })
        }
    }
}

/// The same load again.
fn repeat(report: &Report, purpose: String) -> NextStep {
    NextStep { command: request_as_run(report).command(), purpose }
}

/// The load of these scenarios alone, with so many users each.
fn load(report: &Report, scenarios: &[ScenarioId], users: u32) -> String {
    let request = with_scenarios(report, scenarios);
    // A number of users alone asks for a burst.
    let ramp = (!report.plan.ramp.is_zero()).then(|| "auto".to_owned());
    let ramp = request.ramp.clone().or(ramp);
    // Nor is a number that is asked for made smaller.
    let request = LoadRequest { ramp, fit: None, ..request };
    LoadRequest { users: Some(users.to_string()), ..request }.command()
}

/// A budget that somebody set can be set higher; SkyPilot's own constants are what
/// `recommend` is about, and sums have no constant at all.
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
    const LOOK: &str = "details: load.log, server.log.tail";
    let plan = &report.plan;
    let is_breached = |id: ScenarioId| {
        report.thresholds.iter().any(|check| {
            let is_of_it = matches!(check.metric, Metric::Scenario(scenario, _) if scenario == id);
            is_of_it && check.state == LimitState::Over
        })
    };
    let has_failed = |scenario: &&ScenarioReport| {
        scenario.state == ScenarioState::Failed || is_breached(scenario.id)
    };
    let failed = report.scenarios.iter().filter(has_failed).map(|scenario| scenario.id);
    let (probes, mut ids): (Vec<_>, Vec<_>) =
        failed.partition(|id| id.kind() == ScenarioKind::Probe);
    if ids.is_empty() && !probes.is_empty() {
        // It waits behind what all others ask for.
        ids = loaded(plan);
    }
    match with_most_users(plan, &ids) {
        (ids, users) if users > 1 => NextStep {
            command: load(report, &ids, users / 2),
            purpose: format!("to check whether it also fails with half the users; {LOOK}"),
        },
        (ids, 1) if probes.is_empty() => NextStep {
            command: load(report, &ids, 1),
            purpose: format!("to check whether it also fails alone; {LOOK}"),
        },
        // The health probe beside single users, what was shared, or the teardown.
        _ => repeat(report, format!("to check whether it fails again; {LOOK}")),
    }
}

fn why_not(report: &Report) -> String {
    let doubts = report.messages(Severity::Inconclusive);
    doubts.first().map_or_else(String::new, |first| format!(": {first}"))
}

/// The scenarios of a plan that somebody can choose.
fn loaded(plan: &LoadPlan) -> Vec<ScenarioId> {
    let ids = plan.scenarios.iter().map(|planned| planned.id);
    ids.filter(|id| id.kind() != ScenarioKind::Probe).collect()
}

/// Those of these scenarios that have the most users, and how many: `-n` is one number for
/// all that a command names.
fn with_most_users(plan: &LoadPlan, ids: &[ScenarioId]) -> (Vec<ScenarioId>, u32) {
    let users = users_of(plan, ids);
    let most = users.iter().map(|(_, users)| *users).max().unwrap_or_default();
    let with_most = users.into_iter().filter(|(_, users)| *users == most);
    (with_most.map(|(id, _)| id).collect(), most)
}

/// The number of users of these scenarios, where it is the same: only then is it one
/// that `-n` can give.
fn common_users(plan: &LoadPlan, ids: &[ScenarioId]) -> Option<u32> {
    let (with_most, users) = with_most_users(plan, ids);
    (with_most.len() == ids.len() && users > 0).then_some(users)
}

/// The users of these scenarios as `-n` counts them: of each infrastructure.
fn users_of(plan: &LoadPlan, ids: &[ScenarioId]) -> Vec<(ScenarioId, u32)> {
    let infras = |id| match Scenario::of(id).needs.takes_infrastructure() {
        true => plan.infrastructure.count().max(1),
        false => 1,
    };
    let planned = plan.scenarios.iter().filter(|planned| ids.contains(&planned.id));
    planned.map(|planned| (planned.id, planned.users / infras(planned.id))).collect()
}
