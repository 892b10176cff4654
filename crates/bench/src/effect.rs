//! The effect of profiling on a real server: windows with and without the
//! profiler alternately, the same users in each.
//!
//! Latencies of a busy machine wander. How far apart windows *of the same kind* lie
//! is therefore said beside the ratio: a difference below that is none.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use host::progress::Progress;
use host::signals::Signals;
use serde::{Deserialize, Serialize};
use skyload::api::{ApiClient, ClientIdentity, HealthPolicy};
use skyload::credentials::Credentials;
use skyload::record::outcome::{Failure, Latencies};
use skyload::record::{RunDir, read_json, write_json};
use skyload::scenario::{Action, Call, IterationNames, Scenario, ScenarioId, SharedNames, Work};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::files;
use crate::flags::EffectFlags;
use crate::plan::{Plan, ServerPlan};
use crate::statistics::{Micros, Spread};
use crate::watcher::{Watched, Watcher};

/// The time between two windows: what one leaves must not run into the next.
const BETWEEN: Duration = Duration::from_secs(1);

/// A result that has not come by then has failed.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// One window, as the users saw it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Window {
    pub(crate) profiled: bool,
    pub(crate) health: Latencies,
    /// From the request to its result.
    pub(crate) status: Latencies,
    pub(crate) failed: u64,
}

/// All windows, and what the profiler cost meanwhile.
#[derive(Debug)]
struct Observed {
    sky: String,
    windows: Vec<Window>,
    watched: Vec<Watched>,
}

/// The effect of the first candidate on a real server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Effect {
    /// The release of SkyPilot.
    pub(crate) sky: String,
    pub(crate) windows: Vec<Window>,
    pub(crate) cpu_micros_per_tick: Spread<Micros>,
}

impl Effect {
    fn of(observed: Observed) -> Result<Self> {
        let cpu: Option<Vec<Micros>> =
            observed.watched.iter().map(Watched::micros_per_tick).collect();
        let cpu = cpu.as_deref().and_then(Spread::of);
        Ok(Self {
            sky: observed.sky,
            windows: observed.windows,
            cpu_micros_per_tick: cpu.context("the profiler took no tick beside the server")?,
        })
    }
}

/// Measures the effect on the server that was started for it, and writes it down.
pub(crate) fn run(flags: &EffectFlags) -> Result<()> {
    let signals = Signals::listen()?;
    let run = RunDir::open(&flags.common.directory)?;
    let plan: Plan = read_json(&files::plan(&run), "plan of the benchmark")?;
    let plan = plan.server.context("the plan leaves out the effect on a server")?;
    let observed = observe(flags, plan, &run, &signals)?;
    Ok(write_json(&files::effect(&run), &Effect::of(observed)?)?)
}

fn observe(
    flags: &EffectFlags,
    plan: ServerPlan,
    run: &RunDir,
    signals: &Signals,
) -> Result<Observed> {
    let identity = ClientIdentity {
        user_id: run.id().new_user(),
        command: "skyload bench".to_owned(),
        variables: flags.client.variables.clone(),
        remote: false,
    };
    let endpoint = &flags.client.endpoint;
    let client = ApiClient::new(endpoint, &identity, None, &Credentials::None)?;
    let users = Users { client, names: names(run), count: plan.users };
    let step = Progress::new().step("The server with and without the profiler");
    step.update("warming up");
    // The first answers come when executors have been started for them; what else
    // starts then is over in the second window.
    users.ask(signals, plan.warm_up)?;
    let (warm, failure) = users.ask(signals, plan.warm_up)?;
    ensure!(
        warm.status.count() > 0,
        "asking {} for all clusters: no answer within {} ({} failed{})",
        endpoint.join(status_call()?.path).context("composing the address")?,
        humantime::format_duration(plan.warm_up),
        warm.failed,
        failure.map_or_else(String::new, |failure| format!("; last: {failure}"))
    );
    let (mut windows, mut watched) = (Vec::new(), Vec::new());
    for (number, profiled) in order(plan.pairs).into_iter().enumerate() {
        step.update(format!("window {} of {}", number + 1, plan.pairs * 2));
        let profiler = || Watcher::profiler(flags.profile.clone(), &flags.common.xtask);
        let watcher = profiled.then(profiler).transpose()?;
        signals.wait(BETWEEN)?;
        let (asked, _) = users.ask(signals, plan.window)?;
        windows.push(Window { profiled, ..asked });
        watched.extend(watcher.map(Watcher::finish).transpose()?);
    }
    step.done(format!("{} windows", windows.len()));
    Ok(Observed { sky: flags.release.clone(), windows, watched })
}

/// Whether each window is profiled. The pairs begin with either kind alternately, so
/// that neither gets the better of a machine that warms up or tires.
fn order(pairs: u32) -> Vec<bool> {
    (0..pairs).flat_map(|pair| if pair % 2 == 0 { [false, true] } else { [true, false] }).collect()
}

/// What a request for clusters has to name: nothing of its own.
fn names(run: &RunDir) -> IterationNames {
    let shared = SharedNames::new(&run.id(), "none", 0);
    IterationNames { own: shared.cluster.clone(), shared, ..IterationNames::none() }
}

/// Users who each ask for the server's health and for all clusters, again and again.
struct Users {
    client: ApiClient,
    names: IterationNames,
    count: u32,
}

impl Users {
    /// What they saw, and how the last request failed that did.
    fn ask(&self, signals: &Signals, window: Duration) -> Result<(Window, Option<String>)> {
        let call = status_call()?;
        let end = Instant::now() + window;
        let ask = async {
            let mut users = JoinSet::new();
            for _ in 0..self.count {
                users.spawn(ask_until(end, self.client.clone(), call, self.names.clone()));
            }
            users.join_all().await
        };
        let asked = runtime()?.block_on(signals.unless_interrupted(ask))?;
        let (mut sum, mut last) = (Window::default(), None);
        for (window, failure) in asked {
            sum.health.add(&window.health);
            sum.status.add(&window.status);
            sum.failed += window.failed;
            last = failure.or(last);
        }
        Ok((sum, last))
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting an async runtime")
}

/// One user, who asks again until the end.
async fn ask_until(
    end: Instant,
    client: ApiClient,
    call: &Call,
    names: IterationNames,
) -> (Window, Option<String>) {
    let (mut window, mut last) = (Window::default(), None);
    while Instant::now() < end {
        let asked = timeout(ANSWER_WITHIN, iteration(&client, call, &names, &mut window)).await;
        let failure = match asked {
            Ok(Ok(())) => continue,
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => format!("no result within {}", humantime::format_duration(ANSWER_WITHIN)),
        };
        (window.failed, last) = (window.failed + 1, Some(failure));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (window, last)
}

async fn iteration(
    client: &ApiClient,
    call: &Call,
    names: &IterationNames,
    window: &mut Window,
) -> Result<(), Failure> {
    let start = Instant::now();
    client.health(HealthPolicy::PROBE).await?;
    window.health.record(start.elapsed());
    let start = Instant::now();
    let response = client.send(call, names).await?;
    // Without an id there is no result to be had, which the server then says.
    let id = response.request_id.unwrap_or_default();
    client.get(call.step, &id).await?.result?;
    window.status.record(start.elapsed());
    Ok(())
}

/// The request that `api:status` makes.
fn status_call() -> Result<&'static Call> {
    let Work::Api(actions) = Scenario::of(ScenarioId::ApiStatus).work else {
        bail!("{} makes no requests", ScenarioId::ApiStatus);
    };
    let submitted = actions.iter().find_map(|action| match action {
        Action::Submit(call) => Some(*call),
        _ => None,
    });
    submitted.with_context(|| format!("{} submits no request", ScenarioId::ApiStatus))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_have_as_many_windows_and_neither_always_comes_first() {
        assert_eq!(order(3), [false, true, true, false, false, true]);
    }

    #[test]
    fn users_ask_for_the_status_of_clusters() {
        assert_eq!(status_call().unwrap().path, "/status");
    }
}
