//! `cargo xtask profile`: profiles a server that already runs, until Ctrl-C, a time limit or
//! the server's exit. Replaces `sys_profiling.py` of upstream's `tests/load_tests`.
//!
//! The command neither starts nor stops a server and sends no load. The load comes from
//! another machine, or from `cargo xtask load` in another terminal.

mod target;

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use host::progress::{Progress, Step};
use host::signals::Signals;
use host::workspace::Workspace;
use skyload::analysis::PROFILE_BASELINE;
use skyload::class::ProcessClass;
use skyload::clock::{Timeline, Timestamp};
use skyload::ids::RunId;
use skyload::live::{Latest, ProfileFollower};
use skyload::plan::UsageErrors;
use skyload::poll;
use skyload::profiler::ProfilerOptions;
use skyload::profiler::protocol::Notice;
use skyload::record::ProfileDir;
use skyload::record::profile::{Phase, SystemSample};
use skyload::units::{as_gib, as_mib};

use crate::commands::{report, runs};
use crate::flags;
use crate::profiler::{ProfilerProcess, unavailable_level};
use target::Target;

/// Interval of the checks whether to stop.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Interval of updates of the status line.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// Age of the machine's CPU use from which on the status line tells it: after half an hour, samples
/// are written once a minute.
const OLD: Duration = Duration::from_secs(5);

/// Reason why a profile ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Interrupted,
    TimeElapsed,
    ServerExited,
    ProfilerExited,
}

pub(crate) fn run(flags: &flags::Profile) -> Result<()> {
    let progress = Progress::new();
    let target = target::find(flags)?;
    if let Some(error) = unavailable_level("--peaks", flags.peaks) {
        bail!(UsageErrors(vec![error]));
    }
    let profile = directory(flags)?;
    let signals = Signals::listen()?;
    let files = profile.files();
    let options = ProfilerOptions {
        interval: flags.interval,
        level: flags.peaks,
        api_port: target.port(),
        upstream_figures: flags.upstream_figures,
        ..ProfilerOptions::new(target.root, files.samples, files.processes)
    };
    let mut profiler = ProfilerProcess::spawn(&options)?;
    runs::warn_if_not_latest(profile.link_latest()?, profile.path(), progress);
    announce(&target, &profile, progress)?;

    let step = progress.step("Profiling");
    let (end, mut snapshots) =
        profile_until_end(&mut profiler, &profile, flags.time, &signals, &step);
    // Without a server or a profiler there is nothing to snapshot.
    if matches!(end, End::Interrupted | End::TimeElapsed) {
        // Taken after a failed baseline snapshot as well, whose error is kept.
        snapshots = snapshots.and(profiler.snapshot(Phase::Watch));
    }
    let finished = snapshots.and(profiler.finish());
    step.done(match end {
        End::Interrupted => "done",
        End::TimeElapsed => "done, time limit reached",
        End::ServerExited => "the server exited",
        End::ProfilerExited => "the profiler exited early",
    });
    let report = report::assemble_profile(&profile)?;
    report::show_profile(&profile, &report, flags.format)?;
    // Returned after the report: a failure to finish does not hide what was measured.
    finished
}

fn directory(flags: &flags::Profile) -> Result<ProfileDir> {
    let under = match &flags.out {
        Some(out) => std::path::absolute(out).context("finding the output directory")?,
        None => Workspace::locate()?.profiles(),
    };
    let path: PathBuf = under.join(RunId::generate().as_str());
    ProfileDir::create(&path)
        .context("creating the profile's directory; use --out DIR for another place")
}

/// Prints the target, the level of peaks and the profile's directory.
fn announce(target: &Target, profile: &ProfileDir, progress: Progress) -> Result<()> {
    let description = target.describe();
    // The level that is available is known to the profiler only, which writes it to the header.
    let profiler =
        report::assemble_profile(profile)?.profiler.context("reading the profile's header")?;
    progress.note(format!("Attached to {description}; {}", profiler.describe()));
    progress.note(format!("Profile directory: {}", profile.path().display()));
    Ok(())
}

/// Waits until the profile ends. Returns the reason, and the result of the baseline
/// snapshot: a failed snapshot does not end the profile.
fn profile_until_end(
    profiler: &mut ProfilerProcess,
    profile: &ProfileDir,
    time: Option<Duration>,
    signals: &Signals,
    step: &Step,
) -> (End, Result<()>) {
    let began = Instant::now();
    let (timeline, mut follower) = (Timeline::start(), ProfileFollower::begin(profile.files()));
    let (mut has_baseline, mut snapshots) = (false, Ok(()));
    let mut next_status = began;
    let Ok(end) = poll::until::<_, Infallible>(POLL_INTERVAL, || {
        let elapsed = began.elapsed();
        if signals.interrupted() {
            return Ok(Some(End::Interrupted));
        }
        if time.is_some_and(|time| elapsed >= time) {
            return Ok(Some(End::TimeElapsed));
        }
        let notices = profiler.take_notices();
        if notices.iter().any(|notice| matches!(notice, Notice::ServerGone { .. })) {
            return Ok(Some(End::ServerExited));
        }
        if !profiler.is_alive() {
            return Ok(Some(End::ProfilerExited));
        }
        if !has_baseline && elapsed >= PROFILE_BASELINE {
            has_baseline = true;
            snapshots = profiler.snapshot(Phase::Baseline);
        }
        if Instant::now() >= next_status {
            next_status = Instant::now() + STATUS_INTERVAL;
            follower.read_new();
            if let Some(latest) = follower.latest() {
                step.update(status_line(latest, follower.machine(), timeline.now()));
            }
        }
        Ok(None)
    });
    (end, snapshots)
}

/// Status line: `short-executor 5 x 168 MiB, tree 1.24 GiB, CPU 34%`. Executors are count x
/// largest, sizes are RSS, CPU is the machine's.
fn status_line(
    latest: &Latest,
    machine: Option<(Timestamp, SystemSample)>,
    now: Timestamp,
) -> String {
    let mut parts = Vec::new();
    for class in [ProcessClass::ShortExecutor, ProcessClass::LongExecutor] {
        if let Some(executors) = latest.classes.get(&class) {
            let largest = as_mib(executors.rss_max);
            parts.push(format!("{class} {} x {largest:.0} MiB", executors.count));
        }
    }
    parts.push(format!("tree {:.2} GiB", as_gib(latest.rss_sum())));
    if let Some((at, machine)) = machine {
        let (cpu, age) = (machine.cpu_percent, now.since(at));
        parts.push(match age >= OLD {
            true => format!("CPU {cpu:.0}% ({} s ago)", age.as_secs()),
            false => format!("CPU {cpu:.0}%"),
        });
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use skyload::record::profile::ClassSample;
    use skyload::units::ByteSize;

    use super::*;

    #[test]
    fn the_status_line_has_executors_and_the_latest_known_cpu_figure() {
        let second = |second: u64| Timestamp::from_micros(second * 1_000_000);
        let rss = |count, each| ClassSample {
            count,
            rss_sum: ByteSize::mib(u64::from(count) * each),
            rss_max: ByteSize::mib(each),
            threads: count,
        };
        let latest = Latest {
            at: second(60),
            classes: BTreeMap::from([
                (ProcessClass::Server, rss(1, 184)),
                (ProcessClass::ShortExecutor, rss(5, 168)),
            ]),
        };
        let system = SystemSample {
            cpu_percent: 34.4,
            memory_used: ByteSize::gib(1),
            memory_available: ByteSize::gib(1),
        };
        let machine = Some((second(56), system));
        let line = status_line(&latest, machine, second(60));
        assert_eq!(line, "short-executor 5 x 168 MiB, tree 1.00 GiB, CPU 34%");
        let line = status_line(&latest, machine, second(106));
        assert_eq!(line, "short-executor 5 x 168 MiB, tree 1.00 GiB, CPU 34% (50 s ago)");
        assert_eq!(
            status_line(&latest, None, second(60)),
            "short-executor 5 x 168 MiB, tree 1.00 GiB"
        );
    }
}
