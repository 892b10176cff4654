//! Command-line flags as typed. `skyload::plan` interprets them, so that all mistakes in flags and
//! in skyload.toml are reported together.

mod ab;
mod bench;
mod bisect;
mod compare;
mod explain;
mod load;
mod paired;
mod profile;
mod reference;
mod results;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use skyload::infrastructure::KubernetesSize;

pub(crate) use ab::Ab;
pub(crate) use bench::{Bench, BenchClient, BenchProfiler};
pub(crate) use bisect::Bisect;
pub(crate) use compare::Compare;
pub(crate) use explain::Explain;
pub(crate) use load::{Load, Results};
pub(crate) use paired::Paired;
pub(crate) use profile::{Profile, Profiler};
pub(crate) use reference::{Reference, ReferenceCheck, ReferenceFile, ReferenceSet, ReferenceShow};
pub(crate) use results::{Files, Format, Output, Prune, Recommend, Report, Runs, RunsAct};

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
    /// Run two SkyPilots alternately, such as main and a branch, and compare them in one table.
    Ab(Box<Ab>),
    /// Compare finished runs of two SkyPilots: which metrics are worse, better or the same.
    Compare(Compare),
    /// Find the release, nightly build or commit that made a metric worse.
    Bisect(Box<Bisect>),
    /// Show what the requests behind a run's largest peaks allocate and import.
    Explain(Explain),
    /// Store finished runs as a reference, and compare later ones with it.
    #[command(subcommand)]
    Reference(Reference),
    /// List runs, newest first, or remove old ones.
    Runs(Runs),
    /// Recommend SkyPilot's memory constants from the peaks of runs, or print a patch.
    Recommend(Recommend),
    /// Write the JSON schemas of report.json, compare.json, bisect.json, explanation.json and
    /// references into the checkout.
    Schema,
    /// Run every test that needs no SkyPilot server.
    Test(Test),
    /// Start, show or stop local infras, for SkyPilot to launch on.
    #[command(subcommand)]
    Infra(Infra),
    /// Compare skyload with other tools in one run, as ratios.
    #[command(subcommand)]
    Bench(Bench),
    /// Parent of all node processes; started by `infra up` and `load`.
    #[command(name = loopback::SUPERVISOR_COMMAND, hide = true)]
    Nodes(Nodes),
    /// End of node processes after a SIGKILL of their parent; started by the parent.
    #[command(name = loopback::WATCHDOG_COMMAND, hide = true)]
    NodesWatchdog(Nodes),
    /// Keeper of the nodes of emulated AWS; started by the supervisor.
    #[command(name = loopback::KEEPER_COMMAND, hide = true)]
    NodeKeeper(Nodes),
    /// API of emulated Kubernetes; started by the parent of node processes.
    #[command(name = loopback::KUBERNETES_API_COMMAND, hide = true)]
    KubernetesApi(KubernetesApi),
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
    /// Start local infras, which run until `infra down`.
    Up(InfraUp),
    /// Show which local infras are running.
    Status,
    /// Stop the local infras and remove their files.
    Down,
}

#[derive(Args)]
pub(crate) struct InfraUp {
    /// Local infras to start: loopback (a Slurm cluster), emulated-aws, emulated-kubernetes
    /// [default: loopback].
    #[arg(short = 'c', long, value_name = "LIST", num_args = 1..)]
    pub(crate) infra: Vec<String>,

    /// Folder with SkyPilot's catalogs for emulated infras, such as aws/vms.csv [default: the
    /// public catalogs, downloaded once].
    #[arg(long, value_name = "DIR")]
    pub(crate) catalog: Option<PathBuf>,

    /// Size of emulated Kubernetes [default: 100x1000].
    #[arg(long, value_name = "NODESxPODS")]
    pub(crate) kubernetes_size: Option<String>,

    /// SkyPilot of the nodes, as for `load`: a version from PyPI, the newest nightly, a sky
    /// program, a source checkout, or a commit of a git repository [default: 0.14.1].
    #[arg(long, value_name = "VERSION|nightly|PATH|git:REPO@REF")]
    pub(crate) sky: Option<String>,
}

#[derive(Args)]
pub(crate) struct Nodes {
    /// Options of the process as one JSON value.
    pub(crate) options: String,
}

#[derive(Args)]
pub(crate) struct KubernetesApi {
    /// Port on 127.0.0.1.
    pub(crate) port: u16,
    /// Size of the cluster.
    pub(crate) size: KubernetesSize,
}
