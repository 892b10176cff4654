//! Process events that the kernel sends: forks and execs ([`connector`]), and a record of
//! every exit ([`taskstats`]).
//!
//! Sampling `/proc` misses processes that start and exit between two samples, and memory
//! that a process allocates after its last sample. Kernel events cover both, where the
//! kernel permits them.

mod connector;
mod netlink;
mod taskstats;

use std::io;
use std::time::Duration;

use self::connector::Connector;
use self::taskstats::ExitRecords;
use super::source::ProcessEvents;

/// Time since boot in clock ticks of 10 ms, the unit of start times in `/proc`.
fn clock_ticks(since_boot: Duration) -> u64 {
    // `USER_HZ` is 100 on x86-64 and on ARM64.
    u64::try_from(since_boot.as_millis() / 10).unwrap_or(u64::MAX)
}

/// Sources of events, each if it is available.
pub(super) struct Kernel {
    forks: Option<Connector>,
    exits: Option<ExitRecords>,
}

impl Kernel {
    /// Source without any events.
    pub(super) fn without_events() -> Self {
        Self { forks: None, exits: None }
    }

    /// Subscribes to forks and execs if available, and not to exits.
    pub(super) fn forks_only() -> Self {
        // The reason is not needed: without fork events the tree lists the processes at each
        // sample.
        Self { forks: Connector::listen().ok().flatten(), exits: None }
    }

    /// Subscribes to exits, and to forks and execs if available.
    ///
    /// # Errors
    ///
    /// If exit records are not available.
    pub(super) fn all() -> io::Result<Self> {
        let exits = ExitRecords::listen()?;
        Ok(Self { exits: Some(exits), ..Self::forks_only() })
    }

    /// Whether forks and execs are reported.
    pub(super) fn has_fork_events(&self) -> bool {
        self.forks.is_some()
    }

    /// Appends the events since the last call to `events`. Exits are read first: a process
    /// whose exit is read then has its fork in the other queue already.
    pub(super) fn drain(&mut self, events: &mut ProcessEvents) {
        let exits = self.exits.as_mut().map_or(Ok(()), |exits| exits.drain(events));
        let forks = self.forks.as_mut().map_or(Ok(()), |forks| forks.drain(events));
        // A socket that fails has dropped the events after the error.
        events.dropped += u64::from(exits.is_err()) + u64::from(forks.is_err());
    }
}
