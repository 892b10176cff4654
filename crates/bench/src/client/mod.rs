//! `bench client`: what skyload's load generator costs, against other clients in the same run.
//!
//! Four measurements, each a ratio or a comparison within one run:
//!
//! * [`requests`]: CPU time per request against other HTTP clients, on a [`static_server`], and
//!   memory after a short load and a long one;
//! * [`lateness`] of the open loop against a bare timer loop;
//! * [`sdk`]: CPU time per iteration against SkyPilot's Python SDK, on a real server that xtask
//!   starts.
//!
//! skyload runs as in a load: a process that drives a [`scenario`]. Every process is
//! [`measured`] in the same way.

mod http_client;
mod lateness;
mod measured;
mod plan;
mod requests;
mod result;
mod scenario;
mod sdk;
mod static_server;
mod tables;
mod targets;

use std::fs;
use std::io::Write as _;

use anyhow::{Context as _, Result};
use host::print;
use host::progress::Progress;
use host::signals::Signals;
use skyload::record::environment::{ClientSettings, Inherited};
use skyload::record::{RunDir, read_json_optional, write_json};
use skyload::units::ByteSize;
use sysinfo::System;

pub(crate) use lateness::run_timer_loop;
pub(crate) use measured::run_wrapper;
pub(crate) use scenario::run as run_scenario;
pub(crate) use sdk::run as run_sdk;
pub(crate) use static_server::run as run_static_server;

use crate::files;
use crate::flags::ClientFlags;
use crate::result::{LoadAverage, build, today};
use http_client::HttpClient;
use plan::ClientPlan;
use result::{ClientResults, ClientSetting};
use scenario::Target;
use static_server::StaticServer;

/// Measures everything but the SDK, whose step has run before, and prints all results.
pub(crate) fn run(flags: &ClientFlags) -> Result<()> {
    let signals = Signals::listen()?;
    let run = RunDir::open(&flags.directory)?;
    let plan = ClientPlan::resolve(&flags.plan);
    let progress = Progress::new();
    let server = StaticServer::start()?;
    let target = Target::find(ClientSettings {
        endpoint: server.url().clone(),
        // No scenario of this benchmark runs a `sky` process.
        sky: "sky".into(),
        variables: Vec::new(),
        without: Vec::new(),
        inherits: Inherited::All,
    })?;
    let clients = HttpClient::all(&flags.tools);
    let (mut requests, mut lateness) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        requests.extend(requests::measure_round(&plan, &clients, &target, round, &progress)?);
        let step = progress.step(format!("Round {}/{}: lateness", round + 1, plan.rounds));
        lateness.push(lateness::measure_round(&plan, &target, round)?);
        step.done("measured");
        signals.check()?;
    }
    let memory = requests::measure_memory(&plan, &target, &progress)?;
    server.finish()?;
    let results = ClientResults {
        version: result::VERSION,
        setting: setting(flags)?,
        load_average: LoadAverage::read()?,
        requests,
        memory,
        lateness,
        sdk: read_json_optional(&files::sdk(&run), "measurement of SkyPilot's SDK")?,
        plan,
    };
    write_and_print(&results, &run)
}

fn setting(flags: &ClientFlags) -> Result<ClientSetting> {
    Ok(ClientSetting {
        date: today(),
        kernel: System::kernel_version().context("reading the kernel's version")?,
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        memory: ByteSize(flags.memory),
        skyload: build(),
        tools: flags.tools.versions.clone(),
        missing: flags.tools.missing.clone(),
    })
}

/// Writes the results to their files, and prints them.
fn write_and_print(results: &ClientResults, run: &RunDir) -> Result<()> {
    let (json, markdown) = (files::client_results(run), files::client_tables(run));
    write_json(&json, results)?;
    let mut text = Vec::new();
    tables::markdown(results, &mut text)
        .context("writing the tables for docs/load-generator.md")?;
    fs::write(&markdown, text).with_context(|| format!("writing `{}`", markdown.display()))?;
    print::text("the results", |out| {
        tables::text(results, out)?;
        writeln!(out, "\nResults: {}", json.display())?;
        writeln!(out, "Tables for docs/load-generator.md: {}", markdown.display())
    })
}
