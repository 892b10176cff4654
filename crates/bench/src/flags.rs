//! Command line of the program, as `cargo xtask bench` and the program itself use it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use skyload::profiler::ProfilerOptions;
use skyload::record::environment::ClientSettings;

/// Benchmark of skyload's profiler and other tools.
#[derive(Parser)]
pub(crate) struct Bench {
    #[command(subcommand)]
    pub(crate) step: Step,
}

#[derive(Subcommand)]
pub(crate) enum Step {
    /// Print the plan of the benchmark, as JSON.
    Plan(PlanFlags),
    /// Measure the effect of profiling on a server.
    Effect(Box<EffectFlags>),
    /// Measure the overhead and accuracy of profilers, and show all results.
    Profiler(ProfilerFlags),
    /// Run a simple profiler made with sysinfo, for comparison.
    SysinfoLoop(SysinfoLoopFlags),
    /// Run the root of a workload, which reads tasks from standard input.
    Workload,
}

#[derive(Args)]
pub(crate) struct PlanFlags {
    /// Numbers of worker processes at which the overhead is measured.
    #[arg(long, value_delimiter = ',')]
    pub(crate) workers: Vec<u32>,
    /// Number of rounds, each of which measures everything once.
    #[arg(long)]
    pub(crate) rounds: Option<u32>,
    /// Small counts, to check that the benchmark works.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Skip the effect on a real server.
    #[arg(long)]
    pub(crate) without_server: bool,
    /// Usable memory, in bytes.
    #[arg(long)]
    pub(crate) usable: u64,
    /// Memory kept free in addition, in bytes.
    #[arg(long)]
    pub(crate) floor: u64,
}

#[derive(Args)]
pub(crate) struct EffectFlags {
    #[command(flatten)]
    pub(crate) common: Common,
    /// SkyPilot release of the server.
    #[arg(long)]
    pub(crate) release: String,
    /// Client settings for the server, as JSON.
    #[arg(long, value_parser = json::<ClientSettings>)]
    pub(crate) client: ClientSettings,
    /// Profiler options for the server, as JSON.
    #[arg(long, value_parser = json::<ProfilerOptions>)]
    pub(crate) profile: ProfilerOptions,
}

#[derive(Args)]
pub(crate) struct ProfilerFlags {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Python interpreter with psutil.
    #[arg(long)]
    pub(crate) python: PathBuf,
    /// Versions of psutil and Python, as text.
    #[arg(long)]
    pub(crate) psutil: String,
    /// Total memory of this machine, in bytes.
    #[arg(long)]
    pub(crate) memory: u64,
}

/// Flags of all steps that measure.
#[derive(Args)]
pub(crate) struct Common {
    /// Directory with the plan, to which the results are written.
    pub(crate) directory: PathBuf,
    /// Program whose `__profile` command is skyload's profiler.
    #[arg(long)]
    pub(crate) xtask: PathBuf,
}

#[derive(Args)]
pub(crate) struct SysinfoLoopFlags {
    /// Sampling interval, in milliseconds.
    pub(crate) interval: u64,
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str(text)
}
