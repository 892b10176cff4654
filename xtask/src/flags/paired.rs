//! Flags of the commands that make runs of two SkyPilots pair by pair: `ab` and `bisect`.

use std::path::PathBuf;

use clap::{Args, value_parser};
use skyload::record::request::LoadRequest;

use super::Results;

/// Fewest and most pairs of a comparison.
const PAIRS: std::ops::RangeInclusive<i64> = 3..=100;

// Without a doc comment, which clap would take for the help of the command.
#[derive(Args)]
pub(crate) struct Paired {
    /// Most pairs of runs of a comparison, one run of each version [default: 5].
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(PAIRS))]
    pub(crate) pairs: Option<u32>,

    /// Begin no pair that would end after this time, counted from the first pair; with --continue,
    /// from its continuation.
    #[arg(long, value_name = "TIME")]
    pub(crate) max_time: Option<String>,

    /// Install each version with dependencies as of its own date, as users have them [default:
    /// all as of the newer date of both].
    #[arg(long)]
    pub(crate) own_dependencies: bool,

    /// Compare runs although machine or settings differ; every difference is in the result.
    #[arg(long)]
    pub(crate) allow_differences: bool,

    /// Continue what was interrupted, with its plan and flags [default: the latest].
    #[arg(id = "resume", long = "continue", value_name = "ID", num_args = 0..=1,
          default_missing_value = "latest")]
    pub(crate) resume: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) request: LoadRequest,

    #[command(flatten)]
    pub(crate) results: Results,
}

impl Paired {
    /// Whether there are flags that a comparison has from its beginning, and cannot get later.
    pub(crate) fn has_any_of_a_new_one(&self) -> bool {
        let yes = self.request.yes;
        let is_of_request = self.request != LoadRequest { yes, ..LoadRequest::default() };
        is_of_request || self.own_dependencies || self.results.out.is_some()
    }
}
