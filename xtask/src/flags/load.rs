//! The flags of `load`.

use std::path::PathBuf;

use clap::Args;

use super::{Format, Peaks};

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

    /// Spread the starts of users over this time: `auto` takes as long as this machine needs
    /// for the executors, 0s is a burst [default: the profile's; with -n, a burst].
    #[arg(long, value_name = "auto|TIME", allow_hyphen_values = true)]
    pub(crate) ramp: Option<String>,

    /// Do less where the load would take longer: fewer iterations first, then fewer users
    /// [default: the profile's; with -n or --waves, off].
    #[arg(long, value_name = "off|TIME", allow_hyphen_values = true)]
    pub(crate) fit: Option<String>,

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

    /// Give the isolated server a variable of the shell's, or this one; may be repeated. It is
    /// otherwise given none that would change results.
    #[arg(long = "server-env", value_name = "NAME|NAME=VALUE")]
    pub(crate) server_env: Vec<String>,

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
