//! Client side of the profiler, which runs in a process of its own.

mod live;
mod process;

use skyload::profiler::check_level;
use skyload::record::profile::LevelChoice;

pub(crate) use live::{last_lines, last_samples};
pub(crate) use process::ProfilerProcess;

/// Usage error if the selected level of reading peaks is not available on this machine.
/// `setting` is the flag or key that selects the level.
pub(crate) fn unavailable_level(setting: &str, peaks: LevelChoice) -> Option<String> {
    let error = check_level(peaks).err()?;
    let reason = match std::error::Error::source(&error) {
        Some(source) => format!("{error} ({source})"),
        None => error.to_string(),
    };
    Some(format!("{setting}: {reason}"))
}
