//! What the program is started with, by `cargo xtask bench` or by itself.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use skyload::profiler::ProfilerOptions;
use skyload::record::environment::ClientSettings;

/// Skyload's profiler measured beside other tools.
#[derive(Parser)]
pub(crate) struct Bench {
    #[command(subcommand)]
    pub(crate) step: Step,
}

#[derive(Subcommand)]
pub(crate) enum Step {
    /// Print how much will be measured, as JSON.
    Plan(PlanFlags),
    /// Measure the effect of profiling on a server.
    Effect(Box<EffectFlags>),
    /// Measure what profiling costs and what it catches, and show all results.
    Profiler(ProfilerFlags),
    /// A profiler made of sysinfo, to be compared with.
    SysinfoLoop(SysinfoLoopFlags),
    /// The root of a workload; orders come through standard input.
    Workload,
}

#[derive(Args)]
pub(crate) struct PlanFlags {
    /// Numbers of worker processes to measure the cost at.
    #[arg(long, value_delimiter = ',')]
    pub(crate) workers: Vec<u32>,
    /// How often everything is measured.
    #[arg(long)]
    pub(crate) rounds: Option<u32>,
    /// Small numbers, to see that it works.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Leave out the effect on a real server.
    #[arg(long)]
    pub(crate) without_server: bool,
    /// Bytes of memory that can be used.
    #[arg(long)]
    pub(crate) usable: u64,
    /// Bytes of memory that stay free beside them.
    #[arg(long)]
    pub(crate) floor: u64,
}

#[derive(Args)]
pub(crate) struct EffectFlags {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The release of SkyPilot that the server is.
    #[arg(long)]
    pub(crate) release: String,
    /// How clients reach the server, as JSON.
    #[arg(long, value_parser = json::<ClientSettings>)]
    pub(crate) client: ClientSettings,
    /// How the server is profiled, as JSON.
    #[arg(long, value_parser = json::<ProfilerOptions>)]
    pub(crate) profile: ProfilerOptions,
}

#[derive(Args)]
pub(crate) struct ProfilerFlags {
    #[command(flatten)]
    pub(crate) common: Common,
    /// A Python that has psutil.
    #[arg(long)]
    pub(crate) python: PathBuf,
    /// The versions of both.
    #[arg(long)]
    pub(crate) psutil: String,
    /// Bytes of memory that this machine has.
    #[arg(long)]
    pub(crate) memory: u64,
}

/// Flags of all steps that measure.
#[derive(Args)]
pub(crate) struct Common {
    /// The directory with the plan, for the results.
    pub(crate) directory: PathBuf,
    /// The program whose `__profile` is skyload's profiler.
    #[arg(long)]
    pub(crate) xtask: PathBuf,
}

#[derive(Args)]
pub(crate) struct SysinfoLoopFlags {
    /// Milliseconds between two ticks.
    pub(crate) interval: u64,
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str(text)
}
