//! What the kernel tells between two looks: births, execs, exits.

use std::collections::HashMap;

use super::Tree;
use super::member::Member;
use super::scope::Standing;
use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::process::ProcessGlance;
use crate::profiler::classify::{self, Subject};
use crate::profiler::source::{Birth, ExitRecord, Listed, ProcessSource};

/// Members that ended lately, by pid: the kernel may still have something to tell of
/// them. No pid is given out again so soon: all others come first.
#[derive(Debug, Default)]
pub(super) struct Departed(HashMap<u32, (usize, u64)>);

impl Departed {
    pub(super) fn add(&mut self, pid: u32, member: usize, round: u64) {
        self.0.insert(pid, (member, round));
    }

    fn get(&self, pid: u32) -> Option<usize> {
        self.0.get(&pid).map(|(member, _)| *member)
    }

    /// Forgets those that were found to be gone before the last round: whatever the
    /// kernel had to tell of them has come.
    fn forget_before(&mut self, round: u64) {
        self.0.retain(|_, (_, ended)| *ended + 1 >= round);
    }
}

impl<S: ProcessSource> Tree<S> {
    /// Takes what the kernel has told since it was last heard.
    pub(in crate::profiler) fn hear(&mut self, at: Timestamp) {
        let mut news = std::mem::take(&mut self.news);
        self.source.take_news(&mut news);
        for birth in &news.births {
            self.welcome(*birth, at);
        }
        for &pid in &news.execs {
            if let Some(member) = self.current(pid) {
                self.members[member].on_exec();
                self.renew(member);
            }
        }
        for record in &news.exits {
            self.take_exit(record, at);
        }
        if news.lost > 0 {
            self.lost += news.lost;
            self.must_list = true;
            // There may have been execs among it: only a mark that is read tells of them.
            self.renew_all();
        }
        news.clear();
        self.news = news;
        self.departed.forget_before(self.round);
    }

    /// Has a member's mark read at its next reading.
    pub(super) fn renew(&mut self, member: usize) {
        if let Some(handle) = self.members[member].handle() {
            self.source.renew(handle);
        }
    }

    /// How often something was lost of what the kernel told.
    pub(in crate::profiler) fn dropped_events(&self) -> u64 {
        self.lost
    }

    /// The member that has this pid, or had it a moment ago.
    fn current(&self, pid: u32) -> Option<usize> {
        let listed = self.scope.member(pid).filter(|&member| self.members[member].is_alive());
        listed.or_else(|| self.departed.get(pid))
    }

    /// A child of a member is one too.
    fn welcome(&mut self, birth: Birth, at: Timestamp) {
        let Some(parent) = self.current(birth.parent) else { return };
        // A list may have had it before its birth was heard of.
        if self.current(birth.pid).is_some() {
            return;
        }
        self.admit(birth, parent, at);
    }

    /// A process that was born, and perhaps has ended since. Its place among the members.
    fn admit(&mut self, birth: Birth, parent: usize, at: Timestamp) -> usize {
        match self.source.look_up(birth.pid) {
            Some(glance) if !glance.zombie => {
                let (index, handle) = (self.members.len(), self.source.open(birth.pid));
                let mut member = Member::new(glance, Some(parent), false, handle, at);
                member.on_fork();
                self.members.push(member);
                self.alive.push(index);
                // Of which generation it is, the next list will say.
                let listed = Listed { pid: birth.pid, generation: 0 };
                self.scope.settle(listed, Standing::Member(index), self.round);
                self.look(index);
                index
            }
            seen => {
                let identity = ProcessIdentity { pid: birth.pid, started: birth.started };
                let gone = ProcessGlance { identity, parent: birth.parent, zombie: true };
                self.add_gone(seen.unwrap_or(gone), Some(parent), at)
            }
        }
    }

    /// A process that belongs to the tree and that nobody saw alive. Its place among the
    /// members.
    pub(super) fn add_gone(
        &mut self,
        glance: ProcessGlance,
        parent: Option<usize>,
        at: Timestamp,
    ) -> usize {
        let (index, pid) = (self.members.len(), glance.identity.pid);
        let handle = self.source.open(pid);
        let mut member = Member::new(glance, parent, false, handle, at);
        if self.source.tells_births() {
            member.on_fork();
        }
        member.take_class(classify::classify(&Subject {
            pid,
            command_line: &[],
            is_main: false,
            parent: parent.map(|parent| self.members[parent].class),
            is_copy: false,
        }));
        self.members.push(member);
        self.end(index, at);
        index
    }

    fn take_exit(&mut self, record: &ExitRecord, at: Timestamp) {
        let member = self.current(record.process.unwrap_or(record.thread));
        let member = match member {
            Some(member) => member,
            // Its birth was not told; a thread's would not have been.
            None if record.process == Some(record.thread) => {
                let Some(parent) = self.current(record.parent) else { return };
                let ExitRecord { thread, parent: of, started, .. } = *record;
                // It may be there still: nobody need have waited for it.
                self.admit(Birth { pid: thread, parent: of, started }, parent, at)
            }
            None => return,
        };
        self.members[member].take_exit(record);
        if record.is_of_first_thread() {
            // That it has ended is to be found in this tick.
            self.renew(member);
        }
    }

    /// Takes a member out of the living.
    pub(super) fn end(&mut self, index: usize, at: Timestamp) {
        let member = &mut self.members[index];
        if member.is_alive() {
            member.end(at);
            let glance = member.glance;
            self.departed.add(glance.identity.pid, index, self.round);
            self.zombies.add(&mut self.source, glance.identity);
        }
    }
}
