//! Profile from the server's machine, merged into a run on this machine.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use host::signals::Signals;
use skyload::api::ApiClient;
use skyload::clock::{ClockOffset, Timestamp};
use skyload::poll::{Probe, wait_until};
use skyload::record::environment::Environment;
use skyload::record::profile::{ProfileLine, THINNED_TOGETHER, UNTHINNED};
use skyload::record::{ProfileFiles, RunDir, read};
use tokio::time::timeout;

use crate::profiler::last_lines;
use crate::server::{Context, runtime};

/// Time limit of the comparison of clocks. A server under load responds slowly.
const COMPARE_TIMEOUT: Duration = Duration::from_secs(60);

/// Time limit of the comparison of clocks after Ctrl-C.
const COMPARE_TIMEOUT_INTERRUPTED: Duration = Duration::from_secs(3);

/// Time limit of the wait for newer samples, which the profiler writes every second, and for a newer
/// list of processes, which it writes every 5 s.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit of the wait for newer samples of a profiler that thins them, and writes them at the end
/// of each window.
const THINNED_TIMEOUT: Duration = THINNED_TOGETHER.saturating_add(Duration::from_secs(15));

/// Interval of the checks whether a profile is newer.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Usage error of a path that should name a profile, if it does not.
pub(crate) fn usage_error(path: &Path) -> Option<String> {
    let error = anyhow::Error::new(ProfileFiles::at(path).header().err()?);
    Some(format!(
        "--server-profile: no profile found at `{}`: {error:#}\n  hint: run `cargo xtask profile` on \
         the server's machine before the load, with results that this machine can read",
        path.display()
    ))
}

/// Offset of the server's clock from this machine's. Ctrl-C cancels the comparison; after an
/// earlier Ctrl-C it has a short time limit.
pub(crate) fn compare_clocks(context: &Context<'_>) -> Result<ClockOffset> {
    let Context { plan, run, signals, .. } = *context;
    let environment: Environment = read(&run.environment())?;
    let command = "skyload clocks".to_owned();
    let client = ApiClient::for_run(&run.id(), plan, &environment, command, &context.credentials)?;
    let compared = runtime()?.block_on(async {
        match signals.interrupted() {
            // Fast if the server responds, and without it a profile cannot be merged into
            // what was measured.
            true => Ok(timeout(COMPARE_TIMEOUT_INTERRUPTED, client.compare_clocks()).await),
            false => {
                signals.unless_interrupted(timeout(COMPARE_TIMEOUT, client.compare_clocks())).await
            }
        }
    });
    let compared = compared?.context("no response from the server in time")?;
    compared.map_err(|failure| anyhow::anyhow!("{failure}"))
}

/// Waits until the profile's samples and its list of processes are newer than `after`, by the
/// server's clock, or for the time in which a running profiler would have written them.
pub(crate) fn wait_for_newer(path: &Path, after: Timestamp, signals: &Signals) {
    let files = ProfileFiles::at(path);
    let limit = time_limit(&files, after);
    // A profile that stays old is not an error here: the report tells from the files.
    _ = wait_until(limit, POLL_INTERVAL, || {
        let is_over = signals.interrupted() || is_newer(&files, after);
        Probe::of(is_over, "the profile is older")
    });
}

/// Time limit of the wait for samples of a time.
fn time_limit(files: &ProfileFiles, at: Timestamp) -> Duration {
    match files.header() {
        Ok(header) if at.since(header.at) >= UNTHINNED => THINNED_TIMEOUT,
        _ => WRITE_TIMEOUT,
    }
}

/// Whether samples and list of processes are newer than `after`, or the profile has ended.
fn is_newer(files: &ProfileFiles, after: Timestamp) -> bool {
    let lines = last_lines(&files.samples);
    if let Some(ProfileLine::Footer { .. }) = lines.last() {
        return true;
    }
    let has_sample =
        || lines.iter().any(|line| matches!(line, ProfileLine::Sample(one) if one.at >= after));
    let has_list = || {
        let Ok(Some(table)) = files.table() else { return false };
        let read = table.processes.iter().filter_map(|record| record.last_read).max();
        read.is_some_and(|read| read >= after)
    };
    has_sample() && has_list()
}

/// Merges a profile into the run. Replaces the run's profile.
pub(crate) fn merge(path: &Path, run: &RunDir) -> Result<()> {
    run.profile()
        .replace_with(&ProfileFiles::at(path))
        .and_then(|()| run.update_profile_checksums())
        .with_context(|| format!("merging the server's profile from `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::io::Write as _;

    use skyload::class::ProcessClass;
    use skyload::ids::ProcessIdentity;
    use skyload::record::profile::{
        Ending, ProcessReading, ProcessRecord, ProcessTable, ProfileHeader, ProfilerLevel,
        ProfilerOverhead, Readings, Sample,
    };
    use skyload::record::{Version, write_json};
    use skyload::units::ByteSize;

    use super::*;

    const PROCESS: ProcessIdentity = ProcessIdentity { pid: 7, started: 7 };

    fn at(second: u64) -> Timestamp {
        Timestamp::from_micros(1_795_000_000_000_000 + second * 1_000_000)
    }

    fn header() -> ProfileLine {
        ProfileLine::Header(ProfileHeader {
            version: Version,
            at: at(0),
            root: PROCESS,
            interval: Duration::from_millis(50),
            level: ProfilerLevel::HighWaterMark,
            kernel_events: true,
            threads_and_sockets: Some(true),
            memory_total: ByteSize::gib(16),
            cpus: 2,
        })
    }

    fn sample(second: u64) -> ProfileLine {
        ProfileLine::Sample(Sample {
            at: at(second),
            late_micros: 0,
            classes: BTreeMap::new(),
            zombies: 0,
            left_out: 0,
            system: None,
        })
    }

    /// Readings of 200 processes, which take 20 kB.
    fn readings(second: u64) -> ProfileLine {
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
        let processes = (0..200).map(process).collect();
        ProfileLine::Readings(Readings { at: at(second), processes, databases: BTreeMap::new() })
    }

    fn write_list(files: &ProfileFiles, second: u64) {
        let record = ProcessRecord {
            identity: PROCESS,
            parent: 1,
            class: ProcessClass::Server,
            title: "python".to_owned(),
            kind: None,
            first_seen: at(0),
            last_read: Some(at(second)),
            peak: Some(ByteSize::mib(200)),
            peak_while_starting: None,
            swapped: None,
            threads: 3,
            fastest_growth: None,
            exited: None,
            signal: None,
            ending: Ending::Alive,
        };
        let profiler = ProfilerOverhead {
            samples: 1,
            missed_samples: 0,
            rate_hz: 20.0,
            cpu: Duration::ZERO,
            peak: ByteSize(0),
            longest_gap: Duration::ZERO,
        };
        let table =
            ProcessTable { version: Version, processes: vec![record], dropped_events: 0, profiler };
        write_json(&files.processes, &table).unwrap();
    }

    fn append(files: &ProfileFiles, lines: &[ProfileLine]) {
        let mut file =
            fs::OpenOptions::new().create(true).append(true).open(&files.samples).unwrap();
        for line in lines {
            writeln!(file, "{}", serde_json::to_string(line).unwrap()).unwrap();
        }
    }

    #[test]
    fn a_profile_is_newer_when_its_thinned_samples_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let files = ProfileFiles::in_directory(folder.path());
        let ended = at(2_400);
        append(&files, &[header(), sample(2_370), readings(2_380), readings(2_390)]);
        write_list(&files, 2_405);
        assert_eq!(time_limit(&files, ended), THINNED_TIMEOUT);
        assert!(!is_newer(&files, ended), "the last sample is of half a minute before");
        append(&files, &[sample(2_399), sample(2_400), readings(2_430)]);
        assert!(is_newer(&files, ended));
        write_list(&files, 2_399);
        assert!(!is_newer(&files, ended), "the list is older");
        append(&files, &[ProfileLine::Footer { at: at(2_431), wrote: None }]);
        assert!(is_newer(&files, ended), "nothing more is written");
    }

    #[test]
    fn a_profile_of_less_than_half_an_hour_is_waited_for_as_long_as_its_list_takes() {
        let folder = tempfile::tempdir().unwrap();
        let files = ProfileFiles::in_directory(folder.path());
        assert_eq!(time_limit(&files, at(9_000)), WRITE_TIMEOUT, "no profile");
        append(&files, &[header(), sample(0)]);
        assert_eq!(time_limit(&files, at(1_799)), WRITE_TIMEOUT);
        assert_eq!(time_limit(&files, at(1_800)), THINNED_TIMEOUT);
    }
}
