//! Writer of the two files of a profile, which stay readable if the profiler is killed at
//! any moment.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::thinning::LineThinner;
use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::record::profile::{ProcessTable, ProfileLine};
use crate::record::{JsonLines, RecordError, write_json};

/// Time between flushes of `samples.jsonl`: about as much is lost if the profiler is killed.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// Least time between writes of `processes.json`. Longer than [`FLUSH_INTERVAL`] because the file
/// is rewritten as a whole.
const TABLE_INTERVAL: Duration = Duration::from_secs(5);

/// Time between writes of `processes.json`, in units of the time that the last write took: a table
/// of thousands of processes, as after a day, is written less often.
const TABLE_PAUSE: u32 = 20;

/// Open files of a profile.
#[derive(Debug)]
pub(super) struct Journal {
    samples: JsonLines<ProfileLine>,
    thinner: LineThinner,
    lines: u64,
    flushed: Instant,
    processes: PathBuf,
    table_written: Instant,
    /// Time that the last write of the table took.
    table_took: Duration,
}

impl Journal {
    /// Opens `samples` for appending; `processes` is created by the first table.
    pub(super) fn open(samples: &std::path::Path, processes: PathBuf) -> Result<Self, RecordError> {
        let now = Instant::now();
        let samples = JsonLines::append_to(samples)?;
        Ok(Self {
            samples,
            thinner: LineThinner::default(),
            lines: 0,
            flushed: now,
            processes,
            table_written: now,
            table_took: Duration::ZERO,
        })
    }

    /// Appends a line, and flushes if the last flush was [`FLUSH_INTERVAL`] ago. Samples and readings
    /// of executors of a long profile are thinned, and written up to a minute later.
    pub(super) fn push(&mut self, line: ProfileLine) -> Result<(), RecordError> {
        let lines = self.thinner.add(line);
        self.append(lines)?;
        if self.flushed.elapsed() >= FLUSH_INTERVAL { self.samples_to_file() } else { Ok(()) }
    }

    /// Ends the readings of executors that have exited, so that none waits for the end of the
    /// profile.
    pub(super) fn end_executors(&mut self, exited: &[ProcessIdentity]) {
        self.thinner.end_executors(exited);
    }

    fn append(&mut self, lines: Vec<ProfileLine>) -> Result<(), RecordError> {
        for line in lines {
            self.samples.push(&line)?;
            self.lines += 1;
        }
        Ok(())
    }

    fn samples_to_file(&mut self) -> Result<(), RecordError> {
        self.flushed = Instant::now();
        self.samples.flush()
    }

    /// Number of lines added.
    pub(super) const fn lines(&self) -> u64 {
        self.lines
    }

    /// Writes the lines that wait to be thinned, of which the last say what requests cost.
    pub(super) fn end_thinning(&mut self, at: Timestamp) -> Result<(), RecordError> {
        let lines = self.thinner.finish(at);
        self.append(lines)
    }

    /// Flushes all lines to the operating system, samples that wait to be thinned included.
    pub(super) fn flush(&mut self) -> Result<(), RecordError> {
        let lines = self.thinner.end_samples();
        self.append(lines)?;
        self.samples_to_file()
    }

    /// Whether the table is due to be written again.
    pub(super) fn is_table_due(&self) -> bool {
        self.table_written.elapsed() >= TABLE_INTERVAL.max(self.table_took * TABLE_PAUSE)
    }

    /// Replaces the table in `processes.json`.
    pub(super) fn write_table(&mut self, table: &ProcessTable) -> Result<(), RecordError> {
        let began = Instant::now();
        write_json(&self.processes, table)?;
        self.table_written = Instant::now();
        self.table_took = self.table_written.duration_since(began);
        Ok(())
    }
}
