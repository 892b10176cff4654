//! What the kernel tells of processes without being asked for each: forks and execs
//! ([`connector`]), and a record of every exit ([`taskstats`]).
//!
//! Looking at `/proc` ever so often misses what happens between two looks: a process
//! that is gone by then, and what a process allocated before its end. The kernel
//! misses nothing, and tells it to whoever may know.

mod connector;
mod netlink;
mod taskstats;

use std::io;
use std::time::Duration;

use self::connector::Connector;
use self::taskstats::ExitRecords;
use super::source::News;

/// A time since the machine was started, in the steps in which start times are counted.
fn clock_ticks(since_boot: Duration) -> u64 {
    u64::try_from(since_boot.as_millis() / 10).unwrap_or(u64::MAX)
}

/// The kernel's two ways of telling, as far as they are granted.
pub(super) struct Kernel {
    births: Option<Connector>,
    exits: Option<ExitRecords>,
}

impl Kernel {
    /// Listens to nothing.
    pub(super) fn unheard() -> Self {
        Self { births: None, exits: None }
    }

    /// Listens to forks and execs where that is granted, and to nothing else.
    pub(super) fn births_only() -> Self {
        Self { births: Connector::listen().ok().flatten(), exits: None }
    }

    /// Listens to both.
    ///
    /// # Errors
    ///
    /// When exit records are not granted.
    pub(super) fn all() -> io::Result<Self> {
        let exits = ExitRecords::listen()?;
        Ok(Self { exits: Some(exits), ..Self::births_only() })
    }

    /// Whether it tells of forks and execs.
    pub(super) fn tells_births(&self) -> bool {
        self.births.is_some()
    }

    /// Adds what has happened since it was last asked. Exits come first, so that no
    /// record is there of a process whose birth is not.
    pub(super) fn take(&mut self, news: &mut News) {
        let exits = self.exits.as_mut().map_or(Ok(()), |exits| exits.take(news));
        let births = self.births.as_mut().map_or(Ok(()), |births| births.take(news));
        // A socket that fails has lost whatever came after.
        news.lost += u64::from(exits.is_err()) + u64::from(births.is_err());
    }
}
