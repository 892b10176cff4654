//! Flags of `cargo xtask bisect`.

use clap::Args;

use super::Paired;

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

    #[command(flatten)]
    pub(crate) paired: Paired,
}
