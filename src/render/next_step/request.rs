//! What was asked for, to be asked for again: as it was typed, or, of a run that did not
//! write that down, as far as its plan tells.

use std::path::Path;

use super::{common_users, loaded};
use crate::analysis::Report;
use crate::credentials;
use crate::infrastructure::Infrastructure;
use crate::plan::{LoadPlan, ServerTarget, SkySelection};
use crate::record::request::{LoadRequest, ServerVariable};
use crate::scenario::{Scenario, ScenarioId, ScenarioKind, Work};

/// What was asked for.
pub(super) fn original_request(report: &Report) -> LoadRequest {
    let request = match &report.request {
        Some(request) => request.clone(),
        None => of_plan(&report.plan),
    };
    // Reports are read by more people than should know a server's password.
    LoadRequest { server: request.server.map(|server| credentials::stripped(&server)), ..request }
}

/// What was asked for, with what skyload chose for this machine as plain flags: the same
/// load again, whatever the machine's speed then is.
pub(super) fn request_as_run(report: &Report) -> LoadRequest {
    let (request, plan) = (original_request(report), &report.plan);
    let request = match plan.fit {
        None => request,
        Some(fit) if fit.left_out.is_none() => {
            LoadRequest { fit: Some("off".to_owned()), ..request }
        }
        Some(_) => match common_users(plan, &loaded(plan)) {
            Some(users) => LoadRequest {
                users: Some(users.to_string()),
                iterations: Some("1".to_owned()),
                fit: None,
                ..request
            },
            // No number of users is that of all scenarios.
            None => request,
        },
    };
    let ramp = humantime::format_duration(plan.ramp).to_string();
    // A burst that nobody asked for was chosen for a machine of that speed.
    let is_chosen = plan.speed.is_some() && request.users.is_none();
    match plan.ramp.is_zero() && (plan.is_remote() || !is_chosen) {
        true => request,
        false => LoadRequest { ramp: Some(ramp), ..request },
    }
}

/// The same of some of the plan's scenarios, without the flags that would then be idle.
pub(super) fn with_scenarios(report: &Report, scenarios: &[ScenarioId]) -> LoadRequest {
    let mut request = original_request(report);
    if scenarios == loaded(&report.plan) {
        return request;
    }
    (request.cli, request.api) =
        (list(ScenarioKind::Cli, scenarios), list(ScenarioKind::Api, scenarios));
    let is_launched = |id: &ScenarioId| Scenario::of(*id).needs.takes_infrastructure();
    if report.plan.infrastructure == Infrastructure::Loopback && !scenarios.iter().any(is_launched)
    {
        request.infra.clear();
    }
    request.run_async &= scenarios.iter().any(|id| can_be_async(*id));
    request
}

fn can_be_async(id: ScenarioId) -> bool {
    matches!(&Scenario::of(id).work, Work::Cli(command) if command.can_be_async)
}

/// What leads to a plan like this one.
fn of_plan(plan: &LoadPlan) -> LoadRequest {
    let scenarios = loaded(plan);
    let is_isolated = matches!(plan.server, ServerTarget::Isolated { .. });
    let infra = match &plan.infrastructure {
        Infrastructure::Clouds(names) => names.clone(),
        Infrastructure::None | Infrastructure::Loopback => Vec::new(),
    };
    LoadRequest {
        users: common_users(plan, &scenarios).map(|users| users.to_string()),
        cli: list(ScenarioKind::Cli, &scenarios),
        api: list(ScenarioKind::Api, &scenarios),
        // An isolated server has no other way to a cloud.
        copy_credentials: is_isolated && !infra.is_empty(),
        infra,
        run_async: plan.run_async,
        sky: sky(plan),
        server: match &plan.server {
            ServerTarget::Isolated { .. } => None,
            ServerTarget::System => Some("system".to_owned()),
            ServerTarget::Remote(url) => Some(url.to_string()),
        },
        deploy: plan.server == ServerTarget::Isolated { deploy: true },
        plan: (plan.name != "default").then(|| plan.name.clone()),
        config: plan.config.clone(),
        server_profile: plan.server_profile.clone(),
        server_env: plan.server_env.iter().map(ServerVariable::to_arg).collect(),
        upstream_figures: plan.upstream_figures,
        keep_server: plan.keep_server,
        // Where the rest came from, a flag or a file, no plan says.
        ..LoadRequest::default()
    }
}

/// What `--sky` must be for this plan, where it must be anything.
fn sky(plan: &LoadPlan) -> Option<String> {
    match &plan.sky {
        sky if *sky == SkySelection::pinned() && plan.server != ServerTarget::System => None,
        SkySelection::Version(version) => Some(version.clone()),
        SkySelection::Nightly => Some("nightly".to_owned()),
        // The one on PATH is what a local server is loaded with anyway.
        SkySelection::Executable(path) if *path == Path::new("sky") => None,
        SkySelection::Executable(path) => Some(path.to_string_lossy().into_owned()),
    }
}

/// Scenarios as a flag of their kind names them.
fn list(kind: ScenarioKind, scenarios: &[ScenarioId]) -> Vec<String> {
    let chosen: Vec<String> =
        scenarios.iter().filter(|id| id.kind() == kind).map(|id| id.name().to_owned()).collect();
    match chosen.len() {
        0 => chosen,
        all if all == ScenarioId::of_kind(kind).count() => vec!["all".to_owned()],
        _ => chosen,
    }
}
