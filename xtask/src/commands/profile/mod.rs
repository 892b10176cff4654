//! `cargo xtask profile`: a server that runs already, watched until somebody has seen
//! enough. The successor of the original's `sys_profiling.py`.
//!
//! It starts nothing on the server and ends nothing of it: whoever loads it does so
//! from elsewhere, or with a `load` of another terminal.

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
use skyload::ids::RunId;
use skyload::plan::UsageErrors;
use skyload::poll;
use skyload::profiler::ProfilerOptions;
use skyload::profiler::protocol::Notice;
use skyload::record::ProfileDir;
use skyload::record::profile::{Phase, Sample};
use skyload::units::{as_gib, as_mib};

use crate::commands::{report, runs};
use crate::flags;
use crate::profiler::{ProfilerProcess, last_ticks, refusal};
use target::Target;

/// How often it is looked whether to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often the live line changes.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// Why a profile ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Asked,
    TimeIsUp,
    ServerEnded,
    ProfilerLost,
}

pub(crate) fn run(flags: &flags::Profile) -> Result<()> {
    let progress = Progress::new();
    let target = target::find(flags)?;
    if let Some(refusal) = refusal("--peaks", flags.peaks) {
        bail!(UsageErrors(vec![refusal]));
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
    let (end, mut snapshots) = watch(&mut profiler, &profile, flags.time, &signals, &step);
    if matches!(end, End::Asked | End::TimeIsUp) {
        snapshots = snapshots.and(profiler.snapshot(Phase::Watch));
    }
    let finished = snapshots.and(profiler.finish());
    step.done(match end {
        End::Asked => "done",
        End::TimeIsUp => "done, the time is up",
        End::ServerEnded => "the server ended",
        End::ProfilerLost => "the profiler ended by itself",
    });
    let report = report::assemble_profile(&profile)?;
    report::show_profile(&profile, &report, flags.format)?;
    // Last: what was measured until then is shown all the same.
    finished
}

fn directory(flags: &flags::Profile) -> Result<ProfileDir> {
    let under = match &flags.out {
        Some(out) => std::path::absolute(out).context("finding the output directory")?,
        None => Workspace::locate()?.profiles(),
    };
    let path: PathBuf = under.join(RunId::generate().as_str());
    ProfileDir::create(&path)
        .context("making the profile's directory; --out DIR makes it elsewhere")
}

/// Says what is profiled, and how exactly that can be done.
fn announce(target: &Target, profile: &ProfileDir, progress: Progress) -> Result<()> {
    let what = target.describe();
    // The profiler alone knows what this machine grants.
    let profiler = report::assemble_profile(profile)?.profiler.context("reading its header")?;
    progress.note(format!("Attached to {what}; {}", profiler.describe()));
    progress.note(format!("Profile directory: {}", profile.path().display()));
    Ok(())
}

/// Watches until there is a reason to end. A snapshot that failed is none.
fn watch(
    profiler: &mut ProfilerProcess,
    profile: &ProfileDir,
    time: Option<Duration>,
    signals: &Signals,
    step: &Step,
) -> (End, Result<()>) {
    let began = Instant::now();
    let samples = profile.files().samples;
    let (mut has_baseline, mut snapshots) = (false, Ok(()));
    let mut next_line = began;
    let Ok(end) = poll::until::<_, Infallible>(LOOK_EVERY, || {
        let elapsed = began.elapsed();
        if signals.interrupted() {
            return Ok(Some(End::Asked));
        }
        if time.is_some_and(|time| elapsed >= time) {
            return Ok(Some(End::TimeIsUp));
        }
        let news = profiler.news();
        if news.iter().any(|notice| matches!(notice, Notice::ServerGone { .. })) {
            return Ok(Some(End::ServerEnded));
        }
        if !profiler.is_alive() {
            return Ok(Some(End::ProfilerLost));
        }
        if !has_baseline && elapsed >= PROFILE_BASELINE {
            has_baseline = true;
            snapshots = profiler.snapshot(Phase::Baseline);
        }
        if Instant::now() >= next_line {
            next_line = Instant::now() + SAY_EVERY;
            if let Some(state) = in_one_line(&last_ticks(&samples)) {
                step.update(state);
            }
        }
        Ok(None)
    });
    (end, snapshots)
}

/// `short-executor 5 x 168 MiB, tree 1.24 GiB, CPU 34%`.
fn in_one_line(ticks: &[Sample]) -> Option<String> {
    let latest = ticks.last()?;
    let mut parts = Vec::new();
    for class in [ProcessClass::ShortExecutor, ProcessClass::LongExecutor] {
        if let Some(executors) = latest.classes.get(&class) {
            let largest = as_mib(executors.rss_max);
            parts.push(format!("{class} {} x {largest:.0} MiB", executors.count));
        }
    }
    let tree = latest.classes.values().map(|class| class.rss_sum).sum();
    parts.push(format!("tree {:.2} GiB", as_gib(tree)));
    let cpu = ticks.iter().rev().find_map(|tick| tick.system).map(|system| system.cpu_percent);
    parts.extend(cpu.map(|cpu| format!("CPU {cpu:.0}%")));
    Some(parts.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use skyload::clock::Timestamp;
    use skyload::record::profile::{ClassSample, SystemSample};
    use skyload::units::ByteSize;

    use super::*;

    fn tick(system: Option<SystemSample>) -> Sample {
        let rss = |count, each| ClassSample {
            count,
            rss_sum: ByteSize::mib(u64::from(count) * each),
            rss_max: ByteSize::mib(each),
            threads: count,
        };
        Sample {
            at: Timestamp::from_micros(0),
            late_micros: 0,
            classes: BTreeMap::from([
                (ProcessClass::Server, rss(1, 184)),
                (ProcessClass::ShortExecutor, rss(5, 168)),
            ]),
            zombies: 0,
            system,
        }
    }

    #[test]
    fn the_live_line_tells_of_executors_and_of_the_latest_known_cpu() {
        let system = SystemSample {
            cpu_percent: 34.4,
            memory_used: ByteSize::gib(1),
            memory_available: ByteSize::gib(1),
        };
        let line = in_one_line(&[tick(Some(system)), tick(None)]);
        let expected = "short-executor 5 x 168 MiB, tree 1.00 GiB, CPU 34%";
        assert_eq!(line.as_deref(), Some(expected));
        assert_eq!(in_one_line(&[]), None);
    }
}
