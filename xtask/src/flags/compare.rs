//! Flags of `cargo xtask compare`.

use std::path::PathBuf;

use clap::Args;

use super::Output;

/// Verdict on two SkyPilots, by at least three finished runs of each. As many runs of both are
/// compared in pairs, in their order.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 same or better, 1 tool error, 2 usage or runs that are not \
                        comparable, 10 worse, 11 scenario failed in the candidate alone, \
                        12 undecided.")]
pub(crate) struct Compare {
    /// Directories or ids of the runs of the base.
    #[arg(required = true, value_name = "BASE")]
    pub(crate) base: Vec<PathBuf>,

    /// Directories or ids of the runs of the candidate.
    #[arg(long, required = true, num_args = 1.., value_name = "CANDIDATE")]
    pub(crate) with: Vec<PathBuf>,

    /// Compare runs although plans, machines or settings differ; every difference is printed.
    #[arg(long)]
    pub(crate) allow_differences: bool,

    /// Configuration file with tolerances and deciding metrics [default: skyload.toml].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Parent of the comparison's directory [default: target/skyload/comparisons].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: Output,
}
