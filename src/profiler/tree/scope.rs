//! Membership: which processes of the machine belong to the server under test.
//!
//! Members are the root, the descendants of members, and processes with the marker in
//! their environment whose parent has exited, such as a detached controller. A member
//! stays one after the exit of its parent. Names are never used: other servers on the
//! machine have the same ones.

use std::collections::HashMap;

use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::process::ProcessStat;
use crate::profiler::Marker;
use crate::profiler::source::{Listed, ProcessSource};

use super::member::PRE_EXEC_LIMIT;

/// Membership of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Membership {
    /// Process of another server or user; final.
    Foreign,
    /// Member, with its index.
    Member(usize),
    /// Undecided process: the parent may have started after the list was read, or the process
    /// may be a fork of a process with a title, whose environment cannot be read before its
    /// exec.
    Undecided { since: Timestamp },
}

/// Entry of [`Scope::known`]; `round` is the last sample that listed the process.
#[derive(Clone, Copy, Debug)]
struct Known {
    generation: u64,
    membership: Membership,
    round: u64,
}

/// Decision about the membership of a process.
pub(super) enum Decision {
    Foreign,
    Undecided,
    /// Member, with the index of its parent if that is a member.
    Member {
        parent: Option<usize>,
        is_root: bool,
    },
}

/// Membership of all processes of the machine, so that each is decided once.
pub(super) struct Scope {
    root: ProcessIdentity,
    marker: Option<Marker>,
    /// Pids of processes that adopt orphans: 0, init, and the parent of the root, which is a
    /// subreaper where a user's session has its own service manager.
    reapers: [u32; 3],
    known: HashMap<u32, Known>,
}

impl Scope {
    pub(super) fn new(root: ProcessIdentity, marker: Option<Marker>) -> Self {
        // The third reaper is unknown until the root is looked up; 1 is a placeholder.
        Self { root, marker, reapers: [0, 1, 1], known: HashMap::new() }
    }

    /// Membership of a process that was listed before, and notes that it is listed in
    /// `round`. `None` if it is new or its pid was reused.
    pub(super) fn membership(&mut self, listed: Listed, round: u64) -> Option<Membership> {
        let known = self.known.get_mut(&listed.pid)?;
        known.round = round;
        (known.generation == listed.generation).then_some(known.membership)
    }

    /// Index of the member that had this pid at the last list.
    pub(super) fn member(&self, pid: u32) -> Option<usize> {
        match self.known.get(&pid)?.membership {
            Membership::Member(index) => Some(index),
            Membership::Foreign | Membership::Undecided { .. } => None,
        }
    }

    /// Stores the membership of a process.
    pub(super) fn set_membership(&mut self, listed: Listed, membership: Membership, round: u64) {
        let Listed { pid, generation } = listed;
        self.known.insert(pid, Known { generation, membership, round });
    }

    /// Forgets processes that were not listed in `round`.
    pub(super) fn forget_unlisted(&mut self, listed: usize, round: u64) {
        // Each listed process has an entry, so any surplus is of processes that have exited.
        if self.known.len() > listed {
            self.known.retain(|_, known| known.round == round);
        }
    }

    /// Whether the process was listed in `round`.
    pub(super) fn is_listed(&self, pid: u32, round: u64) -> bool {
        self.known.get(&pid).is_some_and(|known| known.round == round)
    }

    /// Decides about a process that has been undecided since `since`.
    pub(super) fn decide(
        &mut self,
        source: &mut impl ProcessSource,
        stat: &ProcessStat,
        since: Timestamp,
        at: Timestamp,
    ) -> Decision {
        let pid = stat.identity.pid;
        if stat.identity == self.root {
            self.reapers[2] = stat.parent;
            return Decision::Member { parent: None, is_root: true };
        }
        let parent = self.known.get(&stat.parent).map(|known| known.membership);
        match parent {
            Some(Membership::Member(parent)) => {
                return Decision::Member { parent: Some(parent), is_root: false };
            }
            // The child of a reaper may be an orphan of the server, which only its marker shows.
            Some(Membership::Foreign) if !self.reapers.contains(&stat.parent) => {
                return Decision::Foreign;
            }
            _ => {}
        }
        match &self.marker {
            // A process that has set its title shows no marker: the title overwrites `environ`.
            Some(marker) if source.has_marker(pid, marker) => {
                return Decision::Member { parent: None, is_root: false };
            }
            // Without a marker, nothing shows where an orphan came from.
            None if self.reapers.contains(&stat.parent) => return Decision::Foreign,
            _ => {}
        }
        if at.since(since) < PRE_EXEC_LIMIT { Decision::Undecided } else { Decision::Foreign }
    }
}
