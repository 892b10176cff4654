//! Flags of `cargo xtask profile`, and of the profiler's process.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use skyload::record::profile::LevelChoice;

use super::Format;

#[derive(Args)]
#[command(
    after_help = "Ctrl-C, SIGTERM, --for and the server's exit all stop the profile cleanly.\n\
                        Exit codes: 0 profile complete, 1 tool error, 2 usage."
)]
pub(crate) struct Profile {
    /// Port of the API server on this machine [default: 46580, SkyPilot's default].
    #[arg(long, value_name = "N", conflicts_with = "pid")]
    pub(crate) port: Option<u16>,

    /// Pid of any process, to profile with its descendants.
    #[arg(long, value_name = "P")]
    pub(crate) pid: Option<u32>,

    /// Sampling interval.
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = interval)]
    pub(crate) interval: Duration,

    /// Time limit of the profile [default: until Ctrl-C].
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) time: Option<Duration>,

    /// Level of peaks: the most exact available one, or a given one.
    #[arg(long, value_enum, default_value_t = LevelChoice::Best)]
    pub(crate) peaks: LevelChoice,

    /// Executor figures by the method of upstream's `sys_profiling.py`, in addition.
    #[arg(long)]
    pub(crate) upstream_figures: bool,

    /// Parent of the profile's directory [default: target/skyload/profiles].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Format of the summary on standard output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// Parses a sampling interval of at least 1 ms, which leaves the machine time for other work.
fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match interval >= Duration::from_millis(1) {
        true => Ok(interval),
        false => Err("expected at least 1ms".to_owned()),
    }
}

#[derive(Args)]
pub(crate) struct Profiler {
    /// Options of the profiler as one JSON value.
    pub(crate) options: String,
}
