//! Discovery of processes that were not listed before: new members, foreign processes, and
//! zombies of former members.

use super::Tree;
use super::member::Member;
use super::scope::{Decision, Membership};
use crate::clock::Timestamp;
use crate::process::ProcessStat;
use crate::profiler::source::{Listed, ProcessSource, Reading};

impl<S: ProcessSource> Tree<S> {
    /// Decides about the membership of processes that were not listed before.
    pub(super) fn track_new(&mut self, at: Timestamp) {
        let listed = std::mem::take(&mut self.listed);
        let mut open = Vec::new();
        for &process in &listed {
            match self.scope.membership(process, self.round) {
                Some(Membership::Foreign | Membership::Member(_)) => {}
                Some(Membership::Undecided { since }) => open.push((process, since)),
                None if self.is_same_member(process) => {}
                None => {
                    // A new generation, and the old handle cannot be read: the pid was reused.
                    self.end_predecessor(process.pid, at);
                    let membership = Membership::Undecided { since: at };
                    // Before any decision: children are judged by their parent's entry, which must
                    // not be the one of an earlier process with its pid.
                    self.scope.set_membership(process, membership, self.round);
                    open.push((process, at));
                }
            }
        }
        // A child may be listed before its parent: repeat until nothing changes.
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

    /// Whether a process of another generation is still the known member: the inode number
    /// of `/proc/PID` may change while no file below it is open.
    pub(super) fn is_same_member(&mut self, process: Listed) -> bool {
        let Some(index) = self.scope.member(process.pid) else { return false };
        let Some(handle) = self.members[index].handle() else { return false };
        // A cached reading would not show the exit.
        self.source.invalidate(handle);
        if self.source.read(handle) == Reading::Ended {
            return false;
        }
        self.scope.set_membership(process, Membership::Member(index), self.round);
        true
    }

    /// Marks the member that had `pid` before as exited.
    fn end_predecessor(&mut self, pid: u32, at: Timestamp) {
        if let Some(index) = self.scope.member(pid) {
            self.end_member(index, at);
            self.alive.retain(|&other| other != index);
        }
    }

    /// Decides about one process. False if it stays undecided.
    fn decide(&mut self, process: Listed, since: Timestamp, at: Timestamp) -> bool {
        // Exited since it was listed.
        let Some(stat) = self.source.look_up(process.pid) else { return true };
        let has_ended = stat.zombie || self.is_ending(stat);
        let membership = match self.scope.decide(&mut self.source, &stat, since, at) {
            Decision::Undecided => return false,
            Decision::Foreign => Membership::Foreign,
            // A zombie from before the profile: counted as a zombie, not as a process.
            Decision::Member { .. } if stat.zombie && self.round == 1 => {
                self.zombies.add(&mut self.source, stat.identity);
                Membership::Foreign
            }
            Decision::Member { parent, .. } if has_ended => {
                // A former member that is listed while it exits or as a zombie has a record
                // already.
                if !self.zombies.contains(stat.identity) {
                    self.add_exited(stat, parent, at);
                }
                // Nothing is left to read, so later lists may skip the process.
                Membership::Foreign
            }
            Decision::Member { parent, is_root } => {
                let (index, handle) = (self.members.len(), self.source.open(process.pid));
                self.members.push(Member::new(stat, parent, is_root, handle, at));
                self.alive.push(index);
                // Before the parent is read again: a fork is recognised by its parent's
                // command line, which may change.
                self.read_command_line(index);
                Membership::Member(index)
            }
        };
        self.scope.set_membership(process, membership, self.round);
        true
    }

    /// Whether the process is a former member that has freed its memory, and is not a zombie
    /// yet.
    fn is_ending(&mut self, stat: ProcessStat) -> bool {
        // The identity alone does not suffice: a process that reuses the pid within the same
        // clock tick has the same start time.
        self.zombies.contains(stat.identity) && {
            let mut handle = self.source.open(stat.identity.pid);
            self.source.read(&mut handle) == Reading::Ended
        }
    }
}
