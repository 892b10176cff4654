//! What was typed. Meaning is given to it in `skyload::plan`, so that all
//! mistakes in flags and in skyload.toml are reported together.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use skyload::sample::LevelChoice;

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
    #[command(name = "__nodes", hide = true)]
    Nodes(Nodes),
    /// The profiler's own process; started by `load` and `profile`.
    #[command(name = "__profile", hide = true)]
    Profiler(Profiler),
    /// A profiler made of sysinfo, to be compared with; started by `bench profiler`.
    #[command(name = "__sysinfo-loop", hide = true)]
    SysinfoLoop(SysinfoLoop),
}

/// Exit codes: 0 pass, 1 tool error, 2 usage, 10 over budget, 11 scenario failed,
/// 12 inconclusive.
#[derive(Args)]
#[command(after_help = "LIST = words separated by spaces or commas. If neither -r nor --apis is \
                        given, the profile decides.\nExit codes: 0 pass, 1 tool error, 2 usage, \
                        10 over budget, 11 scenario failed, 12 inconclusive.")]
pub(crate) struct Load {
    /// Concurrent requests of each scenario [default: the profile's].
    #[arg(short = 'n', long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) requests_per_scenario: Option<String>,

    /// CLI scenarios: launch status logs jobs serve (+ jobs_queue api_status), all.
    #[arg(short = 'r', long, value_name = "LIST", num_args = 1..)]
    pub(crate) requests: Vec<String>,

    /// API scenarios: launch_and_logs status cli_status tail_logs validate api_status
    /// (+ exec cluster_queue jobs_launch jobs_logs jobs_queue status_refresh launch_dryrun),
    /// all.
    #[arg(long, visible_alias = "api", value_name = "LIST", num_args = 1..)]
    pub(crate) apis: Vec<String>,

    /// Infrastructures to launch on: loopback (a Slurm of our own on this machine), none,
    /// or those of SkyPilot's --infra, such as aws or kubernetes [default: loopback for an
    /// isolated server].
    #[arg(
        short = 'c',
        long,
        visible_aliases = ["cloud", "infra"],
        value_name = "LIST",
        num_args = 1..
    )]
    pub(crate) clouds: Vec<String>,

    /// Let CLI scenarios that launch something return at once (`--async`).
    #[arg(long)]
    pub(crate) run_async: bool,

    /// Copy your cloud credentials into the isolated server for the time of the run.
    #[arg(long)]
    pub(crate) copy_credentials: bool,

    /// Turns that each user takes; the first meets cold executors.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) waves: Option<String>,

    /// SkyPilot under test: a version from PyPI, the newest nightly, or a sky program
    /// [default: 0.14.1].
    #[arg(long, value_name = "VERSION|nightly|PATH")]
    pub(crate) sky: Option<String>,

    /// Server under test: an isolated one of our own, the user's own, or a remote one
    /// [default: isolated].
    #[arg(long, value_name = "isolated|system|URL")]
    pub(crate) server: Option<String>,

    /// A profile that `cargo xtask profile` makes on the machine of a server elsewhere: its
    /// directory or its samples.jsonl, as seen from here.
    #[arg(long, value_name = "PATH")]
    pub(crate) server_profile: Option<PathBuf>,

    /// Start the isolated server in SkyPilot's deploy mode.
    #[arg(long)]
    pub(crate) deploy: bool,

    /// A named plan of skyload.toml [default: default].
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// Read this file instead of the checkout's skyload.toml.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Limit the peak of a class of processes, tree-rss, tree-pss or growth to a size, or
    /// threads, zombies or leftovers to a count; may be repeated.
    #[arg(long = "budget", value_name = "WHAT=LIMIT")]
    pub(crate) budgets: Vec<String>,

    /// How peaks are read: with the kernel's exit records (root's), by high-water marks at each
    /// tick, or by sampling [default: as exactly as the machine grants].
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) peaks: Option<Peaks>,

    /// Give each phase, and each family of scenarios, peaks of its own: families are loaded one
    /// after the other, and the kernel's marks of the server's processes lowered in between.
    #[arg(long)]
    pub(crate) phase_peaks: bool,

    /// Also show the executors' figures as the original tool came by them.
    #[arg(long)]
    pub(crate) original_semantics: bool,

    /// Leave the isolated server running at the end.
    #[arg(long)]
    pub(crate) keep_server: bool,

    /// Go on where it would otherwise ask or refuse: launches that cost money, requests in
    /// flight on the user's own server, or a plan that may not fit into memory.
    #[arg(long)]
    pub(crate) yes: bool,

    /// Make the run directory here instead of under target/skyload/runs.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// What is written to standard output at the end.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Args)]
#[command(
    after_help = "Ctrl-C, SIGTERM, --for and the server's own end all end it in good order.\n\
                        Exit codes: 0 the profile was made, 1 tool error, 2 usage."
)]
pub(crate) struct Profile {
    /// The port of the API server [default: 46580, SkyPilot's own].
    #[arg(long, value_name = "N", conflicts_with = "pid")]
    pub(crate) port: Option<u16>,

    /// Any process, instead: it and all that it starts are profiled.
    #[arg(long, value_name = "P")]
    pub(crate) pid: Option<u32>,

    /// Distance between two looks at the processes.
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = interval)]
    pub(crate) interval: Duration,

    /// End after this time [default: at Ctrl-C].
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) time: Option<Duration>,

    /// How peaks are read.
    #[arg(long, value_enum, default_value_t = Peaks::Best)]
    pub(crate) peaks: Peaks,

    /// Also show the executors' figures as the original tool came by them.
    #[arg(long)]
    pub(crate) original_semantics: bool,

    /// Make the profile's directory here instead of under target/skyload/profiles.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// What is written to standard output at the end.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// How peaks are read.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peaks {
    /// As exactly as this machine grants.
    Best,
    /// With the kernel's exit records, or not at all.
    ExitRecords,
    /// By the kernel's high-water marks at each look.
    HighWaterMark,
    /// By sampling resident memory: short peaks are missed.
    Sampled,
}

impl From<Peaks> for LevelChoice {
    fn from(peaks: Peaks) -> Self {
        match peaks {
            Peaks::Best => Self::Best,
            Peaks::ExitRecords => Self::ExitRecords,
            Peaks::HighWaterMark => Self::HighWaterMark,
            Peaks::Sampled => Self::Sampled,
        }
    }
}

/// An interval at which a machine can do other things as well.
fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match interval >= Duration::from_millis(1) {
        true => Ok(interval),
        false => Err("it must be at least 1ms".to_owned()),
    }
}

#[derive(Args)]
pub(crate) struct Report {
    /// A run's directory or its id, or a profile's.
    #[arg(default_value = "latest")]
    pub(crate) run: PathBuf,

    /// Take this profile of the server's machine into the run first.
    #[arg(long, value_name = "PATH")]
    pub(crate) server_profile: Option<PathBuf>,

    /// What is written to standard output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// The memory constants that runs support: for each the largest peak, with headroom.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 a recommendation, 1 tool error, 2 usage, or a run that is \
                        refused, 12 no constant can be recommended.")]
pub(crate) struct Recommend {
    /// Directories or ids of runs of one SkyPilot.
    #[arg(default_value = "latest")]
    pub(crate) runs: Vec<PathBuf>,

    /// Machines to say for how many workers SkyPilot starts, as CPUs x GiB, separated by
    /// commas [default: 2x4,2x8,4x16,8x32,16x64].
    #[arg(long, value_name = "LIST")]
    pub(crate) machines: Vec<String>,

    /// Say that of deployed servers alone [default: of both].
    #[arg(long, conflicts_with = "local")]
    pub(crate) deploy: bool,

    /// Say that of local servers alone.
    #[arg(long)]
    pub(crate) local: bool,

    /// Print a patch of SkyPilot instead, for `git apply` in a checkout or an unpacked wheel.
    #[arg(long, conflicts_with = "format")]
    pub(crate) patch: bool,

    /// What is written to standard output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Runs {
    #[command(subcommand)]
    pub(crate) act: Option<RunsAct>,

    /// Runs that were made with `load --out DIR`.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// What is written to standard output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Subcommand)]
pub(crate) enum RunsAct {
    /// Remove old runs; never one that is under way or has yet to be cleared away.
    Prune(Prune),
}

#[derive(Args)]
pub(crate) struct Prune {
    /// Leave the newest N runs alone.
    #[arg(long, value_name = "N", default_value_t = 10, allow_hyphen_values = true)]
    pub(crate) keep: usize,

    /// Of the others, remove only those that began longer ago than this, such as 30d.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) older_than: Option<Duration>,

    /// Say what would be removed, and remove nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Runs that were made with `load --out DIR`.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
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

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// What profiling costs, what it catches, and what the server feels of it.
    Profiler(BenchProfiler),
}

#[derive(Args)]
pub(crate) struct BenchProfiler {
    /// Numbers of worker processes to measure the cost at [default: 30,100,300].
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        value_parser = value_parser!(u32).range(1..=5000)
    )]
    pub(crate) workers: Vec<u32>,

    /// How often everything is measured [default: 3].
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=100))]
    pub(crate) rounds: Option<u32>,

    /// Small numbers, to see that it works: they prove nothing.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Leave out the effect on a real server.
    #[arg(long)]
    pub(crate) without_server: bool,

    /// SkyPilot of that server: a version from PyPI, the newest nightly, or a sky
    /// program [default: 0.14.1].
    #[arg(long, value_name = "VERSION|nightly|PATH", conflicts_with = "without_server")]
    pub(crate) sky: Option<String>,
}

#[derive(Args)]
pub(crate) struct SysinfoLoop {
    /// Milliseconds between two ticks.
    pub(crate) interval: u64,
}

#[derive(Args)]
pub(crate) struct Nodes {
    /// The supervisor's options as one JSON value.
    pub(crate) options: String,
}

#[derive(Args)]
pub(crate) struct Profiler {
    /// Its options as one JSON value.
    pub(crate) options: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables for people.
    Text,
    /// The same as JSON; of a run, the whole of report.json.
    Json,
}
