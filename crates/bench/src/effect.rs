//! Effect of profiling on a real server: windows with and without the profiler alternate,
//! with the same users in each.
//!
//! Latencies on a busy machine vary. Therefore the variation between windows *of the same
//! kind* is reported too: a difference smaller than that is not significant.

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
use crate::runtime::runtime;
use crate::statistics::{Micros, Spread};
use crate::watcher::{Observation, Watcher};

/// Pause before each window, so that requests of the last one do not run into the next.
const PAUSE: Duration = Duration::from_secs(1);

/// Time limit of an iteration.
const ITERATION_TIMEOUT: Duration = Duration::from_secs(60);

/// Latencies of all users in one window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Window {
    pub(crate) profiled: bool,
    pub(crate) health: Latencies,
    /// Latencies from the request to its result.
    pub(crate) status: Latencies,
    pub(crate) failed: u64,
}

/// Windows, and the overhead of the profiler in those with it.
#[derive(Debug)]
struct EffectMeasurement {
    sky: String,
    windows: Vec<Window>,
    observations: Vec<Observation>,
}

/// Effect of the first candidate on a real server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Effect {
    /// SkyPilot release of the server.
    pub(crate) sky: String,
    pub(crate) windows: Vec<Window>,
    #[serde(rename = "cpu-micros-per-tick")]
    pub(crate) cpu_micros_per_sample: Spread<Micros>,
}

impl Effect {
    fn of(measurement: EffectMeasurement) -> Result<Self> {
        let cpu: Option<Vec<Micros>> =
            measurement.observations.iter().map(Observation::micros_per_sample).collect();
        let cpu = cpu.as_deref().and_then(Spread::of);
        Ok(Self {
            sky: measurement.sky,
            windows: measurement.windows,
            cpu_micros_per_sample: cpu.context("the profiler took no sample of the server")?,
        })
    }
}

/// Measures the effect on the server that xtask started, and writes the result to its file.
pub(crate) fn run(flags: &EffectFlags) -> Result<()> {
    let signals = Signals::listen()?;
    let run = RunDir::open(&flags.common.directory)?;
    let plan: Plan = read_json(&files::plan(&run), "plan of the benchmark")?;
    let plan = plan.server.context("the plan skips the effect on a server")?;
    let measurement = measure(flags, plan, &run, &signals)?;
    Ok(write_json(&files::effect(&run), &Effect::of(measurement)?)?)
}

fn measure(
    flags: &EffectFlags,
    plan: ServerPlan,
    run: &RunDir,
    signals: &Signals,
) -> Result<EffectMeasurement> {
    let identity = ClientIdentity {
        user_id: run.id().new_user(),
        command: "skyload bench".to_owned(),
        variables: flags.client.variables.clone(),
        remote: false,
    };
    let endpoint = &flags.client.endpoint;
    let client = ApiClient::new(endpoint, &identity, None, &Credentials::None)?;
    let users = Users { client, names: names(run), count: plan.users };
    let step = Progress::new().step("Measuring the server with and without the profiler");
    step.update("warming up");
    // The first load starts the executors. Other startup work is over after the second.
    users.run(signals, plan.warm_up)?;
    let (warm, failure) = users.run(signals, plan.warm_up)?;
    ensure!(
        warm.status.count() > 0,
        "POST {}: no result within {} ({} failed{})",
        endpoint.join(status_call()?.path).context("building the URL")?,
        humantime::format_duration(plan.warm_up),
        warm.failed,
        failure.map_or_else(String::new, |failure| format!("; last error: {failure}"))
    );
    let (mut windows, mut observations) = (Vec::new(), Vec::new());
    for (number, profiled) in order(plan.pairs).into_iter().enumerate() {
        step.update(format!("window {} of {}", number + 1, plan.pairs * 2));
        let profiler = || Watcher::profiler(flags.profile.clone(), &flags.common.xtask);
        let watcher = profiled.then(profiler).transpose()?;
        signals.wait(PAUSE)?;
        let (window, _) = users.run(signals, plan.window)?;
        windows.push(Window { profiled, ..window });
        observations.extend(watcher.map(Watcher::finish).transpose()?);
    }
    step.done(format!("{} windows", windows.len()));
    Ok(EffectMeasurement { sky: flags.release.clone(), windows, observations })
}

/// Whether each window has the profiler. Every other pair has the reverse order, so that a
/// machine that becomes faster or slower favors neither kind.
fn order(pairs: u32) -> Vec<bool> {
    (0..pairs).flat_map(|pair| if pair % 2 == 0 { [false, true] } else { [true, false] }).collect()
}

/// Names for the status call, which uses no cluster or job of its own.
fn names(run: &RunDir) -> IterationNames {
    let shared = SharedNames::new(&run.id(), "none", 0);
    IterationNames { own: shared.cluster.clone(), shared: shared.into(), ..IterationNames::none() }
}

/// Concurrent users. Each requests the server's health, then the status of all clusters, in
/// a loop.
struct Users {
    client: ApiClient,
    names: IterationNames,
    count: u32,
}

impl Users {
    /// Runs all users for a window, and returns their latencies and the last error, if any.
    fn run(&self, signals: &Signals, window: Duration) -> Result<(Window, Option<String>)> {
        let call = status_call()?;
        let end = Instant::now() + window;
        let run = async {
            let mut users = JoinSet::new();
            for _ in 0..self.count {
                users.spawn(run_user(end, self.client.clone(), call, self.names.clone()));
            }
            users.join_all().await
        };
        let results = runtime()?.block_on(signals.unless_interrupted(run))?;
        let (mut sum, mut last) = (Window::default(), None);
        for (window, failure) in results {
            sum.health.add(&window.health);
            sum.status.add(&window.status);
            sum.failed += window.failed;
            last = failure.or(last);
        }
        Ok((sum, last))
    }
}

/// Runs iterations of one user until `end`.
async fn run_user(
    end: Instant,
    client: ApiClient,
    call: &Call,
    names: IterationNames,
) -> (Window, Option<String>) {
    let (mut window, mut last) = (Window::default(), None);
    while Instant::now() < end {
        let result =
            timeout(ITERATION_TIMEOUT, iteration(&client, call, &names, &mut window)).await;
        let failure = match result {
            Ok(Ok(())) => continue,
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => format!("no result within {}", humantime::format_duration(ITERATION_TIMEOUT)),
        };
        (window.failed, last) = (window.failed + 1, Some(failure));
        // Errors may come without delay, so do not retry in a busy loop.
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
    // A missing request id makes the next call fail with the server's error.
    let id = response.request_id.unwrap_or_default();
    client.get(call.step, &id).await?.result?;
    window.status.record(start.elapsed());
    Ok(())
}

/// Call of the scenario `api:status`.
fn status_call() -> Result<&'static Call> {
    let Work::Api(actions) = Scenario::of(ScenarioId::ApiStatus).work else {
        bail!("{} has no API calls", ScenarioId::ApiStatus);
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
    fn both_kinds_have_the_same_number_of_windows_and_alternate_in_being_first() {
        assert_eq!(order(3), [false, true, true, false, false, true]);
    }

    #[test]
    fn users_request_the_status_of_clusters() {
        assert_eq!(status_call().unwrap().path, "/status");
    }
}
