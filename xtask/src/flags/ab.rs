//! Flags of `cargo xtask ab`.

use std::path::PathBuf;

use clap::{Args, value_parser};
use skyload::record::request::LoadRequest;

use super::Results;

/// Fewest and most pairs of a comparison.
pub(super) const PAIRS: std::ops::RangeInclusive<i64> = 3..=100;

/// Runs of two SkyPilots, alternately, until each metric that decides is decided, and compares them.
#[derive(Args)]
#[command(
    after_help = "BASE and CANDIDATE: as --sky of `load`. A checkout alone is compared with \
                        its merge base with the main branch.\nExit codes: 0 same or better, 1 tool \
                        error, 2 usage, 10 worse, 11 scenario failed in the candidate alone, 12 \
                        undecided or interrupted."
)]
pub(crate) struct Ab {
    /// SkyPilot that is compared with; a checkout without a candidate is the candidate.
    #[arg(required_unless_present = "resume", value_name = "BASE")]
    pub(crate) base: Option<String>,

    /// SkyPilot that is judged.
    #[arg(value_name = "CANDIDATE")]
    pub(crate) candidate: Option<String>,

    /// Most pairs of runs, one run of each version [default: 5].
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(PAIRS))]
    pub(crate) pairs: Option<u32>,

    /// Begin no pair that would end after this time, counted from the first pair; with --continue,
    /// from its continuation.
    #[arg(long, value_name = "TIME")]
    pub(crate) max_time: Option<String>,

    /// Install each version with dependencies as of its own date, as users have them [default:
    /// both as of the newer date].
    #[arg(long)]
    pub(crate) own_dependencies: bool,

    /// Compare runs although machine or settings differ; every difference is in the result.
    #[arg(long)]
    pub(crate) allow_differences: bool,

    /// Continue a comparison that was interrupted, with its plan and flags [default: the latest].
    #[arg(id = "resume", long = "continue", value_name = "COMPARISON", num_args = 0..=1,
          default_missing_value = "latest")]
    pub(crate) resume: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) request: LoadRequest,

    #[command(flatten)]
    pub(crate) results: Results,
}
