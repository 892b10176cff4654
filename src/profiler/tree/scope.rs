//! Which processes of the machine belong to the server under test.
//!
//! A member is the root, what members started, and what carries the marker
//! although its parent is gone: a controller that detached itself. Membership is
//! for life; a parent's death does not end it. Never does a name decide: other
//! servers on the machine have the same ones.

use std::collections::HashMap;

use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::process::ProcessGlance;
use crate::profiler::Marker;
use crate::profiler::source::{Listed, ProcessSource};

use super::member::GENUINE_AFTER;

/// Where a process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not ours, and never will be.
    Foreign,
    /// Ours: its place among the members.
    Member(usize),
    /// Nothing speaks for it yet. Its parent may be younger than the list, or it
    /// may be a copy of a titled process, whose environment cannot be read before
    /// its exec.
    Undecided { since: Timestamp },
}

#[derive(Clone, Copy, Debug)]
struct Known {
    generation: u64,
    standing: Standing,
    round: u64,
}

/// What was decided about a process.
pub(super) enum Decision {
    Foreign,
    Undecided,
    /// A member, and its parent's place among the members if it has one there.
    Member {
        parent: Option<usize>,
        is_root: bool,
    },
}

/// All processes of the machine, remembered so that each is decided upon once.
pub(super) struct Scope {
    root: ProcessIdentity,
    marker: Option<Marker>,
    /// Who adopts orphans. Whoever is the root's own parent may be one: it is, where
    /// a user's session has a manager of its own.
    adopters: [u32; 3],
    known: HashMap<u32, Known>,
}

impl Scope {
    pub(super) fn new(root: ProcessIdentity, marker: Option<Marker>) -> Self {
        Self { root, marker, adopters: [0, 1, 1], known: HashMap::new() }
    }

    /// Whether this process was on the list of an earlier round; if so it is
    /// marked as being on this one's.
    pub(super) fn standing(&mut self, listed: Listed, round: u64) -> Option<Standing> {
        let known = self.known.get_mut(&listed.pid)?;
        known.round = round;
        (known.generation == listed.generation).then_some(known.standing)
    }

    /// The member that had this pid when it was last listed.
    pub(super) fn member(&self, pid: u32) -> Option<usize> {
        match self.known.get(&pid)?.standing {
            Standing::Member(index) => Some(index),
            Standing::Foreign | Standing::Undecided { .. } => None,
        }
    }

    /// Remembers what was found out about a process.
    pub(super) fn settle(&mut self, listed: Listed, standing: Standing, round: u64) {
        let Listed { pid, generation } = listed;
        self.known.insert(pid, Known { generation, standing, round });
    }

    /// Forgets processes that are not on the list of this round.
    pub(super) fn forget_unlisted(&mut self, listed: usize, round: u64) {
        if self.known.len() > listed {
            self.known.retain(|_, known| known.round == round);
        }
    }

    /// Whether the process was on the list of this round.
    pub(super) fn is_listed(&self, pid: u32, round: u64) -> bool {
        self.known.get(&pid).is_some_and(|known| known.round == round)
    }

    /// Decides about a process that was undecided `since`.
    pub(super) fn decide(
        &mut self,
        source: &mut impl ProcessSource,
        glance: &ProcessGlance,
        since: Timestamp,
        at: Timestamp,
    ) -> Decision {
        let pid = glance.identity.pid;
        if glance.identity == self.root {
            self.adopters[2] = glance.parent;
            return Decision::Member { parent: None, is_root: true };
        }
        let parent = self.known.get(&glance.parent).map(|known| known.standing);
        match parent {
            Some(Standing::Member(parent)) => {
                return Decision::Member { parent: Some(parent), is_root: false };
            }
            Some(Standing::Foreign) if !self.adopters.contains(&glance.parent) => {
                return Decision::Foreign;
            }
            _ => {}
        }
        match &self.marker {
            Some(marker) if source.carries(pid, marker) => {
                return Decision::Member { parent: None, is_root: false };
            }
            None if self.adopters.contains(&glance.parent) => return Decision::Foreign,
            _ => {}
        }
        if at.since(since) < GENUINE_AFTER { Decision::Undecided } else { Decision::Foreign }
    }
}
