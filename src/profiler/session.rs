//! Sampling loop of one profile, from the first sample to the footer.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::databases;
use super::host::HostSampler;
use super::journal::Journal;
use super::overhead::Overhead;
use super::protocol::{self, Command, Notice};
use super::schedule::Schedule;
use super::source::ProcessSource;
use super::tree::Tree;
use super::upstream::UpstreamSampler;
use super::{ProfilerError, ProfilerOptions, Reason};
use crate::clock::Timeline;
use crate::ids::ProcessIdentity;
use crate::limits::MemoryGroups;
use crate::record::Version;
use crate::record::profile::{
    Phase, ProcessTable, ProfileHeader, ProfileLine, Readings, Sample, Window, Wrote,
};
use crate::units::ByteSize;

/// Time between two readings of single processes: of their memory, threads and open files, and of
/// the server's databases.
const READINGS_INTERVAL: Duration = Duration::from_secs(10);

type Commands = Receiver<Result<Command, ProfilerError>>;

/// State of a running profile.
pub(super) struct Session<S: ProcessSource, W: Write> {
    timeline: Timeline,
    schedule: Schedule,
    overhead: Overhead,
    tree: Tree<S>,
    host: HostSampler,
    upstream: Option<UpstreamSampler>,
    journal: Journal,
    outbox: Outbox<W>,
    root: ProcessIdentity,
    root_gone: bool,
    /// Window whose peaks are being measured, if any was begun.
    window: Option<Window>,
    /// Limit of available memory; `None` after the notice was sent.
    memory_floor: Option<ByteSize>,
    /// Directory of the server's state, if it is on this machine.
    state: Option<PathBuf>,
    /// Time from which on single processes are read again.
    readings_due: Instant,
}

impl<S: ProcessSource, W: Write> Session<S, W> {
    /// Writes the header, and takes the first sample.
    pub(super) fn start(
        options: &ProfilerOptions,
        source: S,
        notices: W,
    ) -> Result<Self, ProfilerError> {
        let timeline = Timeline::start();
        let groups = match options.is_held_to_size {
            true => MemoryGroups::here(),
            false => MemoryGroups::of(options.root.pid),
        };
        let host = HostSampler::new(groups).map_err(ProfilerError::Machine)?;
        let upstream =
            options.upstream_figures.then(|| UpstreamSampler::start(timeline)).transpose()?;
        let mut session = Self {
            timeline,
            schedule: Schedule::new(options.interval, Instant::now()),
            overhead: Overhead::default(),
            tree: Tree::new(source, options),
            host,
            upstream,
            journal: Journal::open(&options.samples, options.processes.clone())?,
            outbox: Outbox { to: notices, closed: false },
            root: options.root,
            root_gone: false,
            window: None,
            memory_floor: options.memory_floor,
            state: options.state.clone(),
            readings_due: Instant::now(),
        };
        session.write_header(options.interval)?;
        session.take_scheduled_sample()?;
        // If the profiler is killed from here on, both files exist.
        session.journal.flush()?;
        session.write_table()?;
        session.outbox.send(Notice::Ready);
        Ok(session)
    }

    /// Samples until the parent sends `Finish` or exits.
    pub(super) fn run(mut self, commands: &Commands) -> Result<Reason, ProfilerError> {
        let mut reason = Reason::ParentGone;
        // A notice that cannot be sent shows that the parent has exited.
        while !self.outbox.closed {
            // The wait is 0 if a sample is overdue; a queued command is still received first.
            match commands
                .recv_timeout(self.schedule.due().saturating_duration_since(Instant::now()))
            {
                Ok(command) => match command? {
                    Command::Snapshot { phase } => self.snapshot(phase)?,
                    Command::BeginWindow { window } => self.begin_window(window)?,
                    Command::Flush => self.journal.flush()?,
                    Command::Finish => {
                        reason = Reason::Requested;
                        break;
                    }
                },
                Err(RecvTimeoutError::Timeout) => self.take_scheduled_sample()?,
                // The parent has exited: end cleanly, so that the files are complete.
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
            kernel_events: self.tree.has_fork_events(),
            threads_and_sockets: Some(fs::read_dir(format!("/proc/{}/fd", self.root.pid)).is_ok()),
            memory_total: self.host.memory_total(),
            cpus: self.host.cpus(),
        };
        Ok(self.journal.push(ProfileLine::Header(header))?)
    }

    fn take_scheduled_sample(&mut self) -> Result<(), ProfilerError> {
        let started = Instant::now();
        self.take_sample(started, started.saturating_duration_since(self.schedule.due()))?;
        if self.journal.is_table_due() {
            self.write_table()?;
        }
        // After the table is written, so that samples missed meanwhile are counted.
        self.schedule.advance(Instant::now());
        Ok(())
    }

    fn take_sample(&mut self, started: Instant, late: Duration) -> Result<(), ProfilerError> {
        self.overhead.sample_started(started);
        for sample in self.upstream.iter().flat_map(UpstreamSampler::new_samples) {
            self.journal.push(ProfileLine::Upstream(sample))?;
        }
        let at = self.timeline.at(started);
        let sample = self.tree.sample(at).map_err(ProfilerError::List)?;
        let system = self.host.sample();
        let late_micros = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        self.journal.push(ProfileLine::Sample(Sample {
            at,
            late_micros,
            classes: sample.classes,
            zombies: sample.zombies,
            left_out: 0,
            system,
        }))?;
        self.write_executor_readings()?;
        if started >= self.readings_due {
            self.readings_due = started + READINGS_INTERVAL;
            let processes = self.tree.process_readings();
            let databases = self.state.as_deref().map(databases::sizes).unwrap_or_default();
            self.journal.push(ProfileLine::Readings(Readings { at, processes, databases }))?;
        }
        if !sample.root_alive && !self.root_gone {
            self.root_gone = true;
            self.journal.push(ProfileLine::ServerGone { at })?;
            self.journal.flush()?;
            self.outbox.send(Notice::ServerGone { at });
        }
        if let (Some(system), Some(memory_floor)) = (system, self.memory_floor)
            && system.memory_available < memory_floor
        {
            self.memory_floor = None;
            self.outbox.send(Notice::MemoryFloor { available: system.memory_available });
        }
        Ok(())
    }

    fn write_executor_readings(&mut self) -> Result<(), ProfilerError> {
        for reading in self.tree.take_executor_readings() {
            self.journal.push(ProfileLine::Executor(reading))?;
        }
        // After their last readings.
        self.journal.end_executors(&self.tree.take_ended_executors());
        Ok(())
    }

    /// Takes a snapshot of PSS and USS, some milliseconds per process. Samples due meanwhile
    /// are late or missed, and counted so.
    fn snapshot(&mut self, phase: Phase) -> Result<(), ProfilerError> {
        let timeline = self.timeline;
        let snapshot = self.tree.snapshot(phase, || timeline.now());
        self.journal.push(ProfileLine::Snapshot(snapshot))?;
        self.journal.flush()?;
        self.outbox.send(Notice::SnapshotTaken { phase });
        Ok(())
    }

    fn begin_window(&mut self, window: Window) -> Result<(), ProfilerError> {
        let before = self.window.replace(window);
        if let Some(peaks) = self.tree.begin_window(self.timeline.now(), before) {
            self.journal.push(ProfileLine::PhasePeaks(peaks))?;
        }
        self.outbox.send(Notice::WindowBegan { window });
        Ok(())
    }

    fn end_window(&mut self) -> Result<(), ProfilerError> {
        let Some(window) = self.window.take() else { return Ok(()) };
        let peaks = self.tree.end_window(self.timeline.now(), window);
        Ok(self.journal.push(ProfileLine::PhasePeaks(peaks))?)
    }

    /// Writes the process table, and returns the number of processes in it.
    fn write_table(&mut self) -> Result<u64, ProfilerError> {
        let table = ProcessTable {
            version: Version,
            processes: self.tree.records(),
            dropped_events: self.tree.dropped_events(),
            profiler: self.overhead.report(&self.schedule),
        };
        self.journal.write_table(&table)?;
        Ok(u64::try_from(table.processes.len()).unwrap_or(u64::MAX))
    }

    fn finish(mut self) -> Result<(), ProfilerError> {
        // The last sample reads every high-water mark, so that the peaks of processes that
        // still run are exact.
        self.tree.invalidate_all();
        let now = Instant::now();
        self.readings_due = now;
        // Not scheduled, so it is not late.
        self.take_sample(now, Duration::ZERO)?;
        // Exit records of the processes that the last sample found to have exited.
        self.tree.drain_events(self.timeline.now());
        self.end_window()?;
        // Those of the window's last reading.
        self.write_executor_readings()?;
        let processes = self.write_table()?;
        // Lines that wait to be thinned are written before lines are counted.
        self.journal.end_thinning(self.timeline.now())?;
        let wrote = Some(Wrote { lines: self.journal.lines(), processes });
        // Last, with the counts of both files: a reader can then tell whether either has lost
        // anything.
        self.journal.push(ProfileLine::Footer { at: self.timeline.now(), wrote })?;
        self.journal.flush()?;
        self.outbox.send(Notice::Finished);
        Ok(())
    }
}

/// Writer of notices to the parent; closed after the first error.
struct Outbox<W> {
    to: W,
    closed: bool,
}

impl<W: Write> Outbox<W> {
    fn send(&mut self, notice: Notice) {
        self.closed |= protocol::send(&mut self.to, &notice).is_err();
    }
}
