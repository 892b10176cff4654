//! Request of a run, as the base of the next command: the recorded one, or one that is derived
//! from the plan for a run without a recorded request.

use super::from_plan::{held, list, mix, of_plan};
use super::{common_users, loaded};
use crate::analysis::Report;
use crate::credentials;
use crate::infrastructure::{Infrastructure, LocalInfra};
use crate::metric::Threshold;
use crate::plan::{LoadPlan, PlannedScenario};
use crate::record::request::LoadRequest;
use crate::scenario::{Scenario, ScenarioId, ScenarioKind};
use crate::shape::LoadShape;

/// Request of the run, without the login of the server's URL.
pub(super) fn original_request(report: &Report) -> LoadRequest {
    let request = match &report.request {
        Some(request) => request.clone(),
        None => of_plan(&report.plan),
    };
    // Reports are shared with people who must not see the server's password.
    let stripped = |url: Option<String>| url.map(|url| credentials::stripped(&url));
    let (server, metrics_url) = (stripped(request.server), stripped(request.metrics_url));
    LoadRequest { server, metrics_url, ..request }
}

/// Request for the same load again, whatever the machine's speed is then: ramp and fit that
/// skyload chose are written as flags.
pub(super) fn request_as_run(report: &Report) -> LoadRequest {
    let (request, plan) = (original_request(report), &report.plan);
    let request = match plan.fit {
        None => request,
        Some(fit) if fit.left_out.is_none() => {
            LoadRequest { fit: Some("off".to_owned()), ..request }
        }
        Some(_) => match common_users(plan, &loaded(plan)) {
            // `--iterations` would make a burst of a load that lasts for a time.
            _ if any_shape(plan, &loaded(plan), |shape| shape.timed().is_some()) => request,
            Some(users) => LoadRequest {
                users: Some(users.to_string()),
                // Iterations are reduced before users, so each user has a single one.
                iterations: Some("1".to_owned()),
                fit: None,
                ..request
            },
            // `-n` cannot express users that differ by scenario.
            None => request,
        },
    };
    let ramp = humantime::format_duration(plan.ramp).to_string();
    // Without `-n`, a burst was chosen for the machine's speed.
    let is_chosen = plan.speed.is_some() && request.users.is_none();
    let is_default = plan.ramp.is_zero() && (plan.is_remote() || !is_chosen);
    match is_default || !is_any_ramped(plan, &loaded(plan)) {
        true => request,
        false => LoadRequest { ramp: Some(ramp), ..request },
    }
}

/// Whether any of these scenarios of a plan has a shape with this property.
fn any_shape(plan: &LoadPlan, ids: &[ScenarioId], has: impl Fn(&LoadShape) -> bool) -> bool {
    plan.scenarios.iter().any(|planned| ids.contains(&planned.id) && has(&planned.shape))
}

/// Whether any of these scenarios of a plan is ramped, or connections that go on beside them.
fn is_any_ramped(plan: &LoadPlan, ids: &[ScenarioId]) -> bool {
    let held = plan.scenarios.iter().filter(|planned| planned.id.kind() == ScenarioKind::Hold);
    let ids: Vec<ScenarioId> = ids.iter().copied().chain(held.map(|planned| planned.id)).collect();
    any_shape(plan, &ids, LoadShape::is_ramped)
}

/// Request for some of the plan's scenarios, without flags that would then be unused.
pub(super) fn with_scenarios(report: &Report, scenarios: &[ScenarioId]) -> LoadRequest {
    let mut request = original_request(report);
    if scenarios == loaded(&report.plan) {
        return request;
    }
    (request.cli, request.api) =
        (list(ScenarioKind::Cli, scenarios), list(ScenarioKind::Api, scenarios));
    let script = report.plan.script.as_ref().filter(|_| scenarios.contains(&ScenarioId::CliScript));
    request.script = script.map(|script| script.path.clone());
    request.script_timeout = request.script_timeout.filter(|_| script.is_some());
    request.mix = mix(&report.plan).filter(|_| scenarios.contains(&ScenarioId::ApiMix));
    if !scenarios.contains(&ScenarioId::ApiLaunchCancel) {
        (request.cancel_after, request.probe_every, request.stuck_after) = (None, None, None);
    }
    if request.hold.is_empty() {
        // Flags that name scenarios leave the plan's connections out.
        request.hold = held(&report.plan);
    }
    // Held connections go on beside any of the scenarios.
    let launches = |planned: &PlannedScenario| {
        let is_run = scenarios.contains(&planned.id) || planned.id.kind() == ScenarioKind::Hold;
        is_run && planned.takes_infrastructure()
    };
    let only_launches = report.plan.infrastructure == Infrastructure::local(LocalInfra::Loopback);
    if only_launches && !report.plan.scenarios.iter().any(launches) {
        request.infra.clear();
    }
    // A threshold of a scenario that does not run is a usage error.
    request.thresholds.retain(|text| is_about_any(text, scenarios));
    request.distinct_users &= scenarios.iter().any(|id| id.kind() == ScenarioKind::Api);
    request.run_async &= scenarios.iter().any(|id| Scenario::of(*id).can_be_async());
    with_used_shape(request, &report.plan, scenarios)
}

/// Request without the flags of a shape that none of the scenarios has.
fn with_used_shape(request: LoadRequest, plan: &LoadPlan, scenarios: &[ScenarioId]) -> LoadRequest {
    let any = |has: fn(&LoadShape) -> bool| any_shape(plan, scenarios, has);
    let if_any = |flag: Option<String>, has| flag.filter(|_| any(has));
    let is_timed: fn(&LoadShape) -> bool = |shape| shape.timed().is_some();
    LoadRequest {
        users: if_any(request.users, |shape| !shape.is_open()),
        pause: if_any(request.pause, |shape| shape.timed().is_some() && !shape.is_open()),
        max_in_flight: if_any(request.max_in_flight, LoadShape::is_open),
        warm_up: if_any(request.warm_up, is_timed),
        graceful_stop: if_any(request.graceful_stop, is_timed),
        ramp: request.ramp.filter(|_| is_any_ramped(plan, scenarios)),
        ..request
    }
}

/// Whether a threshold is of one of these scenarios, or of one that accompanies any load.
fn is_about_any(threshold: &str, scenarios: &[ScenarioId]) -> bool {
    threshold.parse::<Threshold>().is_ok_and(|threshold| {
        // The server is there in any case.
        let Some(id) = threshold.metric.scenario() else { return true };
        id.kind().accompanies_load() || scenarios.contains(&id)
    })
}
