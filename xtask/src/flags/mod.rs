//! Command-line flags as typed. `skyload::plan` interprets them, so that all mistakes in flags and
//! in skyload.toml are reported together.

mod bench;
mod load;
mod profile;
mod results;

use clap::{Args, Parser, Subcommand};

pub(crate) use bench::{Bench, BenchProfiler};
pub(crate) use load::{Load, Results};
pub(crate) use profile::{Profile, Profiler};
pub(crate) use results::{Format, Output, Prune, Recommend, Report, Runs, RunsAct};

/// Load tests and memory budgets for the SkyPilot API server.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
pub(crate) struct Xtask {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Restart the API server, run concurrent users against it, and check its memory budgets.
    Load(Box<Load>),
    /// Profile a running server on this machine until Ctrl-C.
    Profile(Profile),
    /// Show the report of a finished run or of a profile.
    Report(Report),
    /// List runs, newest first, or remove old ones.
    Runs(Runs),
    /// Recommend SkyPilot's memory constants from the peaks of runs, or print a patch.
    Recommend(Recommend),
    /// Write the JSON schema of report.json into the checkout.
    Schema,
    /// Run every test that needs no SkyPilot server.
    Test(Test),
    /// Start, show or stop a loopback Slurm cluster.
    #[command(subcommand)]
    Infra(Infra),
    /// Compare skyload with other tools in one run, as ratios.
    #[command(subcommand)]
    Bench(Bench),
    /// Parent of all node processes; started by `infra up` and `load`.
    #[command(name = loopback::SUPERVISOR_COMMAND, hide = true)]
    Nodes(Nodes),
    /// Keeper of the nodes of emulated AWS; started by the supervisor.
    #[command(name = loopback::KEEPER_COMMAND, hide = true)]
    NodeKeeper(Nodes),
    /// Process of the profiler; started by `load` and `profile`.
    #[command(name = "__profile", hide = true)]
    Profiler(Profiler),
}

#[derive(Args)]
pub(crate) struct Test {
    /// Run the tests of report.html in Chromium instead. Needs Node.js; downloads Chromium if there
    /// is none.
    #[arg(long)]
    pub(crate) browser: bool,

    /// Arguments for `cargo nextest run`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) nextest: Vec<String>,
}

#[derive(Subcommand)]
pub(crate) enum Infra {
    /// Start a loopback Slurm cluster with one node, which runs until `infra down`.
    Up(InfraUp),
    /// Show whether the cluster is running.
    Status,
    /// Stop the cluster and remove its files.
    Down,
}

#[derive(Args)]
pub(crate) struct InfraUp {
    /// SkyPilot of the nodes: a version from PyPI, the newest nightly, or a sky program
    /// [default: 0.14.1].
    #[arg(long, value_name = "VERSION|nightly|PATH")]
    pub(crate) sky: Option<String>,
}

#[derive(Args)]
pub(crate) struct Nodes {
    /// Options of the process as one JSON value.
    pub(crate) options: String,
}
