//! Writer of the two files of a profile, which stay readable if the profiler is killed at
//! any moment.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::record::profile::{ProcessTable, ProfileLine};
use crate::record::{JsonLines, RecordError, write_json};

/// Time between flushes of `samples.jsonl`: about as much is lost if the profiler is killed.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// Time between writes of `processes.json`. Longer than [`FLUSH_INTERVAL`] because the file
/// is rewritten as a whole.
const TABLE_INTERVAL: Duration = Duration::from_secs(5);

/// Open files of a profile.
#[derive(Debug)]
pub(super) struct Journal {
    samples: JsonLines<ProfileLine>,
    lines: u64,
    flushed: Instant,
    processes: PathBuf,
    table_written: Instant,
}

impl Journal {
    /// Opens `samples` for appending; `processes` is created by the first table.
    pub(super) fn open(samples: &std::path::Path, processes: PathBuf) -> Result<Self, RecordError> {
        let now = Instant::now();
        let samples = JsonLines::append_to(samples)?;
        Ok(Self { samples, lines: 0, flushed: now, processes, table_written: now })
    }

    /// Appends a line, and flushes if the last flush was [`FLUSH_INTERVAL`] ago.
    pub(super) fn push(&mut self, line: &ProfileLine) -> Result<(), RecordError> {
        self.samples.push(line)?;
        self.lines += 1;
        if self.flushed.elapsed() >= FLUSH_INTERVAL { self.flush() } else { Ok(()) }
    }

    /// Number of lines added.
    pub(super) const fn lines(&self) -> u64 {
        self.lines
    }

    /// Flushes all lines to the operating system.
    pub(super) fn flush(&mut self) -> Result<(), RecordError> {
        self.flushed = Instant::now();
        self.samples.flush()
    }

    /// Whether the table is due to be written again.
    pub(super) fn is_table_due(&self) -> bool {
        self.table_written.elapsed() >= TABLE_INTERVAL
    }

    /// Replaces the table in `processes.json`.
    pub(super) fn write_table(&mut self, table: &ProcessTable) -> Result<(), RecordError> {
        write_json(&self.processes, table)?;
        self.table_written = Instant::now();
        Ok(())
    }
}
