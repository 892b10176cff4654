//! Kills by the kernel for lack of memory (OOM) in a server's control group, and whether the
//! group's own limit was the reason.
//!
//! The kernel counts the killed processes of a group whatever was short of memory: the group
//! itself, one above it, or the machine. Only a group that was at its own limit just before says
//! that its size was the reason.

use super::super::groups::{Version, entry, number};
use super::ServerGroup;

/// Counts of a server's group at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OomCounts {
    /// Number of processes that the kernel killed for lack of memory, anywhere.
    pub kills: u64,
    /// Number of times that the group was at its own limit: in version 2 without any memory left
    /// to reclaim, in version 1 also with some, such as page cache.
    pub at_limit: u64,
}

/// Processes of a server's group that the kernel killed for lack of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OomKills {
    /// Number of processes killed at the limit of the group, which is the size of the server.
    AtSize(u64),
    /// Number of processes killed while the group was below its limit, for lack of memory of the
    /// machine or of a group above.
    BelowSize(u64),
}

/// Readings of a server's group, one after the other, that show kills.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OomReadings {
    last: OomCounts,
    /// Times at the limit at the reading before the last one.
    at_limit_before: u64,
}

impl OomReadings {
    /// Adds a reading; returns the kills since the last one, if there are any.
    pub fn add(&mut self, counts: OomCounts) -> Option<OomKills> {
        let killed = counts.kills.saturating_sub(self.last.kills);
        // The kernel counts the limit before the kill, so the last reading may have been in between.
        let was_at_limit = counts.at_limit > self.at_limit_before;
        *self = Self { at_limit_before: self.last.at_limit, last: counts };
        match (killed, was_at_limit) {
            (0, _) => None,
            (killed, true) => Some(OomKills::AtSize(killed)),
            (killed, false) => Some(OomKills::BelowSize(killed)),
        }
    }
}

impl ServerGroup {
    /// Counts so far; `None` if this kernel does not count kills.
    pub fn oom_counts(&self) -> Option<OomCounts> {
        let memory = |name: &str| self.place.memory.folder.join(name);
        // Kills first: a kill in between the two readings is then not without its limit.
        let kills = self.oom_kills()?;
        let at_limit = match self.place.memory.version {
            Version::V1 => number(&memory("memory.failcnt")),
            Version::V2 => entry(&memory("memory.events"), "oom"),
        };
        Some(OomCounts { kills, at_limit: at_limit? })
    }

    /// Kills since the creation of the group; `None` without any.
    pub fn kills_so_far(&self) -> Option<OomKills> {
        OomReadings::default().add(self.oom_counts()?)
    }

    /// Number of processes that the kernel killed for lack of memory so far, anywhere.
    pub(super) fn oom_kills(&self) -> Option<u64> {
        let file = match self.place.memory.version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        entry(&self.place.memory.folder.join(file), "oom_kill")
    }
}
