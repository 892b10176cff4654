//! How exactly peaks can be read here: what was asked for, what the machine grants.

use std::io;

use serde::{Deserialize, Serialize};

/// How peaks are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LevelChoice {
    /// As exactly as the machine grants.
    #[default]
    Best,
    /// With the kernel's exit records, or not at all.
    ExitRecords,
    /// By high-water marks at each tick, even where more would be granted.
    HighWaterMark,
    /// By sampling resident memory, even where there are marks.
    Sampled,
}

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

impl LevelChoice {
    /// Whether it can be had here, without leaving anything open.
    ///
    /// # Errors
    ///
    /// When not, with the reason.
    pub fn check(self) -> Result<(), LevelRefused> {
        #[cfg(target_os = "linux")]
        return match self {
            Self::ExitRecords => {
                super::kernel::Kernel::all().map(|_| ()).map_err(LevelRefused::ExitRecords)
            }
            Self::Best | Self::HighWaterMark | Self::Sampled => Ok(()),
        };
        #[cfg(not(target_os = "linux"))]
        match self {
            Self::Best | Self::Sampled => Ok(()),
            Self::ExitRecords | Self::HighWaterMark => Err(LevelRefused::NoMarks),
        }
    }
}

#[cfg(target_os = "linux")]
pub(super) mod linux {
    //! What Linux grants.

    use std::fs;

    use super::{LevelChoice, LevelRefused, io};
    use crate::profiler::kernel::Kernel;
    use crate::profiler::procfs::ProcFs;
    use crate::sample::ProfilerLevel;

    /// Opens `/proc` to read the tree of `root`, with all that is granted and asked for.
    pub(in crate::profiler) fn open(
        choice: LevelChoice,
        root: u32,
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
        Ok(ProcFs::new(level, kernel))
    }
}
