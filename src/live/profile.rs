//! Follower of a profile: the server's processes and the machine as last read.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use super::memory::{Latest, Memory};
use crate::clock::Timestamp;
use crate::record::profile::{ProcessTable, ProfileLine, SystemSample};
use crate::record::{LogTail, ProfileFiles, read};

/// Follower of a profile, for a status line. After half an hour, when samples are written once a
/// minute, it has what the readings of single processes tell.
#[derive(Debug)]
pub struct ProfileFollower {
    lines: LogTail<ProfileLine>,
    table: TableFile,
    memory: Memory,
    machine: Option<(Timestamp, SystemSample)>,
}

impl ProfileFollower {
    /// Follows a profile from its first line on, whether or not it exists yet.
    pub fn begin(files: ProfileFiles) -> Self {
        Self {
            lines: LogTail::new(files.samples),
            table: TableFile::new(files.processes),
            memory: Memory::default(),
            machine: None,
        }
    }

    /// Reads what was added. What cannot be read stays as it was.
    pub fn read_new(&mut self) {
        let lines = self.lines.read_new().unwrap_or_default();
        // Before the readings, which name processes of the table.
        if lines.iter().any(|line| matches!(line, ProfileLine::Readings(_)))
            && let Some(table) = self.table.read_new()
        {
            self.memory.set_table(&table);
        }
        for line in lines {
            self.memory.add(&line);
            if let ProfileLine::Sample(sample) = line
                && let Some(system) = sample.system
            {
                self.machine = Some((sample.at, system));
            }
        }
    }

    /// Processes as last read; `None` before the first sample.
    pub const fn latest(&self) -> Option<&Latest> {
        self.memory.latest()
    }

    /// CPU and memory use of the machine as last read, with its time.
    pub const fn machine(&self) -> Option<(Timestamp, SystemSample)> {
        self.machine
    }
}

/// Process table of a profile that is being written.
#[derive(Debug)]
pub(super) struct TableFile {
    path: PathBuf,
    /// Time at which the table was written that was read last.
    written: Option<SystemTime>,
}

impl TableFile {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, written: None }
    }

    /// Reads the table; `None` if it has not been written since the last call, or cannot be read.
    pub(super) fn read_new(&mut self) -> Option<ProcessTable> {
        let written = fs::metadata(&self.path).and_then(|table| table.modified()).ok()?;
        if Some(written) == self.written {
            return None;
        }
        let table = read(&self.path).ok()?;
        self.written = Some(written);
        Some(table)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write as _;

    use super::*;
    use crate::class::ProcessClass;
    use crate::ids::ProcessIdentity;
    use crate::record::profile::{
        ClassSample, Ending, ProcessReading, ProcessRecord, ProfilerOverhead, Readings, Sample,
    };
    use crate::record::{Version, write_json};
    use crate::units::ByteSize;

    const CLASS: ProcessClass = ProcessClass::ShortExecutor;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn sample(second: u64, count: u32) -> ProfileLine {
        let class = ClassSample {
            count,
            rss_sum: ByteSize::mib(u64::from(count) * 100),
            rss_max: ByteSize::mib(100),
            threads: count,
        };
        ProfileLine::Sample(Sample {
            at: at(second),
            late_micros: 0,
            classes: BTreeMap::from([(CLASS, class)]),
            zombies: 0,
            left_out: 0,
            system: Some(SystemSample {
                cpu_percent: 34.0,
                memory_used: ByteSize::gib(1),
                memory_available: ByteSize::gib(1),
            }),
        })
    }

    fn readings(second: u64, processes: u32) -> ProfileLine {
        let process = |pid| ProcessReading {
            pid,
            started: 1_234_567_890,
            rss: ByteSize::mib(200),
            anonymous: None,
            low: None,
            high: None,
            threads: 12,
            open_files: Some(123),
        };
        let processes = (0..processes).map(process).collect();
        ProfileLine::Readings(Readings { at: at(second), processes, databases: BTreeMap::new() })
    }

    fn table(processes: u32) -> ProcessTable {
        let record = |pid| ProcessRecord {
            identity: ProcessIdentity { pid, started: 1_234_567_890 },
            parent: 1,
            class: CLASS,
            title: String::new(),
            kind: None,
            first_seen: at(0),
            last_read: Some(at(0)),
            peak: Some(ByteSize::mib(300)),
            peak_while_starting: None,
            swapped: None,
            threads: 12,
            fastest_growth: None,
            exited: None,
            signal: None,
            ending: Ending::Alive,
        };
        ProcessTable {
            version: Version,
            processes: (0..processes).map(record).collect(),
            dropped_events: 0,
            profiler: ProfilerOverhead {
                samples: 1,
                missed_samples: 0,
                rate_hz: 20.0,
                cpu: std::time::Duration::ZERO,
                peak: ByteSize(0),
                longest_gap: std::time::Duration::ZERO,
            },
        }
    }

    #[test]
    fn readings_tell_of_processes_while_no_samples_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let files = ProfileFiles::in_directory(folder.path());
        let mut follower = ProfileFollower::begin(files.clone());
        follower.read_new();
        assert!(follower.latest().is_none(), "no file yet");
        write_json(&files.processes, &table(100)).unwrap();
        let mut file = fs::File::create(&files.samples).unwrap();
        let mut write = |lines: &[ProfileLine]| {
            for line in lines {
                writeln!(file, "{}", serde_json::to_string(line).unwrap()).unwrap();
            }
        };
        let mut now = || {
            follower.read_new();
            let latest = follower.latest().expect("there is a sample");
            let machine = follower.machine().map(|(at, _)| at);
            (latest.at, latest.processes(), latest.rss_sum(), machine)
        };
        write(&[sample(1_800, 50), readings(1_800, 100)]);
        assert_eq!(now(), (at(1_800), 50, ByteSize::mib(5_000), Some(at(1_800))));
        // Longer than the samples of a minute.
        write(&(0..20).map(|_| readings(1_850, 100)).collect::<Vec<_>>());
        assert_eq!(now(), (at(1_850), 100, ByteSize::mib(20_000), Some(at(1_800))));
        // Those of the minute come at its end.
        write(&[sample(1_810, 50), sample(1_860, 60)]);
        assert_eq!(now(), (at(1_860), 60, ByteSize::mib(6_000), Some(at(1_860))));
    }
}
