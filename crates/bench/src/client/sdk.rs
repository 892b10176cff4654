//! SkyPilot's Python SDK against skyload, on a real server: the same users, each of which
//! requests the status of all clusters in a loop.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use host::progress::Progress;
use host::signals::Signals;
use serde::{Deserialize, Serialize};
use skyload::env;
use skyload::record::environment::{ClientSettings, Inherited};
use skyload::record::request::LoadRequest;
use skyload::record::{RunDir, write_json};
use skyload::units;

use super::measured::{self, ProcessCost};
use super::plan::{ClientPlan, SdkPlan, in_order};
use super::scenario::Target;
use crate::files;
use crate::flags::SdkFlags;
use crate::statistics::Micros;

const SDK_LOOP: &str = include_str!("sdk_loop.py");

/// Result of all measurements on the real server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SdkComparison {
    /// SkyPilot version of the server and of the SDK.
    pub(crate) sky: String,
    pub(crate) measurements: Vec<SdkMeasurement>,
}

/// Iterations of one load, and what they cost the client.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SdkMeasurement {
    pub(crate) round: u32,
    pub(crate) client: SdkClient,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    /// CPU time before the first iteration, in seconds: the SDK's import. Zero for skyload, whose
    /// start-up counts as work.
    #[serde(with = "units::seconds")]
    pub(crate) start_up: Duration,
    pub(crate) cost: ProcessCost,
}

/// Client of the real server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SdkClient {
    /// Scenario `api:status` of skyload.
    Skyload,
    /// Threads that call the SDK.
    Sdk,
}

impl SdkMeasurement {
    /// CPU time per iteration, without the start-up of the SDK.
    pub(crate) fn micros_per_iteration(&self) -> Option<Micros> {
        let cpu = self.cost.cpu.saturating_sub(self.start_up);
        Micros::each(cpu, self.succeeded + self.failed)
    }
}

/// Result of `sdk_loop.py`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LoopResult {
    succeeded: u64,
    failed: u64,
    error: Option<String>,
    #[serde(with = "units::seconds")]
    start_up: Duration,
}

/// Measures both on the server that xtask started, and writes the result to its file.
pub(crate) fn run(flags: &SdkFlags) -> Result<()> {
    let _signals = Signals::listen()?;
    let run = RunDir::open(&flags.directory)?;
    let plan = ClientPlan::resolve(&flags.plan).sdk.context("the plan skips the SDK")?;
    let target = Target::find(flags.client.clone())?;
    let step = Progress::new().step("Measuring SkyPilot's SDK and skyload on a server");
    step.update("warming up");
    // The first load starts the executors. Other start-up work is over after the second.
    run_skyload(&plan, plan.warm_up, &target)?;
    run_skyload(&plan, plan.warm_up, &target)?;
    let mut measurements = Vec::new();
    for round in 0..plan.rounds {
        for client in in_order(round, vec![SdkClient::Skyload, SdkClient::Sdk]) {
            step.update(format!("round {} of {}", round + 1, plan.rounds));
            let measured = match client {
                SdkClient::Skyload => run_skyload(&plan, plan.window, &target),
                SdkClient::Sdk => run_sdk(&plan, &flags.python, &target),
            };
            measurements.push(SdkMeasurement { round, ..measured? });
        }
    }
    step.done(format!("{} measurements", measurements.len()));
    let result = SdkComparison { sky: target.version().to_owned(), measurements };
    Ok(write_json(&files::sdk(&run), &result)?)
}

fn run_skyload(plan: &SdkPlan, time: Duration, target: &Target) -> Result<SdkMeasurement> {
    let finished = target.run(LoadRequest {
        users: Some(plan.users.to_string()),
        time: Some(humantime::format_duration(time).to_string()),
        // The threads with the SDK wait for their last iteration as well.
        graceful_stop: Some("5m".to_owned()),
        api: vec!["status".to_owned()],
        ..LoadRequest::default()
    })?;
    let finished = finished.expect_success()?;
    let failed = finished.failed();
    Ok(SdkMeasurement {
        round: 0,
        client: SdkClient::Skyload,
        succeeded: finished.succeeded(),
        failed,
        start_up: Duration::ZERO,
        cost: finished.cost,
    })
}

fn run_sdk(plan: &SdkPlan, python: &Path, target: &Target) -> Result<SdkMeasurement> {
    let mut command = measured::command(python);
    inherit(&mut command, target.client());
    command.args(["-c", SDK_LOOP, &plan.users.to_string()]);
    command.arg(plan.window.as_secs_f64().to_string());
    let measured = measured::run(command).context("running SkyPilot's SDK")?;
    let result = measured.output.lines().last().unwrap_or_default();
    let LoopResult { succeeded, failed, error, start_up } =
        serde_json::from_str(result).context("reading the result of SkyPilot's SDK")?;
    let error = error.unwrap_or_else(|| "none ended".to_owned());
    ensure!(succeeded > 0, "SkyPilot's SDK: no iteration succeeded: {error}");
    let cost = measured.cost;
    Ok(SdkMeasurement { round: 0, client: SdkClient::Sdk, succeeded, failed, start_up, cost })
}

/// Gives a command the variables of the server's clients, and no others, as a `sky` process of a
/// load has them.
fn inherit(command: &mut Command, settings: &ClientSettings) {
    // With `-c`, Python imports modules from the current directory before installed ones.
    command.current_dir("/");
    if let Inherited::Only(names) = &settings.inherits {
        command.env_clear();
        command.envs(names.iter().filter_map(|name| Some((name, env::raw(name)?))));
    }
    settings.without.iter().for_each(|name| _ = command.env_remove(name));
    command.envs(settings.variables.iter().map(|(name, value)| (name, value)));
}
