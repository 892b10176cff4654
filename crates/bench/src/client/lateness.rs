//! Lateness of skyload's open loop, against a bare loop over a timer: how long after its
//! scheduled time an iteration starts.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use fake_sky::title::THIS_PROGRAM;
use host::print;
use serde::{Deserialize, Serialize};
use skyload::record::outcome::Latencies;
use skyload::record::request::LoadRequest;
use tokio::time::{Instant, sleep_until};

use super::http_client::api_status;
use super::measured;
use super::plan::{ClientPlan, in_order};
use super::scenario::Target;
use crate::flags::TimerLoopFlags;
use crate::runtime::runtime;

/// Lateness in one round, of both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct LatenessRound {
    /// Lateness of skyload's iterations.
    pub(crate) skyload: Latencies,
    /// Lateness of a loop that does nothing at each time.
    pub(crate) timer_loop: Latencies,
    /// Number of iterations of skyload that were dropped or failed.
    pub(crate) failed: u64,
}

/// Measures both once.
pub(crate) fn measure_round(
    plan: &ClientPlan,
    target: &Target,
    round: u32,
) -> Result<LatenessRound> {
    let mut result = LatenessRound {
        skyload: Latencies::default(),
        timer_loop: Latencies::default(),
        failed: 0,
    };
    for is_skyload in in_order(round, vec![true, false]) {
        if is_skyload {
            (result.skyload, result.failed) = open_loop(plan, target)?;
        } else {
            result.timer_loop = timer_loop(plan)?;
        }
    }
    Ok(result)
}

fn open_loop(plan: &ClientPlan, target: &Target) -> Result<(Latencies, u64)> {
    let finished = target.run(LoadRequest {
        rate: Some(format!("{}/s", plan.rate)),
        time: Some(humantime::format_duration(plan.rate_window).to_string()),
        ..api_status()
    })?;
    let finished = finished.expect_success()?;
    let mut lateness = Latencies::default();
    finished.outcome.segments.iter().for_each(|segment| lateness.add(&segment.send_lateness));
    Ok((lateness, finished.failed()))
}

fn timer_loop(plan: &ClientPlan) -> Result<Latencies> {
    let mut command = measured::command(THIS_PROGRAM);
    command.arg("timer-loop").args(["--rate", &plan.rate.to_string()]);
    command.args(["--seconds", &plan.rate_window.as_secs().to_string()]);
    let measured = measured::run(command).context("running the timer loop")?;
    serde_json::from_str(&measured.output).context("reading the lateness of the timer loop")
}

/// Runs the bare loop in this process, and prints its lateness as JSON.
pub(crate) fn run_timer_loop(flags: &TimerLoopFlags) -> Result<()> {
    let mut lateness = Latencies::default();
    let interval = Duration::from_secs(1) / flags.rate.max(1);
    let count = flags.rate.saturating_mul(flags.seconds);
    runtime()?.block_on(async {
        let start = Instant::now();
        for number in 0..count {
            let scheduled = start + interval * number;
            sleep_until(scheduled).await;
            lateness.record(scheduled.elapsed());
        }
    });
    let text = serde_json::to_string(&lateness).context("writing the lateness")?;
    print::text("the lateness", |out| writeln!(out, "{text}"))
}
