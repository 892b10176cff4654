//! Flags of `cargo xtask load` as text, and the file `request.json` that records them.
//!
//! Each flag is a field of [`LoadRequest`], whose doc comment is its text in `--help`. clap
//! parses a command line into a request, and `args.rs` turns a request back into a command line.
//! [`crate::plan`] interprets the values.

mod aliases;
mod args;
mod server_variable;

use std::path::PathBuf;

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use server_variable::{RecordedValue, ServerVariable};

use super::{Document, Version, v2};
use crate::credentials;
use crate::metric;
use crate::record::profile::LevelChoice;

/// Arguments of `cargo xtask load`, as text. [`crate::plan::LoadPlan::resolve`] interprets them,
/// so that all usage errors are reported together.
///
/// The URLs in `server` and `metrics_url` may contain a login, which [`RequestFile`] removes.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[group(skip)]
pub struct LoadRequest {
    /// Users (virtual users) of each scenario, all of them concurrent [default: the plan's; on
    /// another machine at most 20].
    #[arg(short = 'n', long, value_name = "N", aliases = aliases::USERS)]
    #[arg(allow_hyphen_values = true)]
    pub users: Option<String>,

    /// CLI scenarios: launch status logs jobs serve (+ jobs_queue api_status check session), all.
    #[arg(short = 'r', long, value_name = "LIST", num_args = 1.., visible_aliases = aliases::CLI)]
    pub cli: Vec<String>,

    /// API scenarios: launch_and_logs status cli_status tail_logs validate api_status
    /// (+ exec cluster_queue jobs_launch jobs_logs jobs_queue status_refresh launch_dryrun; on
    /// clouds check show_gpus optimize storage_ls cost_report cluster_refresh start_stop autostop;
    /// session launch_cancel), all.
    #[arg(long, value_name = "LIST", num_args = 1.., visible_aliases = aliases::API)]
    pub api: Vec<String>,

    /// Make each user of API scenarios a SkyPilot user of its own, with an id and a name
    /// [default: the plan's; one SkyPilot user for each scenario].
    #[arg(long)]
    pub distinct_users: bool,

    /// Operations of one scenario, `api:mix`: API scenarios with their weights, such as
    /// `status=6 jobs_queue=2 exec=1`; each iteration is one of them.
    #[arg(long, value_name = "NAME=WEIGHT ..")]
    pub mix: Option<String>,

    /// Connections to hold for the whole load, with their number: logs, jobs_logs, stream, as in
    /// `logs=10,stream=100` [default: as many as -n]; without other scenarios, for the time of
    /// --for.
    #[arg(long, value_name = "LIST", num_args = 1..)]
    pub hold: Vec<String>,

    /// Program that each user runs, such as a bash script: its exit code counts, and its lines
    /// `##BENCH_START NAME TIME` and `##BENCH_END NAME CODE TIME` are steps.
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,

    /// Maximum time of a run of --script, after which it is killed [default: 1h].
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub script_timeout: Option<String>,

    /// Infra to launch on: loopback (a Slurm cluster on this machine), emulated-aws,
    /// emulated-kubernetes (without launches), none, or values of SkyPilot's --infra, such as
    /// aws or kubernetes [default: loopback for an isolated server].
    #[arg(short = 'c', long, visible_aliases = aliases::INFRA)]
    #[arg(value_name = "LIST", num_args = 1..)]
    pub infra: Vec<String>,

    /// Folder with SkyPilot's catalogs for emulated infras, such as aws/vms.csv [default: the
    /// public catalogs, downloaded once].
    #[arg(long, value_name = "DIR")]
    pub catalog: Option<PathBuf>,

    /// Size of emulated Kubernetes [default: 100x1000].
    #[arg(long, value_name = "NODESxPODS", allow_hyphen_values = true)]
    pub kubernetes_size: Option<String>,

    /// Add `--async` to CLI commands that launch something: they do not wait for the launch.
    #[arg(long)]
    pub run_async: bool,

    /// Copy your cloud credentials into the isolated server for the duration of the run.
    #[arg(long)]
    pub copy_credentials: bool,

    /// Spread the starts of users over this time: `auto` is the time that this machine needs to
    /// start the executors, 0s is a burst [default: the plan's; with -n, a burst].
    #[arg(long, value_name = "auto|TIME", allow_hyphen_values = true)]
    pub ramp: Option<String>,

    /// Run for this time: each user starts an iteration when the one before has ended, or
    /// iterations arrive at --rate.
    #[arg(id = "for", long = "for", value_name = "TIME", allow_hyphen_values = true)]
    #[serde(rename = "for")]
    pub time: Option<String>,

    /// Pause between two iterations of a user, with --for: a time, or a range such as 1s..3s.
    #[arg(long, value_name = "TIME|A..B", allow_hyphen_values = true)]
    pub pause: Option<String>,

    /// Start iterations at this rate, such as 20/s or 30/m, whatever the server does; latencies
    /// count from the scheduled start. With --for.
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    pub rate: Option<String>,

    /// Most iterations at a time with --rate; further arrivals are dropped and counted
    /// [default: 500, or what memory carries; on another machine 50].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub max_in_flight: Option<String>,

    /// Stages of users or of a rate: `50 in 2m, 50 for 5m, 0 in 1m` ramps up, holds and ramps
    /// down; `20/s for 2m` is a rate.
    #[arg(long, value_name = "STAGES", allow_hyphen_values = true)]
    pub stages: Option<String>,

    /// Leave the iterations of this time at the beginning out of thresholds; with --for it comes
    /// before that time.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub warm_up: Option<String>,

    /// Time that running iterations get at the end of --for or --stages; then they are
    /// interrupted [default: 30s].
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub graceful_stop: Option<String>,

    /// Time from a launch of launch_cancel to its cancellation: a time, a range such as 5s..30s, or
    /// several of them, of which each launch draws one [default: 1s..30s].
    #[arg(long, value_name = "TIME|A..B ..", allow_hyphen_values = true)]
    pub cancel_after: Option<String>,

    /// Leave one of N launches of launch_cancel uncancelled, as a probe that must finish
    /// [default: 5].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub probe_every: Option<String>,

    /// Time after which an unfinished request of launch_cancel is a suspected wedge of its executor
    /// [default: 5m].
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub stuck_after: Option<String>,

    /// Seed of everything that is drawn at random, such as pauses [default: the plan's].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub seed: Option<String>,

    /// Reduce the load if it would take longer than this: iterations first, then users
    /// [default: the plan's; with -n, --iterations or another shape, off].
    #[arg(long, value_name = "off|TIME", allow_hyphen_values = true)]
    pub fit: Option<String>,

    /// Iterations of each user; in the first, executors are cold [default: the plan's].
    #[arg(long, value_name = "N", allow_hyphen_values = true, aliases = aliases::ITERATIONS)]
    pub iterations: Option<String>,

    /// SkyPilot under test: a version from PyPI, the newest nightly, a sky program, a source
    /// checkout, or a branch, tag, commit or pull request (pull/123/head) of a git repository,
    /// a path or a URL [default: 0.14.1].
    #[arg(long, value_name = "VERSION|nightly|PATH|git:REPO@REF")]
    pub sky: Option<String>,

    /// Resolve SkyPilot's dependencies as of this day or time in UTC [default: the date of the
    /// release or of the commit].
    #[arg(long, value_name = "DATE")]
    pub dependencies_as_of: Option<String>,

    /// Server under test: an isolated server, your local server (system), or a remote server
    /// (URL) [default: isolated].
    #[arg(long, value_name = "isolated|system|URL")]
    pub server: Option<String>,

    /// File with a service-account token for a remote server, in its first line.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// Pass a variable of the shell, or one with this value, to the isolated server; may be
    /// repeated. Other variables that would change results are not passed.
    #[arg(long, value_name = "NAME|NAME=VALUE")]
    pub server_env: Vec<String>,

    /// Profile of a remote server, made by `cargo xtask profile` on the server's machine:
    /// directory or samples.jsonl, as a path on this machine.
    #[arg(long, value_name = "PATH")]
    pub server_profile: Option<PathBuf>,

    /// Read the isolated server's own metrics beside the load: lag of its event loop, waiting
    /// and run times of requests, memory. Adds threads to the server.
    #[arg(long)]
    pub metrics: bool,

    /// Read the metrics of your local server or a remote one at this URL, such as
    /// http://HOST:9090/metrics.
    #[arg(long, value_name = "URL")]
    pub metrics_url: Option<String>,

    /// Size of the machine that the isolated server is given, CPUs x GiB, such as 4x16:
    /// SkyPilot sizes its workers by it, and a control group holds the server to it where this
    /// machine permits. Implies --deploy.
    #[arg(long, value_name = "CPUSxGIB", allow_hyphen_values = true)]
    pub size: Option<String>,

    /// Sizes of the isolated server's executor pools, such as `long=8,short=20`, where the
    /// SkyPilot under test has variables for them [default: computed by SkyPilot].
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub workers: Option<String>,

    /// Start the isolated server in SkyPilot's deploy mode [default: with --size].
    #[arg(long)]
    pub deploy: bool,

    /// Start an isolated server of a stated size in SkyPilot's local mode.
    #[arg(long)]
    pub local: bool,

    /// Plan to run, by its name in skyload.toml [default: default].
    #[arg(long, value_name = "NAME", aliases = aliases::PLAN)]
    pub plan: Option<String>,

    /// Configuration file to read instead of the checkout's skyload.toml.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Budgets, each a limit on a metric of the server.
    #[arg(
        long = "budget",
        value_name = "WHAT=LIMIT",
        help = format!("Limit {}; may be repeated", metric::budgets_for_help())
    )]
    pub budgets: Vec<String>,

    /// Limit what users of a scenario see, as in `api:status p95 < 5s` or
    /// `api:status step status/get p99 <= 300ms`, or with --metrics what the server measures, as in
    /// `server lag p99 < 250ms`; may be repeated.
    #[arg(long = "threshold", value_name = "TEXT")]
    pub thresholds: Vec<String>,

    /// Method of reading peaks: the kernel's exit records (needs root), high-water marks at each
    /// sample, or sampled RSS [default: the most exact that is available].
    #[arg(long, value_enum, value_name = "HOW")]
    pub peaks: Option<LevelChoice>,

    /// Measure peaks per phase and per scenario group: groups run sequentially, and the peaks
    /// (VmHWM) of server processes are reset in between.
    #[arg(long)]
    pub phase_peaks: bool,

    /// Add executor figures that are computed by the rule of upstream's script.
    #[arg(long)]
    pub upstream_figures: bool,

    /// Leave the isolated server running at the end.
    #[arg(long)]
    pub keep_server: bool,

    /// Run without asking: launches that cost money, load on another machine, a restart that aborts running requests on
    /// your local server, or a plan that may not fit into memory.
    // Confirmed anew for each run, so neither `request.json` nor a suggested command has it.
    #[arg(long)]
    #[serde(skip)]
    pub yes: bool,
}

/// Content of `request.json`: the arguments of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RequestFile {
    /// Format of the file.
    version: Version<2>,
    /// Arguments as text.
    pub request: LoadRequest,
}

impl Document for RequestFile {
    const KIND: &'static str = "request";
    const VERSION: u32 = 2;
    const OLDEST: u32 = 1;

    fn upgrade(_version: u32, content: Value) -> Value {
        v2::request(content)
    }
}

impl RequestFile {
    /// File of a request, without the login in a URL: a run's files are shared with people who
    /// must not know the login.
    pub fn of(request: LoadRequest) -> Self {
        let stripped = |url: Option<String>| url.map(|url| credentials::stripped(&url));
        let (server, metrics_url) = (stripped(request.server), stripped(request.metrics_url));
        Self { version: Version, request: LoadRequest { server, metrics_url, ..request } }
    }
}
