//! Log of a run's events with their times: `events.jsonl`, written by the coordinator.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{JsonLines, Lines, Log, RecordError, RunDir, Version, read_log, v2};
use crate::clock::{ClockOffset, Timestamp};
use crate::limits::MemoryLimit;
use crate::record::profile::Phase;
use crate::scenario::Group;

/// Line of `events.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum EventLine {
    /// First line of the file.
    Header {
        /// Format of the file.
        version: Version<3>,
    },
    /// Event of the run.
    Event(LoggedEvent),
}

impl Log for EventLine {
    const KIND: &'static str = "event log";
    const VERSION: u32 = 3;
    const OLDEST: u32 = v2::VERSION;
    const UNVERSIONED: Option<u32> = Some(v2::VERSION);

    fn upgrade(_version: u32, line: Value) -> Value {
        v2::event(line)
    }
}

impl RunDir {
    /// Reads the events of the run that were recorded.
    pub fn read_events(&self) -> Result<Lines<LoggedEvent>, RecordError> {
        let lines: Lines<EventLine> = read_log(&self.events())?;
        let events = lines.values.into_iter().filter_map(|line| match line {
            EventLine::Header { .. } => None,
            EventLine::Event(event) => Some(event),
        });
        Ok(Lines { values: events.collect(), cut_off: lines.cut_off })
    }
}

/// Writer of a run's event log.
#[derive(Debug)]
pub struct EventLog(JsonLines<EventLine>);

impl EventLog {
    /// Creates the log of a run.
    pub fn begin(run: &RunDir) -> Result<Self, RecordError> {
        let mut log = Self(JsonLines::append_to(&run.events())?);
        log.write(&EventLine::Header { version: Version })?;
        Ok(log)
    }

    /// Appends an event and flushes the log, so that the event survives a crash of skyload.
    pub fn note(&mut self, event: LoggedEvent) -> Result<(), RecordError> {
        self.write(&EventLine::Event(event))
    }

    fn write(&mut self, line: &EventLine) -> Result<(), RecordError> {
        self.0.push(line)?;
        self.0.flush()
    }
}

/// Event with its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LoggedEvent {
    /// Time of the event.
    pub at: Timestamp,
    /// Kind of event, with its details.
    pub event: Event,
}

/// Event of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Start of the run, before the server is started.
    Began,
    /// End of the run: the server and all launched resources have been removed.
    Ended,
    /// Start of a phase, and end of the previous one.
    PhaseBegan(Phase),
    /// Start of the load of a scenario group.
    GroupBegan(Group),
    /// End of the last phase.
    PhasesEnded,
    /// Timeout of waiting for the server to settle, before the baseline or in the cooldown,
    /// with the reason.
    NotSettled(Unsettled),
    /// Processes outside of the run that kept the machine busy at the start of the baseline or
    /// the cooldown, the busiest first.
    BusyBeside(Vec<BusyProcess>),
    /// Stop of the load before all scenarios had ended.
    LoadStopped(StopReason),
    /// Replacement of the started server by another one.
    ServerReplaced,
    /// Exit of the server.
    ServerGone,
    /// Stop of the server by `sky api stop`, with the titles of its leaked processes (mostly
    /// none), which were killed.
    LeakedProcesses(Vec<String>),
    /// Comparison of a remote server's clock with the local clock.
    ClockCompared(ClockOffset),
    /// Names of the run's jobs that were still in the queue of the loopback Slurm cluster after
    /// the server had stopped. They were cancelled.
    LeftInQueue(Vec<String>),
    /// Kills by the kernel for lack of memory (OOM), in the run's control group and those
    /// below, counted from just before the server's start.
    KilledForMemory {
        /// Number of killed processes.
        processes: u64,
        /// Memory limit in effect; `None` without one.
        #[serde(default)]
        limit: Option<MemoryLimit>,
    },
    /// Kills by the kernel for lack of memory (OOM) in the control group that holds the server to
    /// its size, at the limit of the group.
    KilledAtSize {
        /// Number of killed processes since the previous reading.
        processes: u64,
        /// Time of the previous reading.
        since: Timestamp,
    },
    /// Kills by the kernel for lack of memory (OOM) in the control group that holds the server to
    /// its size, while the group was below its limit: memory was short on the machine, or in a
    /// group above.
    KilledBelowSize {
        /// Number of killed processes since the previous reading.
        processes: u64,
    },
}

/// Reason why a server is not idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unsettled {
    /// Server without any samples so far.
    NoFigures,
    /// Number of executors that still import SkyPilot.
    Starting(u32),
    /// CPU use of the whole machine, in percent of all CPUs. Only in runs of earlier builds,
    /// which did not measure the server's share.
    Busy(u32),
    /// CPU use of the server's processes, in percent of one CPU.
    ServerBusy(u32),
    /// Jobs controllers not started yet, on a server that runs some.
    NoControllersYet,
}

/// Process that keeps the machine busy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BusyProcess {
    /// Name of the program, as the kernel has it.
    pub name: String,
    /// Process ID.
    pub pid: u32,
    /// CPU use, in percent of one CPU.
    pub percent: u32,
}

impl fmt::Display for BusyProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {}, {}% of one CPU)", self.name, self.pid, self.percent)
    }
}

impl fmt::Display for Unsettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFigures => f.write_str("no samples yet"),
            Self::Starting(1) => f.write_str("1 executor starting"),
            Self::Starting(count) => write!(f, "{count} executors starting"),
            Self::Busy(percent) => write!(f, "machine busy, {percent}% CPU"),
            Self::ServerBusy(percent) => write!(f, "server busy, {percent}% of one CPU"),
            Self::NoControllersYet => f.write_str("jobs controllers not started yet"),
        }
    }
}

/// Reason for stopping a load early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// Interrupt by Ctrl-C, or by a signal with the same effect.
    Interrupted,
    /// Available memory of the machine below the memory floor.
    MemoryFloor,
    /// Exit or replacement of the server.
    ServerLost,
    /// Exit of the profiler.
    ProfilerLost,
    /// Breach of a threshold that ends the load.
    Breach,
}
