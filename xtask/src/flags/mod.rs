//! What was typed. Meaning is given to it in `skyload::plan`, so that all
//! mistakes in flags and in skyload.toml are reported together.

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
    /// Restart the API server, load it, profile it, and judge its memory.
    Load(Box<Load>),
    /// Profile a server that runs on this machine, until Ctrl-C.
    Profile(Profile),
    /// Show a finished run again: its figures, findings and verdict; or a profile.
    Report(Report),
    /// List the runs that were made here, the newest first, or remove old ones.
    Runs(Runs),
    /// Say which memory constants runs support, and make a patch of SkyPilot.
    Recommend(Recommend),
    /// Write the JSON schema of report.json into the checkout.
    Schema,
    /// Run every test that needs no SkyPilot server.
    Test(Test),
    /// Bring up, look at, or take down a real SkyPilot infrastructure on loopback.
    #[command(subcommand)]
    Infra(Infra),
    /// Measure skyload itself against other tools, in one run and as ratios.
    #[command(subcommand)]
    Bench(Bench),
    /// The parent of all node processes; started by `infra up` and `load`.
    #[command(name = loopback::SUPERVISOR_COMMAND, hide = true)]
    Nodes(Nodes),
    /// The profiler's own process; started by `load` and `profile`.
    #[command(name = "__profile", hide = true)]
    Profiler(Profiler),
}

#[derive(Args)]
pub(crate) struct Test {
    /// Run the tests that try report.html in Chromium instead; they need Node.js, and fetch
    /// Chromium where there is none.
    #[arg(long)]
    pub(crate) browser: bool,

    /// Passed on to `cargo nextest run`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) nextest: Vec<String>,
}

#[derive(Subcommand)]
pub(crate) enum Infra {
    /// Start Slurm with one node, and leave it up for loads and for you.
    Up(InfraUp),
    /// Say what is up.
    Status,
    /// End it and remove everything of it.
    Down,
}

#[derive(Args)]
pub(crate) struct InfraUp {
    /// SkyPilot that the nodes are for: a version from PyPI, the newest nightly, or a
    /// sky program [default: 0.14.1].
    #[arg(long, value_name = "VERSION|nightly|PATH")]
    pub(crate) sky: Option<String>,
}

#[derive(Args)]
pub(crate) struct Nodes {
    /// The supervisor's options as one JSON value.
    pub(crate) options: String,
}
