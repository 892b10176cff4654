//! Flags of the commands on finished runs: `report`, `recommend`, `runs`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use skyload::render::series::SeriesFormat;
use skyload::render::text::Detail;

#[derive(Args)]
pub(crate) struct Report {
    /// Directory or id of a run or of a profile.
    #[arg(default_value = "latest")]
    pub(crate) run: PathBuf,

    /// Merge this profile from the server's machine into the run first.
    #[arg(long, value_name = "PATH")]
    pub(crate) server_profile: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) files: Files,

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

/// Further files of a run's results.
#[derive(Args, Clone, Copy)]
pub(crate) struct Files {
    /// Write the run's series over time, too: series.csv or series.jsonl.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) out_series: Option<SeriesFormat>,
}

impl Output {
    /// Amount of detail of the text.
    pub(crate) fn detail(self) -> Detail {
        if self.verbose { Detail::Full } else { Detail::Compact }
    }
}

/// Recommended memory constants: for each the largest peak of the runs, with headroom.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 recommendation, 1 tool error, 2 usage or unusable run, \
                        12 no constant can be recommended.")]
pub(crate) struct Recommend {
    /// Directories or ids of runs of one SkyPilot.
    #[arg(default_value = "latest")]
    pub(crate) runs: Vec<PathBuf>,

    /// Machines for which to show the number of workers that SkyPilot starts, as CPUs x GiB,
    /// separated by commas [default: 2x4,2x8,4x16,8x32,16x64].
    #[arg(long, value_name = "LIST")]
    pub(crate) machines: Vec<String>,

    /// Show workers of servers in deploy mode only [default: both modes].
    #[arg(long, conflicts_with = "local")]
    pub(crate) deploy: bool,

    /// Show workers of servers in local mode only.
    #[arg(long)]
    pub(crate) local: bool,

    /// Print a patch of SkyPilot instead, for `git apply` in a checkout or an unpacked wheel.
    #[arg(long, conflicts_with_all = ["deploy", "format", "local", "machines"])]
    pub(crate) patch: bool,

    /// Format of the recommendation on standard output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Runs {
    #[command(subcommand)]
    pub(crate) act: Option<RunsAct>,

    /// Directory of runs that were made with `load --out DIR`.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Format of the list on standard output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Subcommand)]
pub(crate) enum RunsAct {
    /// Remove old runs, except those that are running or need cleanup.
    Prune(Prune),
}

#[derive(Args)]
pub(crate) struct Prune {
    /// Keep the newest N runs.
    #[arg(long, value_name = "N", default_value_t = 10, allow_hyphen_values = true)]
    pub(crate) keep: usize,

    /// Remove only runs that started longer ago than this, such as 30d.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) older_than: Option<Duration>,

    /// Show which runs would be removed, without removing any.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Directory of runs that were made with `load --out DIR`.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables.
    Text,
    /// JSON; for a run, all of report.json.
    Json,
}
