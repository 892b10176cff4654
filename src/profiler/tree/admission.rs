//! Who is listed and was not before: a new member, a stranger, or what is left of one that
//! is known.

use super::Tree;
use super::member::Member;
use super::scope::{Decision, Standing};
use crate::clock::Timestamp;
use crate::process::ProcessGlance;
use crate::profiler::source::{Listed, ProcessSource, Reading};

impl<S: ProcessSource> Tree<S> {
    /// Settles where the processes stand that were not listed before.
    pub(super) fn find_new(&mut self, at: Timestamp) {
        let listed = std::mem::take(&mut self.listed);
        let mut open = Vec::new();
        for &process in &listed {
            match self.scope.standing(process, self.round) {
                Some(Standing::Foreign | Standing::Member(_)) => {}
                Some(Standing::Undecided { since }) => open.push((process, since)),
                None if self.is_still(process) => {}
                None => {
                    self.end_predecessor(process.pid, at);
                    let standing = Standing::Undecided { since: at };
                    self.scope.settle(process, standing, self.round);
                    open.push((process, at));
                }
            }
        }
        // A child may be listed before its parent: again until nothing moves.
        loop {
            let before = open.len();
            open.retain(|&(process, since)| !self.decide(process, since, at));
            if open.is_empty() || open.len() == before {
                break;
            }
        }
        self.scope.forget_unlisted(listed.len(), self.round);
        self.listed = listed;
    }

    /// Whether a process of another generation is the known member all the same:
    /// the kernel may renumber what it holds no open file of.
    pub(super) fn is_still(&mut self, process: Listed) -> bool {
        let Some(index) = self.scope.member(process.pid) else { return false };
        let Some(handle) = self.members[index].handle() else { return false };
        self.source.renew(handle);
        if self.source.read(handle) == Reading::Ended {
            return false;
        }
        self.scope.settle(process, Standing::Member(index), self.round);
        true
    }

    fn end_predecessor(&mut self, pid: u32, at: Timestamp) {
        if let Some(index) = self.scope.member(pid) {
            self.end(index, at);
            self.alive.retain(|&other| other != index);
        }
    }

    /// Decides about one process if that is possible already.
    fn decide(&mut self, process: Listed, since: Timestamp, at: Timestamp) -> bool {
        // Gone again: the next list will not have it.
        let Some(glance) = self.source.look_up(process.pid) else { return true };
        let has_ended = glance.zombie || self.is_ending(glance);
        let standing = match self.scope.decide(&mut self.source, &glance, since, at) {
            Decision::Undecided => return false,
            Decision::Foreign => Standing::Foreign,
            // Nothing to follow; a member, unless it has been one already, or had ended
            // before anybody looked.
            Decision::Member { .. } if glance.zombie && self.round == 1 => {
                self.zombies.add(&mut self.source, glance.identity);
                Standing::Foreign
            }
            Decision::Member { parent, .. } if has_ended => {
                if !self.zombies.knows(glance.identity) {
                    self.add_gone(glance, parent, at);
                }
                Standing::Foreign
            }
            Decision::Member { parent, is_root } => {
                let (index, handle) = (self.members.len(), self.source.open(process.pid));
                self.members.push(Member::new(glance, parent, is_root, handle, at));
                self.alive.push(index);
                // At once: its parent's words may be others after this tick's look.
                self.look(index);
                Standing::Member(index)
            }
        };
        self.scope.settle(process, standing, self.round);
        true
    }

    /// Whether it is a member that was found to have ended, and will be a zombie only soon.
    fn is_ending(&mut self, glance: ProcessGlance) -> bool {
        // Another process may have been given its pid within one step of the clock.
        self.zombies.knows(glance.identity) && {
            let mut handle = self.source.open(glance.identity.pid);
            self.source.read(&mut handle) == Reading::Ended
        }
    }
}
