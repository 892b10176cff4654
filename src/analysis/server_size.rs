//! Stated size of the server, the processes that the kernel killed at it, and the failures that
//! follow from that.
//!
//! # Failures that follow from a kill
//!
//! A failure counts under the breach of the size, and not as a failure of its scenario, if the
//! kernel had killed a process of the server's control group by the time of the failure, and the
//! failure is one that only a killed process explains:
//!
//! * SkyPilot's `BrokenProcessPool`: an executor died while requests ran in its pool.
//! * A connection that was refused or broke, if a process was killed that serves connections: the
//!   main process, or a web worker.
//!
//! Timeouts are none of these: a server near its limit is slow without a kill, too. A scenario with
//! any other failure has failed.
//!
//! A kill while the group was below its limit is no breach: the machine, or a group above, was
//! short of memory, so that the measurements are not valid.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::machine_size::MachineSize;
use crate::record::HeldTo;
use crate::record::events::Event;
use crate::record::outcome::{Ended, Failure, SegmentOutcome, error_type};
use crate::record::profile::ProcessRecord;
use crate::scenario::ScenarioId;
use crate::units::{ByteSize, total};

/// Exception of a request whose executor died.
const BROKEN_POOL: &str = "BrokenProcessPool";

/// Number of the signal by which the kernel kills.
const SIGKILL: u8 = 9;

/// Time after the reading that noticed a kill within which the killed process has exited. The
/// kernel frees its memory first, and the profiler samples on a busy machine.
const EXIT_LIMIT_MICROS: u64 = 5_000_000;

/// Stated size of the server, and what happened at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerSize {
    /// Size that SkyPilot sized its workers by.
    pub size: MachineSize,
    /// Control group that held the server to the size.
    pub group: HeldTo,
    /// Number of processes that the kernel killed at the size.
    pub kills: u64,
    /// Number of processes that the kernel killed while the server was below the size, for lack of
    /// memory of the machine or of a control group above.
    #[serde(default)]
    pub kills_below_size: u64,
    /// Processes that ended by SIGKILL when the kernel killed; empty without exit records. More
    /// than were killed, if others ended so at the same time.
    pub killed: Vec<KilledProcess>,
}

/// Process that the kernel killed at the server's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KilledProcess {
    /// Process ID.
    pub pid: u32,
    /// Class of the process.
    pub class: ProcessClass,
    /// Peak RSS; `None` if memory was never read.
    pub peak: Option<ByteSize>,
}

pub(super) fn assemble(evidence: &Evidence) -> Option<ServerSize> {
    let record = evidence.server_size.as_ref()?;
    let kills = Kills::of(evidence);
    Some(ServerSize {
        size: record.size,
        group: record.group.clone(),
        kills: kills.as_ref().map_or(0, |kills| kills.count),
        kills_below_size: total(evidence.events.iter().map(|logged| match logged.event {
            Event::KilledBelowSize { processes } => processes,
            _ => 0,
        })),
        killed: kills.map(|kills| kills.killed()).unwrap_or_default(),
    })
}

/// Kills of the kernel at the server's size: at least one.
pub(super) struct Kills<'a> {
    /// Number of killed processes.
    pub(super) count: u64,
    /// Time before the first kill.
    first: Timestamp,
    /// Processes that ended by SIGKILL when the kernel killed.
    processes: Vec<&'a ProcessRecord>,
    /// Whether the main process was one of them.
    pub(super) server: bool,
}

impl<'a> Kills<'a> {
    /// Kills of a run; `None` without any.
    pub(super) fn of(evidence: &'a Evidence) -> Option<Self> {
        let noticed = evidence.events.iter().filter_map(|logged| match logged.event {
            Event::KilledAtSize { processes, since } => Some((processes, since, logged.at)),
            _ => None,
        });
        let noticed: Vec<(u64, Timestamp, Timestamp)> = noticed.collect();
        let first = noticed.iter().map(|(_, since, _)| *since).min()?;
        let is_in_time = |at: Timestamp| {
            noticed.iter().any(|(_, since, noticed)| {
                at >= *since && at.since(*noticed).as_micros() <= u128::from(EXIT_LIMIT_MICROS)
            })
        };
        let table = evidence.processes.iter().flat_map(|table| &table.processes);
        let is_killed =
            |it: &&ProcessRecord| it.signal == Some(SIGKILL) && it.exited.is_some_and(&is_in_time);
        let processes: Vec<&ProcessRecord> = table.filter(is_killed).collect();
        let is_gone = evidence
            .events
            .iter()
            .any(|logged| logged.event == Event::ServerGone && is_in_time(logged.at));
        let main = evidence.environment.as_ref().and_then(|it| it.server.identity);
        // With exit records, they decide; else the server that is gone at that moment.
        let has_signals = evidence
            .processes
            .iter()
            .flat_map(|table| &table.processes)
            .any(|process| process.signal.is_some());
        let server =
            is_gone && (!has_signals || processes.iter().any(|it| Some(it.identity) == main));
        Some(Self {
            count: total(noticed.iter().map(|(processes, ..)| *processes)),
            first,
            processes,
            server,
        })
    }

    /// Processes that ended by SIGKILL when the kernel killed; empty without exit records.
    pub(super) fn killed(&self) -> Vec<KilledProcess> {
        let killed = |record: &&ProcessRecord| KilledProcess {
            pid: record.identity.pid,
            class: record.class,
            peak: record.peak,
        };
        self.processes.iter().map(killed).collect()
    }

    /// Whether a failure of this time follows from a kill, by the rule above. A failure of unknown
    /// time may have been before the kill.
    pub(super) fn explain(&self, failure: &Failure, at: Option<Timestamp>) -> bool {
        at.is_some_and(|at| at >= self.first) && self.explain_kind(failure)
    }

    fn explain_kind(&self, failure: &Failure) -> bool {
        let serves = |it: &&ProcessRecord| {
            matches!(it.class, ProcessClass::Server | ProcessClass::ServerWorker)
        };
        let is_connection = failure.is_transport_error()
            && [error_type::CONNECT_ERROR, error_type::CONNECTION_LOST]
                .contains(&failure.error_type.as_str());
        failure.error_type == BROKEN_POOL
            || (is_connection && (self.server || self.processes.iter().any(serves)))
    }

    /// Whether all failed iterations of a scenario follow from kills.
    pub(super) fn explain_all_of(&self, evidence: &Evidence, id: ScenarioId) -> bool {
        let Some(outcome) = evidence.outcomes.get(&id) else { return false };
        // A time limit of a whole scenario is reached by other iterations than those that failed.
        let failed = outcome.segments.iter().filter(|segment| segment.failed > 0);
        outcome.ended != Ended::TimedOut
            && failed.clone().all(|segment| self.explain_segment(segment))
    }

    fn explain_segment(&self, segment: &SegmentOutcome) -> bool {
        let mut kinds = segment.tally.kinds().iter().filter(|kind| kind.is_error());
        // Without times of failures, none was before the segment.
        kinds.all(|kind| self.explain(&kind.example, kind.first.or(Some(segment.began))))
    }
}
