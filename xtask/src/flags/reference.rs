//! Flags of `cargo xtask reference`.

use std::path::PathBuf;

use clap::{Args, Subcommand, value_parser};

use super::{Format, Output};

/// Fewest and most runs that a check makes.
const RUNS: std::ops::RangeInclusive<i64> = 3..=100;

#[derive(Subcommand)]
pub(crate) enum Reference {
    /// Store finished runs of one SkyPilot in a file that can be committed.
    Set(ReferenceSet),
    /// Show what a reference has: runs, amounts, conditions.
    Show(ReferenceShow),
    /// Compare a SkyPilot with the reference: make its runs, or take finished ones.
    Check(Box<ReferenceCheck>),
}

/// Store finished runs of one SkyPilot in a file that can be committed.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 stored, 1 tool error, 2 usage or runs that make no reference."
)]
pub(crate) struct ReferenceSet {
    /// Directories or ids of at least three runs, such as of `load --repeat 5`.
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) file: ReferenceFile,
}

/// Show what a reference has: runs, amounts, conditions.
#[derive(Args)]
pub(crate) struct ReferenceShow {
    #[command(flatten)]
    pub(crate) file: ReferenceFile,

    /// Form of the reference on standard output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// Compare a SkyPilot with the reference: make its runs with the load of the reference, or take
/// finished ones.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 same or better, 1 tool error, 2 usage or runs of another \
                        load, 10 worse, 11 scenario failed that did not fail in the reference, 12 \
                        undecided, or nothing to compare under these conditions.")]
pub(crate) struct ReferenceCheck {
    /// Directories or ids of at least three finished runs [default: make them].
    #[arg(value_name = "RUN", conflicts_with_all = ["sky", "dependencies_as_of", "repeat", "yes"])]
    pub(crate) runs: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) file: ReferenceFile,

    /// SkyPilot to run, as for `load` [default: as the reference's runs were asked for].
    #[arg(long, value_name = "VERSION|nightly|PATH|git:REPO@REF")]
    pub(crate) sky: Option<String>,

    /// Resolve SkyPilot's dependencies as of this day or time in UTC, as for `load`.
    #[arg(long, value_name = "DATE")]
    pub(crate) dependencies_as_of: Option<String>,

    /// Number of usable runs to make [default: 3].
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(RUNS))]
    pub(crate) repeat: Option<u32>,

    /// Run without asking, as for `load`.
    #[arg(long)]
    pub(crate) yes: bool,

    /// Configuration file with plans, tolerances and deciding metrics [default: as the reference's
    /// runs, or skyload.toml].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// File of a reference.
#[derive(Args)]
pub(crate) struct ReferenceFile {
    /// File of the reference [default: skyload-reference.json in the checkout].
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}
