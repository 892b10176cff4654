//! The processes of the server: found, followed, read, classed.

mod member;
mod scope;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crate::units::ByteSize;

use self::member::{Member, Print};
use self::scope::{Decision, Scope, Standing};
use super::ProfilerOptions;
use super::classify::{self, Classified, ServerPorts, Subject};
use super::source::{Listed, ProcessSource, Reading};
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::sample::{ClassSnapshot, ClassTick, Phase, ProcessRecord, Snapshot};

/// How often the command line of a process is read whose class is certain: it may
/// still execute another program.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The tree of one server.
pub(super) struct Tree<S: ProcessSource> {
    source: S,
    scope: Scope,
    ports: ServerPorts,
    members: Vec<Member<S::Handle>>,
    /// Places of the members that live.
    alive: Vec<usize>,
    /// Ticks so far, and how many make up [`LOOK_AGAIN`].
    round: u64,
    rounds_per_look: u64,
    previous: Option<Timestamp>,
    /// A reading older than this says little about how a process ended.
    fresh: Duration,
    listed: Vec<Listed>,
    command_line: Vec<u8>,
}

/// What one tick saw.
#[derive(Debug, PartialEq)]
pub(super) struct Look {
    pub(super) classes: BTreeMap<ProcessClass, ClassTick>,
    pub(super) root_alive: bool,
}

impl<S: ProcessSource> Tree<S> {
    pub(super) fn new(source: S, options: &ProfilerOptions) -> Self {
        let per_look = LOOK_AGAIN.as_micros() / options.interval.as_micros().max(1);
        Self {
            source,
            scope: Scope::new(options.root, options.marker.clone()),
            ports: ServerPorts { api: options.api_port, queue: options.queue_port },
            members: Vec::new(),
            alive: Vec::new(),
            round: 0,
            rounds_per_look: u64::try_from(per_look).unwrap_or(u64::MAX).max(1),
            previous: None,
            fresh: options.interval * 5 / 2,
            listed: Vec::new(),
            command_line: Vec::new(),
        }
    }

    /// Looks at all processes once.
    ///
    /// # Errors
    ///
    /// When the machine's processes cannot be listed.
    pub(super) fn tick(&mut self, at: Timestamp) -> io::Result<Look> {
        self.round += 1;
        self.source.list(&mut self.listed)?;
        self.find_new(at);
        let mut classes = BTreeMap::<ProcessClass, ClassTick>::new();
        let mut alive = std::mem::take(&mut self.alive);
        alive.retain(|&index| {
            let Some((class, rss)) = self.visit(index, at) else { return false };
            if let Some(rss) = rss {
                let none = ClassTick { count: 0, rss_sum: ByteSize(0), rss_max: ByteSize(0) };
                let sum = classes.entry(class).or_insert(none);
                sum.count += 1;
                sum.rss_sum += rss;
                sum.rss_max = sum.rss_max.max(rss);
            }
            true
        });
        let root_alive = alive.iter().any(|&index| self.members[index].is_root);
        self.alive = alive;
        self.previous = Some(at);
        Ok(Look { classes, root_alive })
    }

    /// Reads what the members share, which takes milliseconds for each.
    pub(super) fn snapshot(&mut self, at: Timestamp, phase: Phase) -> Snapshot {
        let mut snapshot = Snapshot { at, phase, classes: BTreeMap::new(), unread: 0 };
        for &index in &self.alive {
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
        snapshot
    }

    /// All processes that ever were in the tree, in the order in which they were found.
    pub(super) fn records(&self) -> Vec<ProcessRecord> {
        self.members.iter().map(Member::record).collect()
    }

    /// Settles where the processes stand that were not listed before.
    fn find_new(&mut self, at: Timestamp) {
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
    fn is_still(&mut self, process: Listed) -> bool {
        let Some(index) = self.scope.member(process.pid) else { return false };
        let Some(handle) = self.members[index].handle() else { return false };
        if self.source.read(handle) == Reading::Ended {
            return false;
        }
        self.scope.settle(process, Standing::Member(index), self.round);
        true
    }

    fn end_predecessor(&mut self, pid: u32, at: Timestamp) {
        if let Some(index) = self.scope.member(pid) {
            self.members[index].end(at, self.previous, self.fresh);
            self.alive.retain(|&other| other != index);
        }
    }

    /// Decides about one process if that is possible already.
    fn decide(&mut self, process: Listed, since: Timestamp, at: Timestamp) -> bool {
        // Gone again: the next list will not have it.
        let Some(glance) = self.source.look_up(process.pid) else { return true };
        let standing = match self.scope.decide(&mut self.source, &glance, since, at) {
            Decision::Undecided => return false,
            Decision::Foreign => Standing::Foreign,
            // It ended before anybody saw it: a member, but nothing to follow.
            Decision::Member { .. } if glance.zombie => Standing::Foreign,
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

    /// Looks at one member: its class, and its resident memory unless that is its
    /// parent's. `None` when it has ended.
    fn visit(&mut self, index: usize, at: Timestamp) -> Option<(ProcessClass, Option<ByteSize>)> {
        let pid = self.members[index].glance.identity.pid;
        if self.scope.is_listed(pid, self.round) {
            self.look(index);
            let member = &mut self.members[index];
            if let Some(Reading::Memory(memory)) =
                member.handle().map(|handle| self.source.read(handle))
            {
                member.take_memory(memory, at);
                let counts = !member.is_artefact(at);
                return Some((member.class, counts.then_some(ByteSize(memory.rss))));
            }
        }
        self.members[index].end(at, self.previous, self.fresh);
        None
    }

    /// Reads a member's command line, if that is due, and classes it anew.
    fn look(&mut self, index: usize) {
        let member = &self.members[index];
        let (pid, parent) = (member.glance.identity.pid, member.parent);
        // Spread over the ticks by pid.
        let is_due = (self.round + u64::from(pid)).is_multiple_of(self.rounds_per_look);
        let is_first = member.print.is_none();
        if (member.settled && !is_due) || !self.source.command_line(pid, &mut self.command_line) {
            return;
        }
        let print = Print::of(&self.command_line);
        let parents = if is_first { self.prints_of(parent) } else { Vec::new() };
        let is_other = self.members[index].take_command_line(print, &parents);
        if is_other || !self.members[index].settled {
            self.classify(index, is_first || is_due);
        }
    }

    /// The command lines of a member: as it was last read, and as it is now.
    fn prints_of(&mut self, member: Option<usize>) -> Vec<Print> {
        let Some(member) = member.map(|index| &self.members[index]) else { return Vec::new() };
        let mut prints = Vec::from_iter(member.print);
        let mut now = Vec::new();
        if member.is_alive() && self.source.command_line(member.glance.identity.pid, &mut now) {
            prints.push(Print::of(&now));
        }
        prints
    }

    fn classify(&mut self, index: usize, may_search_ports: bool) {
        let member = &self.members[index];
        if member.is_root && self.ports.api.is_none() {
            self.ports.api = classify::api_port_in(&self.command_line);
        }
        let mut subject = Subject {
            pid: member.glance.identity.pid,
            command_line: &self.command_line,
            is_root: member.is_root,
            parent: member.parent.map(|parent| self.members[parent].class),
            is_copy: member.is_copy(),
            listens_on: &[],
        };
        let mut class = classify::classify(&subject, self.ports);
        let listens_on;
        if class == Classified::Still(ProcessClass::Starting) && may_search_ports {
            listens_on = self.source.listening_ports(subject.pid);
            subject.listens_on = &listens_on;
            class = classify::classify(&subject, self.ports);
        }
        let title = classify::first_word(&self.command_line);
        let member = &mut self.members[index];
        member.class = class.class();
        member.settled = matches!(class, Classified::As(_));
        if member.title.as_bytes() != title {
            member.title = String::from_utf8_lossy(title).into_owned();
        }
    }
}
