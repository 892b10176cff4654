//! Request of a run, as the base of the next command: the recorded one, or one that is derived
//! from the plan for a run without a recorded request.

use std::path::Path;

use super::{common_users, loaded};
use crate::analysis::Report;
use crate::credentials;
use crate::infrastructure::{Infrastructure, LocalInfra};
use crate::metric::Threshold;
use crate::plan::{LoadPlan, MetricsSource, ServerMetrics, ServerTarget, SkySelection};
use crate::record::request::{LoadRequest, ServerVariable};
use crate::scenario::{Scenario, ScenarioId, ScenarioKind, Work};

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
    match plan.ramp.is_zero() && (plan.is_remote() || !is_chosen) {
        true => request,
        false => LoadRequest { ramp: Some(ramp), ..request },
    }
}

/// Request for some of the plan's scenarios, without flags that would then be unused.
pub(super) fn with_scenarios(report: &Report, scenarios: &[ScenarioId]) -> LoadRequest {
    let mut request = original_request(report);
    if scenarios == loaded(&report.plan) {
        return request;
    }
    (request.cli, request.api) =
        (list(ScenarioKind::Cli, scenarios), list(ScenarioKind::Api, scenarios));
    let is_launched = |id: &ScenarioId| Scenario::of(*id).needs.takes_infrastructure();
    let only_launches = report.plan.infrastructure == Infrastructure::local(LocalInfra::Loopback);
    if only_launches && !scenarios.iter().any(is_launched) {
        request.infra.clear();
    }
    // A threshold of a scenario that does not run is a usage error.
    request.thresholds.retain(|text| is_about_any(text, scenarios));
    request.run_async &= scenarios.iter().any(|id| can_be_async(*id));
    request
}

/// Whether a threshold is of one of these scenarios, or of the health probe, which always runs.
fn is_about_any(threshold: &str, scenarios: &[ScenarioId]) -> bool {
    threshold.parse::<Threshold>().is_ok_and(|threshold| {
        let id = threshold.metric.scenario;
        id.kind() == ScenarioKind::Probe || scenarios.contains(&id)
    })
}

fn can_be_async(id: ScenarioId) -> bool {
    matches!(&Scenario::of(id).work, Work::Cli(command) if command.can_be_async)
}

/// Request that is resolved to a similar plan.
fn of_plan(plan: &LoadPlan) -> LoadRequest {
    let scenarios = loaded(plan);
    let is_isolated = matches!(plan.server, ServerTarget::Isolated { .. });
    let clouds = match &plan.infrastructure {
        Infrastructure::Clouds(names) => names.clone(),
        Infrastructure::None | Infrastructure::Local(_) => Vec::new(),
    };
    let local = plan.infrastructure.locals().map(|infra| infra.argument().to_owned());
    // The default needs no flag.
    let infra = match plan.infrastructure == Infrastructure::local(LocalInfra::Loopback) {
        true => Vec::new(),
        false => clouds.iter().cloned().chain(local).collect(),
    };
    LoadRequest {
        users: common_users(plan, &scenarios).map(|users| users.to_string()),
        cli: list(ScenarioKind::Cli, &scenarios),
        api: list(ScenarioKind::Api, &scenarios),
        // An isolated server can only use a cloud with copied credentials.
        copy_credentials: is_isolated && !clouds.is_empty(),
        infra,
        run_async: plan.run_async,
        sky: sky(plan),
        server: match &plan.server {
            ServerTarget::Isolated { .. } => None,
            ServerTarget::System => Some("system".to_owned()),
            ServerTarget::Remote(url) => Some(url.to_string()),
        },
        metrics: plan.server_metrics.as_ref().is_some_and(ServerMetrics::is_isolated),
        metrics_url: metrics_url(plan),
        deploy: plan.server == ServerTarget::Isolated { deploy: true },
        plan: (plan.name != "default").then(|| plan.name.clone()),
        config: plan.config.clone(),
        server_profile: plan.server_profile.clone(),
        server_env: plan.server_env.iter().map(ServerVariable::to_arg).collect(),
        upstream_figures: plan.upstream_figures,
        keep_server: plan.keep_server,
        // For the rest, a plan does not tell whether it came from a flag or a file.
        ..LoadRequest::default()
    }
}

/// Value of `--metrics-url` for a plan; `None` without one.
fn metrics_url(plan: &LoadPlan) -> Option<String> {
    match &plan.server_metrics.as_ref()?.source {
        MetricsSource::Isolated => None,
        MetricsSource::Url(url) => Some(url.to_string()),
    }
}

/// Value of `--sky` for a plan; `None` if it is the default.
fn sky(plan: &LoadPlan) -> Option<String> {
    match &plan.sky {
        sky if *sky == SkySelection::pinned() && plan.server != ServerTarget::System => None,
        SkySelection::Version(version) => Some(version.clone()),
        SkySelection::Nightly => Some("nightly".to_owned()),
        // `sky` on PATH is the default for a local server.
        SkySelection::Executable(path) if *path == Path::new("sky") => None,
        SkySelection::Executable(path) => Some(path.to_string_lossy().into_owned()),
    }
}

/// Values for the flag that selects scenarios of `kind`.
fn list(kind: ScenarioKind, scenarios: &[ScenarioId]) -> Vec<String> {
    let chosen: Vec<String> =
        scenarios.iter().filter(|id| id.kind() == kind).map(|id| id.name().to_owned()).collect();
    match chosen.len() {
        0 => chosen,
        all if all == ScenarioId::of_kind(kind).count() => vec!["all".to_owned()],
        _ => chosen,
    }
}
