//! Writing the two files of a profile, so that both are of use at any moment at
//! which the profiler might be killed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::record::profile::{ProcessTable, ProfileLine};
use crate::record::{JsonLines, RecordError, write_json};

/// How much of `samples.jsonl` a killed profiler may take with it.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// How much older than the last sample `processes.json` may be. It is written
/// whole, which costs too much for more.
const TABLE_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Journal {
    samples: JsonLines<ProfileLine>,
    lines: u64,
    flushed: Instant,
    processes: PathBuf,
    tabled: Instant,
}

impl Journal {
    /// Begins both files.
    pub(super) fn open(samples: &std::path::Path, processes: PathBuf) -> Result<Self, RecordError> {
        let now = Instant::now();
        let samples = JsonLines::append_to(samples)?;
        Ok(Self { samples, lines: 0, flushed: now, processes, tabled: now })
    }

    /// Adds a line, which reaches the file within a second or so.
    pub(super) fn push(&mut self, line: &ProfileLine) -> Result<(), RecordError> {
        self.samples.push(line)?;
        self.lines += 1;
        if self.flushed.elapsed() >= FLUSH_EVERY { self.flush() } else { Ok(()) }
    }

    /// How many lines were added.
    pub(super) const fn lines(&self) -> u64 {
        self.lines
    }

    /// Hands all lines to the operating system.
    pub(super) fn flush(&mut self) -> Result<(), RecordError> {
        self.flushed = Instant::now();
        self.samples.flush()
    }

    /// Whether the table in the file has become old.
    pub(super) fn wants_table(&self) -> bool {
        self.tabled.elapsed() >= TABLE_EVERY
    }

    /// Replaces the table.
    pub(super) fn write_table(&mut self, table: &ProcessTable) -> Result<(), RecordError> {
        write_json(&self.processes, table)?;
        self.tabled = Instant::now();
        Ok(())
    }
}
