//! Command line of the program, as `cargo xtask bench` and the program itself use it.

use std::ffi::OsString;
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
    /// Measure the profiler with and without attribution of memory to requests.
    Attribution(AttributionFlags),
    /// Run a simple profiler made with sysinfo, for comparison.
    SysinfoLoop(SysinfoLoopFlags),
    /// Run the root of a workload, which reads tasks from standard input.
    Workload,
    /// Measure the load generator and other clients, and show all results.
    Client(ClientFlags),
    /// Measure the load generator and SkyPilot's SDK on a server.
    Sdk(Box<SdkFlags>),
    /// Run the scenario of a run directory.
    Scenario(ScenarioFlags),
    /// Run the static server until the end of standard input.
    StaticServer,
    /// Run a loop over a timer, and print its lateness.
    TimerLoop(TimerLoopFlags),
    /// Run a program, and print its output, CPU time and peak memory as JSON.
    Measure(MeasureFlags),
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

#[derive(Args)]
pub(crate) struct AttributionFlags {
    /// Program whose `__profile` command is skyload's profiler.
    #[arg(long)]
    pub(crate) xtask: PathBuf,
    /// Number of rounds.
    #[arg(long)]
    pub(crate) rounds: Option<u32>,
    /// Small counts, to check that the benchmark works.
    #[arg(long)]
    pub(crate) quick: bool,
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

/// Flags that decide what `bench client` measures.
#[derive(Args)]
pub(crate) struct ClientPlanFlags {
    /// Number of rounds, each of which measures everything but memory once.
    #[arg(long)]
    pub(crate) rounds: Option<u32>,
    /// Small counts, to check that the benchmark works.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Skip SkyPilot's SDK, which needs a real server.
    #[arg(long)]
    pub(crate) without_server: bool,
}

#[derive(Args)]
pub(crate) struct ClientFlags {
    /// Directory to which the results are written.
    pub(crate) directory: PathBuf,
    #[command(flatten)]
    pub(crate) plan: ClientPlanFlags,
    #[command(flatten)]
    pub(crate) tools: ToolFlags,
    /// Total memory of this machine, in bytes.
    #[arg(long)]
    pub(crate) memory: u64,
}

/// Tools to compare with. A tool without a program is not measured.
#[derive(Args)]
pub(crate) struct ToolFlags {
    /// Program of oha.
    #[arg(long)]
    pub(crate) oha: Option<PathBuf>,
    /// Program of wrk.
    #[arg(long)]
    pub(crate) wrk: Option<PathBuf>,
    /// Python interpreter with requests.
    #[arg(long)]
    pub(crate) session_python: Option<PathBuf>,
    /// Name and version of a tool; repeatable.
    #[arg(long = "tool")]
    pub(crate) versions: Vec<String>,
    /// Name of a tool that is not there, with the reason; repeatable.
    #[arg(long)]
    pub(crate) missing: Vec<String>,
}

#[derive(Args)]
pub(crate) struct SdkFlags {
    /// Directory to which the result is written.
    pub(crate) directory: PathBuf,
    #[command(flatten)]
    pub(crate) plan: ClientPlanFlags,
    /// Client settings for the server, as JSON.
    #[arg(long, value_parser = json::<ClientSettings>)]
    pub(crate) client: ClientSettings,
    /// Python interpreter with SkyPilot.
    #[arg(long)]
    pub(crate) python: PathBuf,
}

#[derive(Args)]
pub(crate) struct ScenarioFlags {
    /// Run directory with a plan and an environment.
    pub(crate) directory: PathBuf,
}

#[derive(Args)]
pub(crate) struct TimerLoopFlags {
    /// Number of times per second.
    #[arg(long)]
    pub(crate) rate: u32,
    /// Duration in seconds.
    #[arg(long)]
    pub(crate) seconds: u32,
}

#[derive(Args)]
pub(crate) struct MeasureFlags {
    /// Program with its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub(crate) command: Vec<OsString>,
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str(text)
}
