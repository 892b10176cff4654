//! The flags of `profile`, and of the process that profiles.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use skyload::record::profile::LevelChoice;

use super::Format;

#[derive(Args)]
#[command(
    after_help = "Ctrl-C, SIGTERM, --for and the server's own end all end it in good order.\n\
                        Exit codes: 0 the profile was made, 1 tool error, 2 usage."
)]
pub(crate) struct Profile {
    /// The port of the API server [default: 46580, SkyPilot's own].
    #[arg(long, value_name = "N", conflicts_with = "pid")]
    pub(crate) port: Option<u16>,

    /// Any process, instead: it and all that it starts are profiled.
    #[arg(long, value_name = "P")]
    pub(crate) pid: Option<u32>,

    /// Distance between two looks at the processes.
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = interval)]
    pub(crate) interval: Duration,

    /// End after this time [default: at Ctrl-C].
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) time: Option<Duration>,

    /// How peaks are read.
    #[arg(long, value_enum, default_value_t = LevelChoice::Best)]
    pub(crate) peaks: LevelChoice,

    /// Also show the executors' figures as the original tool came by them.
    #[arg(long)]
    pub(crate) upstream_figures: bool,

    /// Make the profile's directory here instead of under target/skyload/profiles.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// What is written to standard output at the end.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// An interval at which a machine can do other things as well.
fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match interval >= Duration::from_millis(1) {
        true => Ok(interval),
        false => Err("it must be at least 1ms".to_owned()),
    }
}

#[derive(Args)]
pub(crate) struct Profiler {
    /// Its options as one JSON value.
    pub(crate) options: String,
}
