//! What a profile alone amounts to: figures, and no verdict.
//!
//! Nothing was promised of a server that somebody just looks at, so there are no
//! budgets, and nothing passes or fails. What puts the figures in doubt is said.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ProfilerReport;
use super::evidence::{breaks_off, readable};
use super::losses;
use super::memory::{self, ClassMemory, MemoryReport};
use super::recording::Recording;
use super::summary::{self, MonitoringSummary, PhaseSpan};
use crate::clock::Timestamp;
use crate::ids::{ProcessIdentity, RunId};
use crate::record::profile::{Phase, ProcessTable, ProfileLine};
use crate::record::{ProfileDir, RecordError, Version, read_log};

/// The baseline of a profile is its first seconds. The original took the readings
/// before the load, which its user started by hand a moment after the profiler.
pub const PROFILE_BASELINE: Duration = Duration::from_secs(5);

/// Longest time without a sample that is not worth a note.
const SAMPLING_GAP: Duration = Duration::from_secs(2);

/// All that a profile left.
#[derive(Clone, Debug)]
pub struct ProfileEvidence {
    /// Which profile.
    pub profile: RunId,
    /// Its lines.
    pub lines: Vec<ProfileLine>,
    /// Its processes.
    pub processes: Option<ProcessTable>,
    /// Files that broke off, or that can't be read.
    pub damage: Vec<String>,
}

impl ProfileEvidence {
    /// Reads a profile's directory.
    ///
    /// # Errors
    ///
    /// When the samples cannot be read: there is nothing without them.
    pub fn read(profile: &ProfileDir) -> Result<Self, RecordError> {
        let files = profile.files();
        let lines = read_log(&files.samples)?;
        let mut damage = Vec::new();
        let processes = readable(&files.processes, &mut |error| {
            damage.push(error.in_one_line());
        });
        damage.extend(lines.cut_off.then(|| breaks_off(&files.samples)));
        damage.extend(losses::of_profile(
            &files.samples,
            &files.processes,
            &lines.values,
            processes.as_ref(),
        ));
        Ok(Self { profile: profile.id(), lines: lines.values, processes, damage })
    }
}

/// What a profile alone amounts to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProfileReport {
    /// Format of this report.
    pub version: Version<3>,
    /// Which profile.
    pub profile: RunId,
    /// The root of the tree that was watched; `None` when the profile has no header.
    pub root: Option<ProcessIdentity>,
    /// The original tool's figures.
    pub summary: Option<MonitoringSummary>,
    /// Memory of the tree.
    pub memory: Option<MemoryReport>,
    /// How the profile was made.
    pub profiler: Option<ProfilerReport>,
    /// What puts the figures in doubt, and what happened.
    pub notes: Vec<String>,
}

impl ProfileReport {
    /// Assembles it.
    pub fn assemble(evidence: &ProfileEvidence) -> Self {
        let recording =
            Recording { lines: &evidence.lines, processes: evidence.processes.as_ref() };
        let memory = memory::assemble(recording, true);
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
            notes,
        }
    }
}

fn baseline(recording: Recording<'_>) -> Option<PhaseSpan> {
    let began = recording.ticks().next()?.at;
    Some(PhaseSpan { phase: Phase::Baseline, began, ended: began.plus(PROFILE_BASELINE) })
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
                "proportional memory of {} process(es) could not be read after {:.1} s: they had \
                 ended, or belong to another user",
                snapshot.unread,
                after(snapshot.at)
            )),
            _ => {}
        }
    }
    if !recording.ended_well() {
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
            "kernel dropped process events ({dropped} time(s)): short-lived processes may be missing"
        ));
    }
    notes
}
