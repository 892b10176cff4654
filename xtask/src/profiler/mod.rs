//! The profiler from outside: a process of its own, started, asked, looked at while it
//! works, and ended.

mod live;
mod process;

use skyload::profiler::check_level;
use skyload::record::profile::LevelChoice;

pub(crate) use live::last_ticks;
pub(crate) use process::ProfilerProcess;

/// Why peaks cannot be read here as was asked for in this flag or key, if they cannot.
pub(crate) fn refusal(place: &str, peaks: LevelChoice) -> Option<String> {
    let refused = check_level(peaks).err()?;
    let reason = match std::error::Error::source(&refused) {
        Some(source) => format!("{refused} ({source})"),
        None => refused.to_string(),
    };
    Some(format!("{place}: {reason}"))
}
