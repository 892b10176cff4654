//! Flags of `cargo xtask ab`.

use clap::Args;

use super::Paired;

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

    #[command(flatten)]
    pub(crate) paired: Paired,
}
