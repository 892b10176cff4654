//! Process tree of one server: discovery, classification and sampling of its members.

mod command_line;
mod discovery;
mod events;
mod executors;
mod member;
mod peak;
mod scope;
mod windows;
mod zombies;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use self::events::RecentExits;
use self::member::Member;
use self::scope::Scope;
use self::zombies::Zombies;
use super::ProfilerOptions;
use super::classify::ServerPorts;
use super::source::{Listed, Memory, ProcessEvents, ProcessSource, Reading};
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::record::profile::{
    ClassSample, ClassSnapshot, ExecutorReading, Phase, ProcessReading, ProcessRecord,
    ProfilerLevel, Snapshot,
};
use crate::units::ByteSize;

/// Period of readings of an unchanged member's command line: a program that executes itself
/// with other arguments keeps its name, so that nothing else shows the exec.
const COMMAND_LINE_INTERVAL: Duration = Duration::from_secs(20);

/// Period of lists of the machine's processes with fork events. They find processes with
/// the marker whose parent is not in the tree.
const LIST_INTERVAL: Duration = Duration::from_secs(1);

/// Period of lookups of the ports on which an untitled process listens.
const PORT_INTERVAL: Duration = Duration::from_secs(1);

/// Process tree of one server.
pub(super) struct Tree<S: ProcessSource> {
    source: S,
    scope: Scope,
    ports: ServerPorts,
    members: Vec<Member<S::Handle>>,
    /// Indexes of the members that run.
    alive: Vec<usize>,
    /// Number of samples so far.
    round: u64,
    interval: Duration,
    listed: Vec<Listed>,
    /// Whether the next sample must list the machine's processes.
    must_list: bool,
    /// Whether the current sample has listed them.
    was_listed: bool,
    events: ProcessEvents,
    /// Number of times that the kernel dropped events.
    dropped_events: u64,
    recent_exits: RecentExits,
    zombies: Zombies,
    /// Number of members whose peaks could not be reset when the window began.
    not_reset: u32,
    /// Whether to read which requests executors run.
    attribution: bool,
    /// Readings of executors that were not taken yet.
    executor_readings: Vec<ExecutorReading>,
    /// Executors with readings that have exited, and were not taken yet.
    ended_executors: Vec<ProcessIdentity>,
    command_line: Vec<u8>,
    /// Readings of the current sample, with the indexes of the members.
    readings: Vec<(usize, Memory)>,
}

/// Sample of the tree.
#[derive(Debug, PartialEq)]
pub(super) struct TreeSample {
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
            // Processes that started before the profile have no fork events: only a list finds
            // them.
            must_list: true,
            was_listed: false,
            events: ProcessEvents::default(),
            dropped_events: 0,
            recent_exits: RecentExits::default(),
            zombies: Zombies::default(),
            not_reset: 0,
            attribution: options.attribution,
            executor_readings: Vec::new(),
            ended_executors: Vec::new(),
            command_line: Vec::new(),
            readings: Vec::new(),
        }
    }

    /// Level at which peaks are read.
    pub(super) fn level(&self) -> ProfilerLevel {
        self.source.level()
    }

    /// Whether every fork and exec is reported as an event.
    pub(super) fn has_fork_events(&self) -> bool {
        self.source.has_fork_events()
    }

    /// Makes the next sample read the high-water marks of all members, so that they are
    /// exact.
    pub(super) fn invalidate_all(&mut self) {
        for index in self.alive.clone() {
            self.invalidate(index);
        }
    }

    /// Takes a sample of all processes.
    ///
    /// # Errors
    ///
    /// If the machine's processes cannot be listed.
    pub(super) fn sample(&mut self, at: Timestamp) -> io::Result<TreeSample> {
        self.round += 1;
        // With fork events, a list once per `LIST_INTERVAL` suffices.
        self.must_list |= !self.source.has_fork_events() || self.is_due(0, LIST_INTERVAL);
        // Before the list, so that a new process is known by its fork event.
        self.drain_events(at);
        // After the events: the kernel may have dropped some, and then a list is needed.
        let lists = std::mem::take(&mut self.must_list);
        if lists {
            self.source.list(&mut self.listed)?;
            self.track_new(at);
        }
        self.was_listed = lists;
        let mut alive = std::mem::take(&mut self.alive);
        let mut readings = std::mem::take(&mut self.readings);
        readings.clear();
        alive.retain(|&index| {
            let Some(memory) = self.sample_member(index, at) else { return false };
            readings.extend(memory.map(|memory| (index, memory)));
            true
        });
        let classes = self.sums(&readings);
        self.readings = readings;
        let root_alive = alive.iter().any(|&index| self.members[index].is_root);
        // Overwrites nothing: readings add no members, only events and lists do.
        self.alive = alive;
        let is_due = self.is_due(0, LIST_INTERVAL);
        let zombies = self.zombies.count(&mut self.source, is_due);
        Ok(TreeSample { classes, zombies, root_alive })
    }

    /// Reads PSS and USS of the members. This takes milliseconds for each, so `now` is called
    /// for each.
    pub(super) fn snapshot(&mut self, phase: Phase, now: impl Fn() -> Timestamp) -> Snapshot {
        let at = now();
        let mut snapshot =
            Snapshot { at, until: at, phase, classes: BTreeMap::new(), unread: 0, cpu: None };
        let mut cpu = None;
        // A copy: the events drained below add members, which this snapshot leaves out.
        for index in self.alive.clone() {
            // A snapshot can take so long that the event queue would overrun.
            self.drain_events(now());
            let member = &mut self.members[index];
            // That of a process that exits meanwhile counts with the zombies or its parent's.
            if let Some(of_member) = self.source.cpu_time(member.stat.identity.pid) {
                cpu = Some(of_member.saturating_add(cpu.unwrap_or_default()));
            }
            // Before its exec, a fork maps the memory of its parent.
            if member.is_pre_exec(at) {
                continue;
            }
            // May be a cached reading: only its threads are used, and a failed PSS reading shows
            // the exit.
            let memory = member.handle().map(|handle| self.source.read(handle));
            let pss_uss = self.source.pss_uss(member.stat.identity.pid);
            let (Some(Reading::Memory(memory)), Some(pss_uss)) = (memory, pss_uss) else {
                // The process has exited, or belongs to another user: the sums lack it.
                snapshot.unread += 1;
                continue;
            };
            let sum: &mut ClassSnapshot = snapshot.classes.entry(member.class).or_default();
            sum.count += 1;
            sum.threads += memory.threads;
            sum.pss += ByteSize(pss_uss.pss);
            sum.uss += ByteSize(pss_uss.uss);
        }
        // SkyPilot reaps executors that have exited only when it starts the next.
        snapshot.cpu = cpu.map(|cpu| cpu.saturating_add(self.zombies.cpu_time(&mut self.source)));
        snapshot.until = now();
        snapshot
    }

    /// Readings of the members that run, as of the last sample.
    pub(super) fn process_readings(&mut self) -> Vec<ProcessReading> {
        let mut readings = Vec::with_capacity(self.alive.len());
        for &index in &self.alive {
            let member = &mut self.members[index];
            let open_files = self.source.open_files(member.stat.identity.pid);
            readings.extend(member.take_reading(open_files));
        }
        readings
    }

    /// Records of all processes that were ever in the tree, in the order of discovery.
    pub(super) fn records(&self) -> Vec<ProcessRecord> {
        self.members.iter().map(Member::record).collect()
    }

    /// Sums of the readings by class. Computed after all members were read, because one
    /// member's command line may change the class of another.
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

    /// Samples one member: its memory, or `Some(None)` if that is still its parent's. `None`
    /// after its exit.
    fn sample_member(&mut self, index: usize, at: Timestamp) -> Option<Option<Memory>> {
        let Some(memory) = self.read(index, at) else {
            self.end_member(index, at);
            return None;
        };
        let member = &mut self.members[index];
        member.update_memory(memory, at);
        let counts = !member.is_pre_exec(at);
        if counts && self.attribution {
            self.watch(index, memory, at);
        }
        Some(counts.then_some(memory))
    }

    /// Reads a member's memory, and its command line or ports if they may have changed.
    /// `None` after its exit.
    fn read(&mut self, index: usize, at: Timestamp) -> Option<Memory> {
        let pid = self.members[index].stat.identity.pid;
        // A sample without a list says nothing about exits. The reading below notices them.
        if self.was_listed && !self.scope.is_listed(pid, self.round) {
            return None;
        }
        let memory = self.read_memory(index)?;
        let member = &self.members[index];
        // Reading a command line may block, so it is read only after a sign of a change: an exec
        // and a new title both change the name.
        let has_changed = member.name != Some(memory.name) || member.peak_dropped(memory);
        // With exec events there is no need to poll a fork's command line for its exec.
        // A title is empty if the command line was read in the middle of an exec, or not at all.
        let is_about_to_exec =
            member.title.is_empty() || (member.is_pre_exec(at) && !self.source.has_fork_events());
        if has_changed || is_about_to_exec || self.is_due(pid, COMMAND_LINE_INTERVAL) {
            // The name as of the reading above: a change since then shows in the next sample.
            self.members[index].name = Some(memory.name);
            if self.read_command_line(index) {
                // The high-water mark read above may be that of the previous image.
                self.invalidate(index);
                return self.read_memory(index);
            }
        } else if member.is_untitled() && self.is_due(pid, PORT_INTERVAL) {
            self.classify_by_ports(index);
        }
        Some(memory)
    }

    fn read_memory(&mut self, index: usize) -> Option<Memory> {
        match self.source.read(self.members[index].handle()?) {
            Reading::Memory(memory) => Some(memory),
            Reading::Ended => None,
        }
    }

    /// Whether an action with the period `every` is due for this process. Offset by pid, so
    /// that actions are spread over the samples.
    fn is_due(&self, pid: u32, every: Duration) -> bool {
        let rounds = every.as_micros() / self.interval.as_micros().max(1);
        // At an interval longer than the period, the action is due in each sample.
        u128::from(self.round + u64::from(pid)).is_multiple_of(rounds.max(1))
    }
}
