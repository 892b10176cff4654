//! How exactly peaks can be read here: what was asked for, what the machine grants.

use std::io;

use crate::record::profile::LevelChoice;

/// Why peaks cannot be read as they are to be.
#[derive(Debug, thiserror::Error)]
pub enum LevelRefused {
    /// The kernel's exit records are not granted.
    #[error("this machine does not grant the kernel's exit records{}", hint(.0))]
    ExitRecords(#[source] io::Error),
    /// There are no high-water marks on this system.
    #[error("this system keeps no high-water marks of processes")]
    NoMarks,
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => " to this user: they are root's, or CAP_NET_ADMIN's",
        _ => "",
    }
}

/// Whether peaks can be read so here. Leaves nothing open.
///
/// # Errors
///
/// When not, with the reason.
pub fn check_level(choice: LevelChoice) -> Result<(), LevelRefused> {
    #[cfg(target_os = "linux")]
    return match choice {
        LevelChoice::ExitRecords => {
            super::kernel::Kernel::all().map(|_| ()).map_err(LevelRefused::ExitRecords)
        }
        LevelChoice::Best | LevelChoice::HighWaterMark | LevelChoice::Sampled => Ok(()),
    };
    #[cfg(not(target_os = "linux"))]
    match choice {
        LevelChoice::Best | LevelChoice::Sampled => Ok(()),
        LevelChoice::ExitRecords | LevelChoice::HighWaterMark => Err(LevelRefused::NoMarks),
    }
}

#[cfg(target_os = "linux")]
pub(super) mod linux {
    //! What Linux grants.

    use std::fs;
    use std::time::Duration;

    use super::{LevelChoice, LevelRefused, io};
    use crate::profiler::DEFAULT_INTERVAL;
    use crate::profiler::kernel::Kernel;
    use crate::profiler::procfs::ProcFs;
    use crate::record::profile::ProfilerLevel;

    /// Opens `/proc` for who only looks.
    pub(in crate::profiler) fn plain() -> ProcFs {
        ProcFs::new(ProfilerLevel::HighWaterMark, Kernel::unheard(), DEFAULT_INTERVAL)
    }

    /// Opens `/proc` to read the tree of `root` once in each interval, with all that is
    /// granted and asked for.
    pub(in crate::profiler) fn open(
        choice: LevelChoice,
        root: u32,
        interval: Duration,
    ) -> Result<ProcFs, LevelRefused> {
        let marks = match fs::read(format!("/proc/{root}/environ")) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                ProfilerLevel::HighWaterMarkOfAnother
            }
            _ => ProfilerLevel::HighWaterMark,
        };
        let (level, kernel) = match (choice, Kernel::all()) {
            (LevelChoice::HighWaterMark, _) => (marks, Kernel::births_only()),
            (_, Ok(kernel)) => (ProfilerLevel::ExitRecords, kernel),
            (LevelChoice::ExitRecords, Err(error)) => return Err(LevelRefused::ExitRecords(error)),
            (_, Err(_)) => (marks, Kernel::births_only()),
        };
        Ok(ProcFs::new(level, kernel, interval))
    }
}
