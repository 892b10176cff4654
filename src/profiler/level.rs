//! Exactness of peaks: the level that was requested, and those available on this machine.

use std::io;

use crate::record::profile::LevelChoice;

/// Reason why the requested level is not available.
#[derive(Debug, thiserror::Error)]
pub enum LevelUnavailable {
    /// Exit records not available: no permission, no kernel support, or another namespace.
    #[error("the kernel's exit records (taskstats) are not available{}", hint(.0))]
    ExitRecords(#[source] io::Error),
    /// High-water marks not available: an operating system other than Linux.
    #[error("high-water marks (VmHWM) are not available on this operating system")]
    NoHighWaterMarks,
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => ": expected root or CAP_NET_ADMIN",
        _ => "",
    }
}

/// Checks whether a level is available, and closes everything that it opened.
///
/// # Errors
///
/// If the level is not available, with the reason.
pub fn check_level(choice: LevelChoice) -> Result<(), LevelUnavailable> {
    #[cfg(target_os = "linux")]
    return match choice {
        LevelChoice::ExitRecords => {
            super::kernel::Kernel::all().map(|_| ()).map_err(LevelUnavailable::ExitRecords)
        }
        LevelChoice::Best | LevelChoice::HighWaterMark | LevelChoice::Sampled => Ok(()),
    };
    #[cfg(not(target_os = "linux"))]
    match choice {
        LevelChoice::Best | LevelChoice::Sampled => Ok(()),
        LevelChoice::ExitRecords | LevelChoice::HighWaterMark => {
            Err(LevelUnavailable::NoHighWaterMarks)
        }
    }
}

#[cfg(target_os = "linux")]
pub(super) mod linux {
    //! Levels on Linux.

    use std::fs;
    use std::time::Duration;

    use super::{LevelChoice, LevelUnavailable, io};
    use crate::profiler::DEFAULT_INTERVAL;
    use crate::profiler::kernel::Kernel;
    use crate::profiler::procfs::ProcFs;
    use crate::record::profile::ProfilerLevel;

    /// Opens `/proc` without kernel events.
    pub(in crate::profiler) fn plain() -> ProcFs {
        ProcFs::new(ProfilerLevel::HighWaterMark, Kernel::without_events(), DEFAULT_INTERVAL)
    }

    /// Opens `/proc` to sample the tree of `root` once per interval, at the requested
    /// level, or for [`LevelChoice::Best`] at the best one available.
    pub(in crate::profiler) fn open(
        choice: LevelChoice,
        root: u32,
        interval: Duration,
    ) -> Result<ProcFs, LevelUnavailable> {
        // `environ` has the access check that `smaps_rollup` and `fd` have as well.
        let without_records = match fs::read(format!("/proc/{root}/environ")) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                ProfilerLevel::HighWaterMarkOfAnother
            }
            // Only a permission error shows another user's process; the root may also have exited.
            _ => ProfilerLevel::HighWaterMark,
        };
        let (level, kernel) = match (choice, Kernel::all()) {
            (LevelChoice::HighWaterMark, _) => (without_records, Kernel::forks_only()),
            (_, Ok(kernel)) => (ProfilerLevel::ExitRecords, kernel),
            (LevelChoice::ExitRecords, Err(error)) => {
                return Err(LevelUnavailable::ExitRecords(error));
            }
            (_, Err(_)) => (without_records, Kernel::forks_only()),
        };
        Ok(ProcFs::new(level, kernel, interval))
    }
}
