//! When what happened in a run: `events.jsonl`, written by the coordinator.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{JsonLines, Lines, Log, RecordError, RunDir, Version, read_log, v2};
use crate::clock::{ClockOffset, Timestamp};
use crate::limits::MemoryLimit;
use crate::record::profile::Phase;
use crate::scenario::Group;

/// One line of `events.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum EventLine {
    /// First line of the file.
    Header {
        /// Format of the file.
        version: Version<3>,
    },
    /// Something that happened.
    Event(LoggedEvent),
}

impl Log for EventLine {
    const KIND: &'static str = "list of events";
    const VERSION: u32 = 3;
    const OLDEST: u32 = v2::VERSION;
    const UNNAMED: Option<u32> = Some(v2::VERSION);

    fn upgrade(_version: u32, line: Value) -> Value {
        v2::event(line)
    }
}

impl RunDir {
    /// Reads what happened in the run, as far as it is on record.
    pub fn read_events(&self) -> Result<Lines<LoggedEvent>, RecordError> {
        let lines: Lines<EventLine> = read_log(&self.events())?;
        let events = lines.values.into_iter().filter_map(|line| match line {
            EventLine::Header { .. } => None,
            EventLine::Event(event) => Some(event),
        });
        Ok(Lines { values: events.collect(), cut_off: lines.cut_off })
    }
}

/// The log of a run's events, as it is written.
#[derive(Debug)]
pub struct EventLog(JsonLines<EventLine>);

impl EventLog {
    /// Begins the log of a run.
    pub fn begin(run: &RunDir) -> Result<Self, RecordError> {
        let mut log = Self(JsonLines::append_to(&run.events())?);
        log.write(&EventLine::Header { version: Version })?;
        Ok(log)
    }

    /// Appends an event, which is on disk when this returns.
    pub fn note(&mut self, event: LoggedEvent) -> Result<(), RecordError> {
        self.write(&EventLine::Event(event))
    }

    fn write(&mut self, line: &EventLine) -> Result<(), RecordError> {
        self.0.push(line)?;
        self.0.flush()
    }
}

/// One event, and its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LoggedEvent {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// What can happen in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The server was about to be started.
    Began,
    /// The server and whatever was launched had been removed.
    Ended,
    /// A phase began; the one before, if any, has ended.
    PhaseBegan(Phase),
    /// The load of a group of scenarios began.
    GroupBegan(Group),
    /// The last phase ended.
    PhasesEnded,
    /// The server had not come to rest in the time that the plan gives it, before the
    /// baseline or in the cooldown, and what kept it from that.
    NotSettled(Unsettled),
    /// Processes that belong to nothing of the run and kept the machine busy, when the
    /// baseline or the cooldown began: the busiest first.
    BusyBeside(Vec<BusyProcess>),
    /// The load was stopped before all scenarios had ended.
    LoadStopped(StopReason),
    /// The server had another identity than the one that was started.
    ServerReplaced,
    /// The server was not there any more.
    ServerGone,
    /// The server was stopped as its users do. Its processes that were still there after
    /// that, by their titles: mostly none. They were removed.
    LeakedProcesses(Vec<String>),
    /// The clock of a server on another machine was compared with ours.
    ClockCompared(ClockOffset),
    /// Jobs of the run that were still in the queue of the loopback infrastructure
    /// when the server had ended, by their names. They were cancelled.
    LeftInQueue(Vec<String>),
    /// Processes of the run's control group, or of one below it, that the kernel ended for
    /// want of memory since the server was about to be started, and the memory limit that
    /// then held, if there is one.
    KilledForMemory {
        /// How many.
        processes: u64,
        /// The limit.
        #[serde(default)]
        limit: Option<MemoryLimit>,
    },
}

/// What keeps a server from being at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unsettled {
    /// The profiler had not seen it yet.
    NoFigures,
    /// So many workers still import SkyPilot.
    Starting(u32),
    /// Percent of the machine's CPUs that are in use, by the server or anything else. Only in
    /// runs of earlier builds: the server's own use is told now.
    Busy(u32),
    /// Percent of one CPU that the server's processes use.
    ServerBusy(u32),
    /// The jobs controllers of a server that has some were not there yet.
    NoControllersYet,
}

/// A process that keeps a machine busy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BusyProcess {
    /// Name of its program, as the kernel has it.
    pub name: String,
    /// Process id.
    pub pid: u32,
    /// Percent of one CPU.
    pub percent: u32,
}

impl fmt::Display for BusyProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {}, {}% of a CPU)", self.name, self.pid, self.percent)
    }
}

impl fmt::Display for Unsettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFigures => f.write_str("no samples yet"),
            Self::Starting(1) => f.write_str("1 worker is starting"),
            Self::Starting(count) => write!(f, "{count} workers are starting"),
            Self::Busy(percent) => write!(f, "machine busy, {percent}% CPU"),
            Self::ServerBusy(percent) => write!(f, "server busy, {percent}% of a CPU"),
            Self::NoControllersYet => f.write_str("jobs controllers not started yet"),
        }
    }
}

/// Why a load was stopped early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// Somebody pressed Ctrl-C, or sent a signal that means the same.
    Interrupted,
    /// The machine's available memory fell below the floor.
    MemoryFloor,
    /// The server ended or was replaced.
    ServerLost,
    /// The profiler ended.
    ProfilerLost,
}
