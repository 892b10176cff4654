//! The flags of `load`: what is asked for, and where its results go.

use std::path::PathBuf;

use clap::Args;
use skyload::record::request::LoadRequest;

use super::Output;

/// Exit codes: 0 pass, 1 tool error, 2 usage, 10 over budget, 11 scenario failed,
/// 12 inconclusive.
#[derive(Args)]
#[command(after_help = "LIST = words separated by spaces or commas. If neither -r nor --api is \
                        given, the plan decides.\nExit codes: 0 pass, 1 tool error, 2 usage, \
                        10 over budget, 11 scenario failed, 12 inconclusive.")]
pub(crate) struct Load {
    #[command(flatten)]
    pub(crate) request: LoadRequest,

    #[command(flatten)]
    pub(crate) results: Results,
}

/// Where results go, which is no part of what is asked for.
#[derive(Args)]
pub(crate) struct Results {
    /// Make the run directory here instead of under target/skyload/runs.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: Output,
}
