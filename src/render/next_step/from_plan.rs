//! Request that is derived from the plan of a run without a recorded request.

use std::path::Path;

use super::{common_users, loaded};
use crate::infrastructure::{Infrastructure, LocalInfra};
use crate::plan::{
    Dependencies, LoadPlan, MetricsSource, PlannedScenario, ServerMetrics, ServerTarget,
    SkySelection, default_in_flight,
};
use crate::record::request::{LoadRequest, ServerVariable};
use crate::scenario::{Mix, ScenarioId, ScenarioKind};
use crate::shape::{Model, Pause, StageList, Timed};

/// Request that is resolved to a similar plan.
pub(super) fn of_plan(plan: &LoadPlan) -> LoadRequest {
    let scenarios = loaded(plan);
    let launches = plan.scenario(ScenarioId::ApiLaunchCancel);
    let cancellations = launches.and_then(|planned| planned.cancellations.as_ref());
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
        cli: list(ScenarioKind::Cli, &scenarios),
        api: list(ScenarioKind::Api, &scenarios),
        mix: mix(plan),
        cancel_after: cancellations.map(|it| it.cancel_after.to_string()),
        probe_every: cancellations.map(|it| it.probe_every.to_string()),
        stuck_after: cancellations.map(|it| humantime::format_duration(it.stuck_after).to_string()),
        hold: held(plan),
        // An isolated server can only use a cloud with copied credentials.
        copy_credentials: is_isolated && !clouds.is_empty(),
        infra,
        script: plan.script.as_ref().map(|script| script.path.clone()),
        script_timeout: plan
            .script
            .as_ref()
            .map(|script| humantime::format_duration(script.timeout).to_string()),
        run_async: plan.run_async,
        distinct_users: plan.distinct_users
            && scenarios.iter().any(|id| id.kind() == ScenarioKind::Api),
        sky: sky(plan),
        dependencies_as_of: match &plan.dependencies {
            Dependencies::OwnDate => None,
            Dependencies::At(date) => Some(date.to_string()),
        },
        server: match &plan.server {
            ServerTarget::Isolated { .. } => None,
            ServerTarget::System => Some("system".to_owned()),
            ServerTarget::Remote(url) => Some(url.to_string()),
        },
        metrics: plan.server_metrics.as_ref().is_some_and(ServerMetrics::is_isolated),
        metrics_url: metrics_url(plan),
        size: plan.size.map(|size| size.typed()),
        workers: (!plan.workers.is_none()).then(|| plan.workers.to_string()),
        // A size implies deploy mode.
        deploy: plan.size.is_none() && plan.server == ServerTarget::Isolated { deploy: true },
        local: plan.size.is_some() && plan.server == ServerTarget::Isolated { deploy: false },
        plan: (plan.name != "default").then(|| plan.name.clone()),
        config: plan.config.clone(),
        server_profile: plan.server_profile.clone(),
        server_env: plan.server_env.iter().map(ServerVariable::to_arg).collect(),
        upstream_figures: plan.upstream_figures,
        keep_server: plan.keep_server,
        seed: plan.draws().then(|| plan.seed.to_string()),
        // Flags cannot express `abort`, so a threshold with it is from the file.
        thresholds: plan
            .thresholds
            .iter()
            .filter(|threshold| threshold.abort.is_none())
            .map(ToString::to_string)
            .collect(),
        // For the rest, a plan does not tell whether it came from a flag or a file.
        ..common_shape(plan, &scenarios)
    }
}

/// Values for the flag that selects scenarios of `kind`.
pub(super) fn list(kind: ScenarioKind, scenarios: &[ScenarioId]) -> Vec<String> {
    let of_kind = || scenarios.iter().filter(|id| id.kind() == kind && id.is_listed());
    let chosen: Vec<String> = of_kind().map(|id| id.name().to_owned()).collect();
    let all = ScenarioId::of_kind(kind).filter(|id| id.is_in_all());
    let is_all = all.eq(of_kind().copied());
    match chosen.len() {
        0 => chosen,
        _ if is_all => vec!["all".to_owned()],
        _ => chosen,
    }
}

/// Value of `--mix` for a plan; `None` without a mix.
pub(super) fn mix(plan: &LoadPlan) -> Option<String> {
    let planned = plan.scenario(ScenarioId::ApiMix)?;
    planned.mix.as_ref().map(Mix::to_string)
}

/// Values for the flag that selects connections, with their numbers as it counts them: per infra.
pub(super) fn held(plan: &LoadPlan) -> Vec<String> {
    let planned = plan.scenarios.iter().filter(|planned| planned.id.kind() == ScenarioKind::Hold);
    let text = |planned: &PlannedScenario| {
        let infras = u32::try_from(planned.infras.len()).unwrap_or(u32::MAX).max(1);
        format!("{}={}", planned.id.name(), planned.users / infras)
    };
    planned.map(text).collect()
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
        // `sky` on PATH is the default for a local server.
        SkySelection::Executable(path) if *path == Path::new("sky") => None,
        other => Some(other.to_string()),
    }
}

/// Flags of the shape that these scenarios share. None if their shapes differ: then the plan's
/// settings are from a file, which the command names.
fn common_shape(plan: &LoadPlan, ids: &[ScenarioId]) -> LoadRequest {
    let planned = || plan.scenarios.iter().filter(|planned| ids.contains(&planned.id));
    let text = |number: u32| number.to_string();
    let only_held = plan.scenarios.iter().find(|one| one.id.kind() == ScenarioKind::Hold);
    if ids.is_empty()
        && let Some(timed) = only_held.and_then(|held| held.shape.timed())
    {
        let time = Some(humantime::format_duration(timed.total()).to_string());
        return LoadRequest { time, ..LoadRequest::default() };
    }
    if planned().all(|one| one.shape.timed().is_none()) {
        return LoadRequest {
            users: common_users(plan, ids).map(text),
            iterations: common(planned().filter_map(|one| one.shape.iterations())).map(text),
            ..LoadRequest::default()
        };
    }
    let Some(Some(timed)) = common(planned().map(typed)) else { return LoadRequest::default() };
    let time = |time| Some(humantime::format_duration(time).to_string());
    let (stages, pause, is_open) = match timed.model {
        Model::Users { stages, pause } => (StageList::Users(stages), pause, false),
        Model::Arrivals { stages } => (StageList::Rates(stages), Pause::default(), true),
    };
    // The default takes the memory that is left; a number is what a scenario wants.
    let default = default_in_flight(plan.server.is_on_another_machine());
    let max_in_flight =
        common(planned().map(|one| one.users)).filter(|most| is_open && *most != default);
    LoadRequest {
        stages: Some(stages.to_string()),
        pause: (!pause.is_none()).then(|| pause.to_string()),
        max_in_flight: max_in_flight.map(text),
        warm_up: time(timed.warm_up).filter(|_| !timed.warm_up.is_zero()),
        graceful_stop: time(timed.graceful_stop),
        ..LoadRequest::default()
    }
}

/// Load of a scenario that lasts for a time, with users as flags count them: per infra.
fn typed(planned: &PlannedScenario) -> Option<Timed> {
    let mut timed = planned.shape.timed()?.clone();
    let infras = u32::try_from(planned.infras.len()).unwrap_or(u32::MAX).max(1);
    if let Model::Users { stages, .. } = &mut timed.model {
        stages.iter_mut().for_each(|stage| stage.level /= infras);
    }
    Some(timed)
}

/// Value that all have; `None` if they differ, or without any.
fn common<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}
