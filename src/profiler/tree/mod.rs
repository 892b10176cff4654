//! The processes of the server: found, followed, read, classed.

mod admission;
mod looks;
mod member;
mod news;
mod peak;
mod scope;
mod windows;
mod zombies;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use self::member::Member;
use self::news::Departed;
use self::scope::Scope;
use self::zombies::Zombies;
use super::ProfilerOptions;
use super::classify::ServerPorts;
use super::source::{Listed, Memory, News, ProcessSource, Reading};
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::record::profile::{
    ClassSample, ClassSnapshot, Phase, ProcessRecord, ProfilerLevel, Snapshot,
};
use crate::units::ByteSize;

/// How often a command line is read although nothing speaks for a change of it: a
/// program may execute itself with other words, and keeps its name then.
const LOOK_AGAIN: Duration = Duration::from_secs(20);

/// How often the machine's processes are listed although every birth is told: to find
/// what carries the marker and descends from nobody known.
const LIST_AGAIN: Duration = Duration::from_secs(1);

/// How often it is looked up where an untitled process waits for connections.
const SEARCH_AGAIN: Duration = Duration::from_secs(1);

/// The tree of one server.
pub(super) struct Tree<S: ProcessSource> {
    source: S,
    scope: Scope,
    ports: ServerPorts,
    members: Vec<Member<S::Handle>>,
    /// Places of the members that live.
    alive: Vec<usize>,
    /// Ticks so far.
    round: u64,
    interval: Duration,
    listed: Vec<Listed>,
    /// The machine's processes are to be listed in this round.
    must_list: bool,
    /// They were in the last one.
    was_listed: bool,
    news: News,
    /// How often the kernel could not keep what it had to tell.
    lost: u64,
    departed: Departed,
    zombies: Zombies,
    /// Members whose marks were not lowered when the window began.
    not_reset: u32,
    command_line: Vec<u8>,
    /// What the present tick has read, by the members' places.
    readings: Vec<(usize, Memory)>,
}

/// What one tick saw.
#[derive(Debug, PartialEq)]
pub(super) struct Look {
    pub(super) classes: BTreeMap<ProcessClass, ClassSample>,
    pub(super) zombies: u32,
    pub(super) root_alive: bool,
}

impl<S: ProcessSource> Tree<S> {
    pub(super) fn new(source: S, options: &ProfilerOptions) -> Self {
        Self {
            source,
            scope: Scope::new(options.root, options.marker.clone()),
            ports: ServerPorts { api: options.api_port, queue: options.queue_port },
            members: Vec::new(),
            alive: Vec::new(),
            round: 0,
            interval: options.interval,
            listed: Vec::new(),
            must_list: true,
            was_listed: false,
            news: News::default(),
            lost: 0,
            departed: Departed::default(),
            zombies: Zombies::default(),
            not_reset: 0,
            command_line: Vec::new(),
            readings: Vec::new(),
        }
    }

    /// How exactly peaks are read.
    pub(super) fn level(&self) -> ProfilerLevel {
        self.source.level()
    }

    /// Whether every birth is told.
    pub(super) fn tells_births(&self) -> bool {
        self.source.tells_births()
    }

    /// Has the marks of all members read in the next tick, so that they are exact.
    pub(super) fn renew_all(&mut self) {
        for index in self.alive.clone() {
            self.renew(index);
        }
    }

    /// Looks at all processes once.
    ///
    /// # Errors
    ///
    /// When the machine's processes cannot be listed.
    pub(super) fn tick(&mut self, at: Timestamp) -> io::Result<Look> {
        self.round += 1;
        // Who is told of every birth need not look for them.
        self.must_list |= !self.source.tells_births() || self.is_due(0, LIST_AGAIN);
        self.hear(at);
        let lists = std::mem::take(&mut self.must_list);
        if lists {
            self.source.list(&mut self.listed)?;
            self.find_new(at);
        }
        self.was_listed = lists;
        let mut alive = std::mem::take(&mut self.alive);
        let mut readings = std::mem::take(&mut self.readings);
        readings.clear();
        alive.retain(|&index| {
            let Some(memory) = self.visit(index, at) else { return false };
            readings.extend(memory.map(|memory| (index, memory)));
            true
        });
        let classes = self.sums(&readings);
        self.readings = readings;
        let root_alive = alive.iter().any(|&index| self.members[index].is_root);
        self.alive = alive;
        let is_due = self.is_due(0, LIST_AGAIN);
        let zombies = self.zombies.count(&mut self.source, is_due);
        Ok(Look { classes, zombies, root_alive })
    }

    /// Reads what the members share, which takes milliseconds for each: `now` is asked for
    /// the time again and again.
    pub(super) fn snapshot(&mut self, phase: Phase, now: impl Fn() -> Timestamp) -> Snapshot {
        let at = now();
        let mut snapshot = Snapshot { at, until: at, phase, classes: BTreeMap::new(), unread: 0 };
        for index in self.alive.clone() {
            // By the end there might be more to tell than the kernel can keep.
            self.hear(now());
            let member = &mut self.members[index];
            if member.is_artefact(at) {
                continue;
            }
            let memory = member.handle().map(|handle| self.source.read(handle));
            let shares = self.source.shares(member.glance.identity.pid);
            let (Some(Reading::Memory(memory)), Some(shares)) = (memory, shares) else {
                snapshot.unread += 1;
                continue;
            };
            let sum: &mut ClassSnapshot = snapshot.classes.entry(member.class).or_default();
            sum.count += 1;
            sum.threads += memory.threads;
            sum.pss += ByteSize(shares.pss);
            sum.uss += ByteSize(shares.uss);
        }
        snapshot.until = now();
        snapshot
    }

    /// All processes that ever were in the tree, in the order in which they were found.
    pub(super) fn records(&self) -> Vec<ProcessRecord> {
        self.members.iter().map(Member::record).collect()
    }

    /// What was read of the members, by class. What one has turned out to be may say
    /// what another is, so all are read before.
    fn sums(&self, readings: &[(usize, Memory)]) -> BTreeMap<ProcessClass, ClassSample> {
        let mut classes = BTreeMap::<ProcessClass, ClassSample>::new();
        for &(index, Memory { rss, threads, .. }) in readings {
            let rss = ByteSize(rss);
            let sum = classes.entry(self.members[index].class).or_default();
            sum.count += 1;
            sum.threads += threads;
            sum.rss_sum += rss;
            sum.rss_max = sum.rss_max.max(rss);
        }
        classes
    }

    /// Looks at one member: its memory, unless that is its parent's. `None` when it has
    /// ended.
    fn visit(&mut self, index: usize, at: Timestamp) -> Option<Option<Memory>> {
        let Some(memory) = self.read(index, at) else {
            self.end(index, at);
            return None;
        };
        let member = &mut self.members[index];
        member.take_memory(memory, at);
        let counts = !member.is_artefact(at);
        Some(counts.then_some(memory))
    }

    /// Reads a member's memory, and before that whatever else of it may have
    /// changed. `None` when it has ended.
    fn read(&mut self, index: usize, at: Timestamp) -> Option<Memory> {
        let pid = self.members[index].glance.identity.pid;
        if self.was_listed && !self.scope.is_listed(pid, self.round) {
            return None;
        }
        let memory = self.read_memory(index)?;
        let member = &self.members[index];
        let has_changed = member.name != Some(memory.name) || member.has_fallen(memory);
        // Nobody need look for an exec that will be told.
        let is_about_to_exec =
            member.title.is_empty() || (member.is_artefact(at) && !self.source.tells_births());
        if has_changed || is_about_to_exec || self.is_due(pid, LOOK_AGAIN) {
            self.members[index].name = Some(memory.name);
            if self.look(index) {
                // What is known of its mark may be that of the image before.
                self.renew(index);
                return self.read_memory(index);
            }
        } else if member.is_untitled() && self.is_due(pid, SEARCH_AGAIN) {
            self.search(index);
        }
        Some(memory)
    }

    fn read_memory(&mut self, index: usize) -> Option<Memory> {
        match self.source.read(self.members[index].handle()?) {
            Reading::Memory(memory) => Some(memory),
            Reading::Ended => None,
        }
    }

    /// Whether this process is due for what is done so often; the dates are
    /// spread over the ticks by pid.
    fn is_due(&self, pid: u32, every: Duration) -> bool {
        let rounds = every.as_micros() / self.interval.as_micros().max(1);
        u128::from(self.round + u64::from(pid)).is_multiple_of(rounds.max(1))
    }
}
