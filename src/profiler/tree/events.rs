//! Fork, exec and exit events between two samples.

use std::collections::HashMap;

use super::Tree;
use super::member::Member;
use super::scope::Membership;
use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::process::ProcessStat;
use crate::profiler::classify::{self, Subject};
use crate::profiler::source::{ExitRecord, ForkEvent, Listed, ProcessSource};

/// Members that exited recently, by pid, with the number of the sample that noticed: their
/// events may still arrive. The kernel allocates pids in sequence, so none is reused so soon.
#[derive(Debug, Default)]
pub(super) struct RecentExits(HashMap<u32, (usize, u64)>);

impl RecentExits {
    pub(super) fn add(&mut self, pid: u32, member: usize, round: u64) {
        self.0.insert(pid, (member, round));
    }

    fn get(&self, pid: u32) -> Option<usize> {
        self.0.get(&pid).map(|(member, _)| *member)
    }

    /// Forgets members that exited before the previous sample: all their events have arrived.
    fn forget_before(&mut self, round: u64) {
        self.0.retain(|_, (_, ended)| *ended + 1 >= round);
    }
}

impl<S: ProcessSource> Tree<S> {
    /// Applies the kernel's events since the last call.
    pub(in crate::profiler) fn drain_events(&mut self, at: Timestamp) {
        let mut events = std::mem::take(&mut self.events);
        self.source.drain_events(&mut events);
        // Forks first: execs and exits may be of processes that were forked since.
        for fork in &events.forks {
            self.track_child(*fork, at);
        }
        for &pid in &events.execs {
            if let Some(member) = self.member_by_pid(pid) {
                self.members[member].on_exec();
                self.invalidate(member);
            }
        }
        // Execs before exits: a record of a further thread counts only for an image of its own.
        for record in &events.exits {
            self.apply_exit(record, at);
        }
        if events.dropped > 0 {
            self.dropped_events += events.dropped;
            // A list finds the processes whose fork events were dropped.
            self.must_list = true;
            // Execs may be among the dropped events. A high-water mark that is read again
            // shows them by its drop.
            self.invalidate_all();
        }
        events.clear();
        self.events = events;
        self.recent_exits.forget_before(self.round);
    }

    /// Makes the next reading of a member read its high-water mark.
    pub(super) fn invalidate(&mut self, member: usize) {
        if let Some(handle) = self.members[member].handle() {
            self.source.invalidate(handle);
        }
    }

    /// Number of times that the kernel dropped events.
    pub(in crate::profiler) fn dropped_events(&self) -> u64 {
        self.dropped_events
    }

    /// Index of the member that has this pid, or had it until its recent exit.
    fn member_by_pid(&self, pid: u32) -> Option<usize> {
        // Until the next list the scope still knows members that have exited. Of these, only recent
        // ones may get events.
        let listed = self.scope.member(pid).filter(|&member| self.members[member].is_alive());
        listed.or_else(|| self.recent_exits.get(pid))
    }

    /// Adds the process if its parent is a member.
    fn track_child(&mut self, fork: ForkEvent, at: Timestamp) {
        let Some(parent) = self.member_by_pid(fork.parent) else { return };
        // A list may have found the process before its fork event was drained.
        if self.member_by_pid(fork.pid).is_some() {
            return;
        }
        self.add_forked(fork, parent, at);
    }

    /// Adds a process that was forked, and may have exited since. Returns its index.
    fn add_forked(&mut self, fork: ForkEvent, parent: usize, at: Timestamp) -> usize {
        match self.source.look_up(fork.pid) {
            Some(stat) if !stat.zombie => {
                let (index, handle) = (self.members.len(), self.source.open(fork.pid));
                let mut member = Member::new(stat, Some(parent), false, handle, at);
                member.on_fork();
                self.members.push(member);
                self.alive.push(index);
                // The generation is not known before the next list; `is_same_member` then
                // updates it.
                let listed = Listed { pid: fork.pid, generation: 0 };
                self.scope.set_membership(listed, Membership::Member(index), self.round);
                // If the exec is over already, its event comes after the fork's and starts a new
                // image.
                self.read_command_line(index);
                index
            }
            seen => {
                let identity = ProcessIdentity { pid: fork.pid, started: fork.started };
                // The process was reaped, so its identity is known from the event only.
                let gone = ProcessStat { identity, parent: fork.parent, zombie: true };
                self.add_exited(seen.unwrap_or(gone), Some(parent), at)
            }
        }
    }

    /// Adds a process of the tree that exited before it could be read. Returns its index.
    pub(super) fn add_exited(
        &mut self,
        stat: ProcessStat,
        parent: Option<usize>,
        at: Timestamp,
    ) -> usize {
        let (index, pid) = (self.members.len(), stat.identity.pid);
        // A new member needs a handle; `end_member` below drops it unread.
        let handle = self.source.open(pid);
        let mut member = Member::new(stat, parent, false, handle, at);
        if self.source.has_fork_events() {
            member.on_fork();
        }
        member.set_class(classify::classify(&Subject {
            pid,
            // The command line is gone, so the class follows from the parent.
            command_line: &[],
            is_main: false,
            parent: parent.map(|parent| self.members[parent].class),
            is_fork: false,
        }));
        self.members.push(member);
        self.end_member(index, at);
        index
    }

    fn apply_exit(&mut self, record: &ExitRecord, at: Timestamp) {
        // A record that lacks the process is found by its thread, which is the pid of a first
        // thread.
        let member = self.member_by_pid(record.process.unwrap_or(record.thread));
        let member = match member {
            Some(member) => member,
            // The fork event was dropped. Only the record of a process's first thread is
            // used to add the process.
            None if record.process == Some(record.thread) => {
                let Some(parent) = self.member_by_pid(record.parent) else { return };
                let ExitRecord { thread, parent: of, started, .. } = *record;
                // The process may still be there as a zombie.
                self.add_forked(ForkEvent { pid: thread, parent: of, started }, parent, at)
            }
            None => return,
        };
        self.members[member].apply_exit_record(record);
        if record.is_of_first_thread() {
            // So that this sample notices the exit instead of repeating a cached reading.
            self.invalidate(member);
        }
    }

    /// Marks a member as exited, and tracks it as a recent exit and as a zombie.
    pub(super) fn end_member(&mut self, index: usize, at: Timestamp) {
        let member = &mut self.members[index];
        if member.is_alive() {
            member.set_exited(at);
            let stat = member.stat;
            self.recent_exits.add(stat.identity.pid, index, self.round);
            self.zombies.add(&mut self.source, stat.identity);
            if member.watch.has_readings() {
                self.ended_executors.push(stat.identity);
            }
        }
    }
}
