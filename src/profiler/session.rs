//! One profile from its first tick to its last: the loop.

use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::cost::Punctuality;
use super::journal::Journal;
use super::machine::Machine;
use super::original::OriginalLooks;
use super::protocol::{self, Command, Notice};
use super::source::ProcessSource;
use super::ticker::Ticker;
use super::tree::Tree;
use super::{ProfilerError, ProfilerOptions, Reason};
use crate::clock::Timeline;
use crate::ids::ProcessIdentity;
use crate::limits::MemoryGroups;
use crate::record::Version;
use crate::record::profile::{
    Phase, ProcessTable, ProfileHeader, ProfileLine, Sample, Window, Wrote,
};
use crate::units::ByteSize;

type Orders = Receiver<Result<Command, ProfilerError>>;

pub(super) struct Session<S: ProcessSource, W: Write> {
    timeline: Timeline,
    ticker: Ticker,
    punctuality: Punctuality,
    tree: Tree<S>,
    machine: Machine,
    original: Option<OriginalLooks>,
    journal: Journal,
    outbox: Outbox<W>,
    root: ProcessIdentity,
    root_gone: bool,
    /// Whose peaks are being taken, where that was asked for.
    window: Option<Window>,
    /// Taken out once it has been reported.
    floor: Option<ByteSize>,
}

impl<S: ProcessSource, W: Write> Session<S, W> {
    /// Writes the header, and takes the first tick.
    pub(super) fn start(
        options: &ProfilerOptions,
        source: S,
        notices: W,
    ) -> Result<Self, ProfilerError> {
        let timeline = Timeline::start();
        let machine =
            Machine::new(MemoryGroups::of(options.root.pid)).map_err(ProfilerError::Machine)?;
        let original =
            options.upstream_figures.then(|| OriginalLooks::start(timeline)).transpose()?;
        let mut session = Self {
            timeline,
            ticker: Ticker::new(options.interval, Instant::now()),
            punctuality: Punctuality::default(),
            tree: Tree::new(source, options),
            machine,
            original,
            journal: Journal::open(&options.samples, options.processes.clone())?,
            outbox: Outbox { to: notices, closed: false },
            root: options.root,
            root_gone: false,
            window: None,
            floor: options.memory_floor,
        };
        session.write_header(options.interval)?;
        session.scheduled_tick()?;
        // From here on a killed profiler leaves both files behind.
        session.journal.flush()?;
        session.write_table()?;
        session.outbox.send(Notice::Ready);
        Ok(session)
    }

    /// Ticks until told to finish.
    pub(super) fn run(mut self, orders: &Orders) -> Result<Reason, ProfilerError> {
        let mut reason = Reason::ParentGone;
        while !self.outbox.closed {
            match orders.recv_timeout(self.ticker.due().saturating_duration_since(Instant::now())) {
                Ok(order) => match order? {
                    Command::Snapshot { phase } => self.snapshot(phase)?,
                    Command::BeginWindow { window } => self.begin_window(window)?,
                    Command::Finish => {
                        reason = Reason::Told;
                        break;
                    }
                },
                Err(RecvTimeoutError::Timeout) => self.scheduled_tick()?,
                // The parent died: whoever reads the run later wants the rest.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.finish()?;
        Ok(reason)
    }

    fn write_header(&mut self, interval: Duration) -> Result<(), ProfilerError> {
        let header = ProfileHeader {
            version: Version,
            at: self.timeline.now(),
            root: self.root,
            interval,
            level: self.tree.level(),
            kernel_events: self.tree.tells_births(),
            memory_total: self.machine.memory_total(),
            cpus: self.machine.cpus(),
        };
        Ok(self.journal.push(&ProfileLine::Header(header))?)
    }

    fn scheduled_tick(&mut self) -> Result<(), ProfilerError> {
        let began = Instant::now();
        self.tick(began, began.saturating_duration_since(self.ticker.due()))?;
        if self.journal.wants_table() {
            self.write_table()?;
        }
        self.ticker.advance(Instant::now());
        Ok(())
    }

    fn tick(&mut self, began: Instant, late: Duration) -> Result<(), ProfilerError> {
        self.punctuality.began(began);
        for look in self.original.iter().flat_map(OriginalLooks::news) {
            self.journal.push(&ProfileLine::Upstream(look))?;
        }
        let at = self.timeline.at(began);
        let look = self.tree.tick(at).map_err(ProfilerError::List)?;
        let system = self.machine.tick();
        let late_micros = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        self.journal.push(&ProfileLine::Sample(Sample {
            at,
            late_micros,
            classes: look.classes,
            zombies: look.zombies,
            system,
        }))?;
        if !look.root_alive && !self.root_gone {
            self.root_gone = true;
            self.journal.push(&ProfileLine::ServerGone { at })?;
            self.journal.flush()?;
            self.outbox.send(Notice::ServerGone { at });
        }
        if let (Some(system), Some(floor)) = (system, self.floor)
            && system.memory_available < floor
        {
            self.floor = None;
            self.outbox.send(Notice::MemoryFloor { available: system.memory_available });
        }
        Ok(())
    }

    /// Takes some milliseconds a process: the ticks that fall due meanwhile come
    /// late or never, and are counted as such.
    fn snapshot(&mut self, phase: Phase) -> Result<(), ProfilerError> {
        let timeline = self.timeline;
        let snapshot = self.tree.snapshot(phase, || timeline.now());
        self.journal.push(&ProfileLine::Snapshot(snapshot))?;
        self.journal.flush()?;
        self.outbox.send(Notice::SnapshotTaken { phase });
        Ok(())
    }

    fn begin_window(&mut self, window: Window) -> Result<(), ProfilerError> {
        let before = self.window.replace(window);
        if let Some(peaks) = self.tree.begin_window(self.timeline.now(), before) {
            self.journal.push(&ProfileLine::PhasePeaks(peaks))?;
        }
        self.outbox.send(Notice::WindowBegan { window });
        Ok(())
    }

    fn end_window(&mut self) -> Result<(), ProfilerError> {
        let Some(window) = self.window.take() else { return Ok(()) };
        let peaks = self.tree.end_window(self.timeline.now(), window);
        Ok(self.journal.push(&ProfileLine::PhasePeaks(peaks))?)
    }

    /// Returns how many processes are in it.
    fn write_table(&mut self) -> Result<u64, ProfilerError> {
        let table = ProcessTable {
            version: Version,
            processes: self.tree.records(),
            dropped_events: self.tree.dropped_events(),
            profiler: self.punctuality.cost(&self.ticker),
        };
        self.journal.write_table(&table)?;
        Ok(u64::try_from(table.processes.len()).unwrap_or(u64::MAX))
    }

    fn finish(mut self) -> Result<(), ProfilerError> {
        // The last look is what makes the peaks of living processes exact.
        self.tree.renew_all();
        self.tick(Instant::now(), Duration::ZERO)?;
        // What that found to be gone has been told by now.
        self.tree.hear(self.timeline.now());
        self.end_window()?;
        let processes = self.write_table()?;
        let wrote = Some(Wrote { lines: self.journal.lines(), processes });
        self.journal.push(&ProfileLine::Footer { at: self.timeline.now(), wrote })?;
        self.journal.flush()?;
        self.outbox.send(Notice::Finished);
        Ok(())
    }
}

/// The way to the parent, until it is seen to be gone.
struct Outbox<W> {
    to: W,
    closed: bool,
}

impl<W: Write> Outbox<W> {
    fn send(&mut self, notice: Notice) {
        self.closed |= protocol::send(&mut self.to, &notice).is_err();
    }
}
