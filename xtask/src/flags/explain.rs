//! Flags of `explain`.

use std::path::PathBuf;

use clap::Args;

use super::results::Output;

/// Explanation of a run's largest peaks: their requests once more, one at a time, in fresh servers
/// whose executors are traced.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 at least one peak explained, 1 tool error, 2 usage or \
                        unusable run, 12 no peak could be explained, or interrupted.")]
pub(crate) struct Explain {
    /// Directory or id of a run on an isolated server.
    #[arg(default_value = "latest")]
    pub(crate) run: PathBuf,

    /// Number of peaks to explain, each with another cause.
    #[arg(long, value_name = "N", default_value_t = 3, allow_hyphen_values = true)]
    pub(crate) top: usize,

    #[command(flatten)]
    pub(crate) output: Output,
}
