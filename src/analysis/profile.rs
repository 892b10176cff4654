//! Report of a profile that belongs to no run: figures, without a verdict.
//!
//! Such a server has no plan, so there are no budgets, and nothing passes or fails. Notes name
//! the figures that are incomplete or lower bounds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ProfilerReport;
use super::attribution::{self, Attribution};
use super::evidence::{incomplete_line, read_or_note};
use super::losses;
use super::memory::{self, ClassMemory, MemoryReport};
use super::recording::Recording;
use super::summary::{self, MonitoringSummary, PhaseSpan};
use crate::clock::Timestamp;
use crate::ids::{ProcessIdentity, RunId};
use crate::record::profile::{Phase, ProcessTable, ProfileLine};
use crate::record::{ProfileDir, RecordError, Version, read_log};
use crate::units::counted;

/// Length of a profile's baseline, from the first sample. Upstream's script takes the time before
/// the load, which its user starts by hand after the profiler.
pub const PROFILE_BASELINE: Duration = Duration::from_secs(5);

/// Length above which a sampling gap gets a note.
// Default of `profiler-gap`: a profile without a run has no plan that could set it.
const SAMPLING_GAP: Duration = Duration::from_secs(2);

/// Contents of the files of a profile.
#[derive(Clone, Debug)]
pub struct ProfileEvidence {
    /// ID of the profile.
    pub profile: RunId,
    /// Lines of `samples.jsonl`.
    pub lines: Vec<ProfileLine>,
    /// Process table; `None` if missing or unreadable.
    pub processes: Option<ProcessTable>,
    /// Messages about files that are unreadable or incomplete.
    pub damage: Vec<String>,
}

impl ProfileEvidence {
    /// Reads the directory of a profile.
    ///
    /// # Errors
    ///
    /// If the samples cannot be read: without them there are no figures.
    pub fn read(profile: &ProfileDir) -> Result<Self, RecordError> {
        let files = profile.files();
        let lines = read_log(&files.samples)?;
        let mut damage = Vec::new();
        let processes = read_or_note(&files.processes, &mut |error| {
            damage.push(error.in_one_line());
        });
        damage.extend(lines.cut_off.then(|| incomplete_line(&files.samples)));
        damage.extend(losses::of_profile(
            &files.samples,
            &files.processes,
            &lines.values,
            processes.as_ref(),
        ));
        Ok(Self { profile: profile.id(), lines: lines.values, processes, damage })
    }
}

/// Report of a profile that belongs to no run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProfileReport {
    /// Format of this report.
    pub version: Version<3>,
    /// ID of the profile.
    pub profile: RunId,
    /// Root of the profiled process tree; `None` without a header.
    pub root: Option<ProcessIdentity>,
    /// Figures of upstream's MONITORING SUMMARY.
    pub summary: Option<MonitoringSummary>,
    /// Memory of the process tree.
    pub memory: Option<MemoryReport>,
    /// Executors' memory by the requests that they ran; `None` without readings of executors. A
    /// profile alone has no names of requests, but for those of daemons.
    #[serde(default)]
    pub attribution: Option<Attribution>,
    /// Method and overhead of the profiler.
    pub profiler: Option<ProfilerReport>,
    /// Notes on events, and on figures that are incomplete or lower bounds.
    pub notes: Vec<String>,
}

impl ProfileReport {
    /// Assembles the report from the evidence.
    pub fn assemble(evidence: &ProfileEvidence) -> Self {
        let recording =
            Recording { lines: &evidence.lines, processes: evidence.processes.as_ref() };
        // A profile alone has no load, so nothing cuts its cooldown short. Its growth is that of
        // the whole time.
        let memory = memory::assemble(recording, true, whole(recording));
        let mut notes = evidence.damage.clone();
        notes.extend(notes_of(recording));
        notes.extend(memory.as_ref().and_then(MemoryReport::swapping));
        notes.extend(
            memory.iter().flat_map(|memory| &memory.classes).filter_map(ClassMemory::doubt),
        );
        Self {
            version: Version,
            profile: evidence.profile.clone(),
            root: recording.header().map(|header| header.root),
            summary: summary::assemble(recording, memory.as_ref(), baseline(recording)),
            profiler: ProfilerReport::of(recording),
            memory,
            attribution: attribution::assemble(recording, None),
            notes,
        }
    }
}

fn baseline(recording: Recording<'_>) -> Option<PhaseSpan> {
    let began = recording.samples().next()?.at;
    Some(PhaseSpan { phase: Phase::Baseline, began, ended: began.plus(PROFILE_BASELINE) })
}

/// Start and end of the profile; `None` without samples.
fn whole(recording: Recording<'_>) -> Option<(Timestamp, Timestamp)> {
    Some((recording.samples().next()?.at, recording.samples().last()?.at))
}

fn notes_of(recording: Recording<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let began = recording.header().map(|header| header.at);
    let after = |at: Timestamp| began.map_or(0.0, |began| at.since(began).as_secs_f64());
    for line in recording.lines {
        match line {
            ProfileLine::ServerGone { at } => {
                notes.push(format!("the server's main process exited after {:.1} s", after(*at)))
            }
            ProfileLine::Snapshot(snapshot) if snapshot.unread > 0 => notes.push(format!(
                "PSS of {} process(es) could not be read after {:.1} s: they had exited, or belong \
                 to another user",
                snapshot.unread,
                after(snapshot.at)
            )),
            _ => {}
        }
    }
    if !recording.ended_cleanly() {
        notes.push(
            "the profiler did not end cleanly, or has not ended yet: peaks of the last \
             seconds may be missing"
                .to_owned(),
        );
    }
    if let Some(cost) = recording.cost()
        && cost.longest_gap > SAMPLING_GAP
    {
        let longest = cost.longest_gap.as_secs_f64();
        notes.push(format!("sampling gap of {longest:.1} s"));
    }
    let dropped = recording.processes.map_or(0, |table| table.dropped_events);
    if dropped > 0 {
        notes.push(format!(
            "kernel dropped process events ({}): short-lived processes may be missing",
            counted(dropped, "time")
        ));
    }
    notes
}
