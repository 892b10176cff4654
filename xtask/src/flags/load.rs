//! Flags of `load`: the request, and where results go.

use std::path::PathBuf;

use clap::{Args, value_parser};
use skyload::record::request::LoadRequest;

use super::{Files, Output};

/// Exit codes: 0 pass, 1 tool error, 2 usage, 10 over budget, 11 scenario failed,
/// 12 inconclusive.
#[derive(Args)]
#[command(after_help = "LIST: words separated by spaces or commas. Without -r and --api, the \
                        plan selects the scenarios.\nExit codes: 0 pass, 1 tool error, 2 usage, \
                        10 over budget, 11 scenario failed, 12 inconclusive.")]
pub(crate) struct Load {
    #[command(flatten)]
    pub(crate) request: LoadRequest,

    /// Run the plan N times, one whole run after the other, such as for `compare` [default: 1].
    #[arg(long, value_name = "N", default_value_t = 1, hide_default_value = true,
          value_parser = value_parser!(u32).range(1..=100))]
    pub(crate) repeat: u32,

    /// Serve a live page of the run on 127.0.0.1, on this port or on a free one.
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "0")]
    pub(crate) live: Option<u16>,

    #[command(flatten)]
    pub(crate) results: Results,
}

/// Flags for results, which are not part of the request.
#[derive(Args, Clone)]
pub(crate) struct Results {
    /// Directory for the results of runs [default: target/skyload/runs].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) files: Files,

    #[command(flatten)]
    pub(crate) output: Output,
}
