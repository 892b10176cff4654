//! What was typed, before anybody asks what it means: the flags of `cargo xtask load`, and
//! the file that keeps them.
//!
//! Each flag is a field of [`LoadRequest`], whose documentation is what `--help` says. clap
//! makes a request of a command line, and `args.rs` a command line of a request, by clap's
//! own description of the flags. [`crate::plan`] gives them their meaning.

mod aliases;
mod args;
mod server_variable;

use std::path::PathBuf;

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use server_variable::{KeptValue, ServerVariable};

use super::{Document, Version, v2};
use crate::credentials;
use crate::metric;
use crate::record::profile::LevelChoice;

/// The arguments of `cargo xtask load`, as text. [`crate::plan::LoadPlan::resolve`]
/// gives them their meaning, so that all mistakes are found together.
///
/// A server's URL may have a login in it, until the request is kept: [`RequestFile`].
#[derive(Args, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[group(skip)]
pub struct LoadRequest {
    /// Users (virtual users) of each scenario, all of them concurrent [default: the plan's].
    #[arg(short = 'n', long, value_name = "N", aliases = aliases::USERS)]
    #[arg(allow_hyphen_values = true)]
    pub users: Option<String>,

    /// CLI scenarios: launch status logs jobs serve (+ jobs_queue api_status), all.
    #[arg(short = 'r', long, value_name = "LIST", num_args = 1.., visible_aliases = aliases::CLI)]
    pub cli: Vec<String>,

    /// API scenarios: launch_and_logs status cli_status tail_logs validate api_status
    /// (+ exec cluster_queue jobs_launch jobs_logs jobs_queue status_refresh launch_dryrun),
    /// all.
    #[arg(long, value_name = "LIST", num_args = 1.., visible_aliases = aliases::API)]
    pub api: Vec<String>,

    /// Infra to launch on: loopback (a Slurm cluster on this machine), none, or values of
    /// SkyPilot's --infra, such as aws or kubernetes [default: loopback for an isolated
    /// server].
    #[arg(short = 'c', long, visible_aliases = aliases::INFRA)]
    #[arg(value_name = "LIST", num_args = 1..)]
    pub infra: Vec<String>,

    /// Let CLI scenarios that launch something return at once (`--async`).
    #[arg(long)]
    pub run_async: bool,

    /// Copy your cloud credentials into the isolated server for the time of the run.
    #[arg(long)]
    pub copy_credentials: bool,

    /// Spread the starts of users over this time: `auto` takes as long as this machine needs
    /// for the executors, 0s is a burst [default: the plan's; with -n, a burst].
    #[arg(long, value_name = "auto|TIME", allow_hyphen_values = true)]
    pub ramp: Option<String>,

    /// Do less where the load would take longer: fewer iterations first, then fewer users
    /// [default: the plan's; with -n or --iterations, off].
    #[arg(long, value_name = "off|TIME", allow_hyphen_values = true)]
    pub fit: Option<String>,

    /// Iterations that each user takes; the first meets cold executors.
    #[arg(long, value_name = "N", allow_hyphen_values = true, aliases = aliases::ITERATIONS)]
    pub iterations: Option<String>,

    /// SkyPilot under test: a version from PyPI, the newest nightly, or a sky program
    /// [default: 0.14.1].
    #[arg(long, value_name = "VERSION|nightly|PATH")]
    pub sky: Option<String>,

    /// Server under test: an isolated one of our own, the user's own, or a remote one
    /// [default: isolated].
    #[arg(long, value_name = "isolated|system|URL")]
    pub server: Option<String>,

    /// Give the isolated server a variable of the shell's, or this one; may be repeated. It is
    /// otherwise given none that would change results.
    #[arg(long, value_name = "NAME|NAME=VALUE")]
    pub server_env: Vec<String>,

    /// A profile that `cargo xtask profile` makes on the machine of a server elsewhere: its
    /// directory or its samples.jsonl, as seen from here.
    #[arg(long, value_name = "PATH")]
    pub server_profile: Option<PathBuf>,

    /// Start the isolated server in SkyPilot's deploy mode.
    #[arg(long)]
    pub deploy: bool,

    /// A named plan of skyload.toml [default: default].
    #[arg(long, value_name = "NAME", aliases = aliases::PLAN)]
    pub plan: Option<String>,

    /// Read this file instead of the checkout's skyload.toml.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Budgets, each on what is measured of the server.
    #[arg(
        long = "budget",
        value_name = "WHAT=LIMIT",
        help = format!("Limit {}; may be repeated", metric::budgets_in_words())
    )]
    pub budgets: Vec<String>,

    /// How peaks are read: with the kernel's exit records (root's), by high-water marks at each
    /// tick, or by sampling [default: as exactly as the machine grants].
    #[arg(long, value_enum, value_name = "HOW")]
    pub peaks: Option<LevelChoice>,

    /// Measure peaks per phase and per scenario group: groups run sequentially, and the peaks
    /// (VmHWM) of server processes are reset in between.
    #[arg(long)]
    pub phase_peaks: bool,

    /// Also show executor figures by the rule of upstream's script.
    #[arg(long)]
    pub upstream_figures: bool,

    /// Leave the isolated server running at the end.
    #[arg(long)]
    pub keep_server: bool,

    /// Go on where it would otherwise ask or refuse: launches that cost money, requests in
    /// flight on the user's own server, or a plan that may not fit into memory.
    // It is agreed to anew each time: no file has it, and no command that is shown.
    #[arg(long)]
    #[serde(skip)]
    pub yes: bool,
}

/// What was typed, in a file of its own: `request.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RequestFile {
    /// Format of this file.
    version: Version<2>,
    /// The request.
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
    /// The file of a request, without a login that stands in a URL: files of a run are read by
    /// more people than should know it.
    pub fn of(request: LoadRequest) -> Self {
        let server = request.server.map(|server| credentials::stripped(&server));
        Self { version: Version, request: LoadRequest { server, ..request } }
    }
}
