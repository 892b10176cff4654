//! The flags of what looks at finished runs: `report`, `recommend`, `runs`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use skyload::render::text::Detail;

#[derive(Args)]
pub(crate) struct Report {
    /// A run's directory or its id, or a profile's.
    #[arg(default_value = "latest")]
    pub(crate) run: PathBuf,

    /// Take this profile of the server's machine into the run first.
    #[arg(long, value_name = "PATH")]
    pub(crate) server_profile: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// Form and detail of a report on standard output.
#[derive(Args, Clone, Copy)]
pub(crate) struct Output {
    /// Form of the report on standard output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// Print every table and finding, and every line of progress.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

impl Output {
    /// Amount of detail of the text.
    pub(crate) fn detail(self) -> Detail {
        if self.verbose { Detail::Full } else { Detail::Compact }
    }
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
    #[arg(long, conflicts_with_all = ["deploy", "format", "local", "machines"])]
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

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables for people.
    Text,
    /// The same as JSON; of a run, the whole of report.json.
    Json,
}
