//! Flags of `cargo xtask bisect`.

use std::path::PathBuf;

use clap::{Args, value_parser};
use skyload::record::request::LoadRequest;

use super::Results;
use super::ab::PAIRS;

/// Search for the version that made a metric worse, between a good and a bad one: each is compared
/// with the good one as `ab` does.
#[derive(Args)]
#[command(
    after_help = "GOOD and BAD: two releases, two nightly builds (BAD also as `nightly`), or two \
                  commits of a repository on this machine, as git:REPO@REF.\nExit codes: 0 the \
                  version is named, 1 tool error, 2 usage, 12 BAD is not worse, the version is \
                  one of several, or interrupted."
)]
pub(crate) struct Bisect {
    /// SkyPilot that is not worse.
    #[arg(required_unless_present = "resume", value_name = "GOOD")]
    pub(crate) good: Option<String>,

    /// Later SkyPilot that is worse.
    #[arg(required_unless_present = "resume", value_name = "BAD")]
    pub(crate) bad: Option<String>,

    /// Metric that decides, by its name in comparisons, such as long-executor (also
    /// long-executor.peak), tree-pss or cpu-per-iteration.
    #[arg(long, required_unless_present = "resume", value_name = "METRIC")]
    pub(crate) metric: Option<String>,

    /// Most pairs of runs of each comparison [default: 5].
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(PAIRS))]
    pub(crate) pairs: Option<u32>,

    /// Begin no pair that would end after this time, counted from the first comparison; with
    /// --continue, from its continuation.
    #[arg(long, value_name = "TIME")]
    pub(crate) max_time: Option<String>,

    /// Install each version with dependencies as of its own date [default: all as of the newer
    /// date of GOOD and BAD].
    #[arg(long)]
    pub(crate) own_dependencies: bool,

    /// Compare runs although machine or settings differ; every difference is in the comparisons.
    #[arg(long)]
    pub(crate) allow_differences: bool,

    /// Continue a bisection that was interrupted, with its plan and flags [default: the latest].
    #[arg(id = "resume", long = "continue", value_name = "BISECTION", num_args = 0..=1,
          default_missing_value = "latest")]
    pub(crate) resume: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) request: LoadRequest,

    #[command(flatten)]
    pub(crate) results: Results,
}
