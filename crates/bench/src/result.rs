//! Results of the benchmark: `profiler.json`, from which the tables are made.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use skyload::units::ByteSize;
use sysinfo::System;

use crate::accuracy::AccuracyMeasurement;
use crate::candidate::Candidate;
use crate::effect::Effect;
use crate::overhead::OverheadMeasurement;
use crate::plan::Plan;
use crate::statistics::{Hertz, Micros, Ratio, Recall, Spread};
use crate::watcher::{Account, Observation};

/// Format version of `profiler.json`.
pub(crate) const VERSION: u32 = 3;

/// Results of the benchmark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct BenchResults {
    pub(crate) version: u32,
    pub(crate) setting: Setting,
    pub(crate) plan: Plan,
    /// Candidates. The first one is skyload's profiler at its best level.
    pub(crate) candidates: Vec<Candidate>,
    /// Levels of skyload's profiler that were not measured, with reasons.
    #[serde(rename = "not-granted")]
    pub(crate) unavailable: Vec<String>,
    /// Load average of the machine at the end: shows what else ran.
    pub(crate) load_average: LoadAverage,
    #[serde(rename = "costs")]
    pub(crate) overheads: Vec<Overhead>,
    pub(crate) accuracies: Vec<Accuracy>,
    pub(crate) effect: Option<Effect>,
}

/// Date, machine and tools of the benchmark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Setting {
    /// Day, in UTC: `2026-11-24`.
    pub(crate) date: String,
    pub(crate) kernel: String,
    pub(crate) cpus: usize,
    pub(crate) memory: ByteSize,
    /// Number of other processes on the machine, which every candidate has to skip.
    pub(crate) other_processes: usize,
    pub(crate) skyload: String,
    pub(crate) psutil: String,
    pub(crate) sysinfo: String,
}

/// Load average over 15 minutes: processes that run or wait for a CPU.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct LoadAverage(pub(crate) f64);

impl LoadAverage {
    /// Current load average of this machine.
    pub(crate) fn read() -> Result<Self> {
        Ok(Self(System::load_average().context("reading the load average")?.fifteen))
    }
}

/// Overhead of a candidate at a number of workers, over all rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Overhead {
    pub(crate) workers: u32,
    /// Index of the candidate.
    pub(crate) candidate: usize,
    #[serde(rename = "cpu-micros-per-tick")]
    pub(crate) cpu_micros_per_sample: Spread<Micros>,
    /// Ratio of the CPU time per sample to that of the first candidate in the same round.
    pub(crate) ratio_to_ours: Spread<Ratio>,
    pub(crate) achieved_hertz: Spread<Hertz>,
    /// High-water mark (VmHWM) of the candidate, maximum of all rounds.
    pub(crate) memory: ByteSize,
    pub(crate) accounts: Vec<Account>,
}

/// Accuracy of a candidate over all rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Accuracy {
    /// Index of the candidate.
    pub(crate) candidate: usize,
    pub(crate) spikes: Recall,
    pub(crate) brief: Recall,
}

impl Setting {
    /// Setting of this run. The version of psutil and the machine's memory come from xtask.
    pub(crate) fn find(psutil: &str, memory: ByteSize) -> Result<Self> {
        // The version of a dependency is known to cargo only, which writes it to the lock file.
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
        let lock = fs::read_to_string(&lock)
            .with_context(|| format!("reading versions from `{}`", lock.display()))?;
        Ok(Self {
            date: today(),
            kernel: System::kernel_version().context("reading the kernel's version")?,
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory,
            other_processes: fake_sky::procfs::all().len(),
            skyload: build(),
            psutil: psutil.to_owned(),
            sysinfo: locked_version(&lock, "sysinfo").context("finding sysinfo in Cargo.lock")?,
        })
    }
}

/// Day, in UTC: `2026-11-24`.
pub(crate) fn today() -> String {
    let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    now.chars().take_while(|&letter| letter != 'T').collect()
}

/// Version of skyload, and how it was built.
pub(crate) fn build() -> String {
    let build = if cfg!(debug_assertions) { "development" } else { "release" };
    format!("{} ({build} build)", env!("CARGO_PKG_VERSION"))
}

fn locked_version(lock: &str, package: &str) -> Option<String> {
    let (_, entry) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    entry.split_once('"').map(|(version, _)| version.to_owned())
}

/// Summarizes the overhead of all rounds, per number of workers and candidate.
pub(crate) fn overheads(
    plan: &Plan,
    candidates: &[Candidate],
    measurements: &[OverheadMeasurement],
) -> Result<Vec<Overhead>> {
    let mut overheads = Vec::new();
    for &workers in &plan.workers {
        for (index, candidate) in candidates.iter().enumerate() {
            let overhead = overhead(workers, index, measurements);
            overheads.push(
                overhead
                    .with_context(|| format!("{candidate} took no sample of {workers} workers"))?,
            );
        }
    }
    Ok(overheads)
}

fn overhead(
    workers: u32,
    candidate: usize,
    measurements: &[OverheadMeasurement],
) -> Option<Overhead> {
    let observations = |candidate: usize| {
        let matches = move |measurement: &&OverheadMeasurement| {
            measurement.workers == workers && measurement.candidate == candidate
        };
        measurements.iter().filter(matches).map(|measurement| &measurement.observation)
    };
    let per_sample = |candidate| {
        observations(candidate).map(Observation::micros_per_sample).collect::<Option<Vec<_>>>()
    };
    // Both lists are in the order of the rounds, so the ratios are those of single rounds.
    let (own, first) = (per_sample(candidate)?, per_sample(0)?);
    let ratios: Vec<Ratio> =
        own.iter().zip(&first).map(|(own, first)| Ratio(own.0 / first.0)).collect();
    #[expect(clippy::cast_precision_loss, reason = "a count of samples is far below 2^52")]
    let rates: Vec<Hertz> = observations(candidate)
        .map(|observation| Hertz(observation.samples as f64 / observation.time.as_secs_f64()))
        .collect();
    Some(Overhead {
        workers,
        candidate,
        cpu_micros_per_sample: Spread::of(&own)?,
        ratio_to_ours: Spread::of(&ratios)?,
        achieved_hertz: Spread::of(&rates)?,
        memory: observations(candidate).map(|observation| observation.memory).max()?,
        accounts: observations(candidate).map(|observation| observation.account).collect(),
    })
}

/// Summarizes the accuracy of all rounds, per candidate.
pub(crate) fn accuracies(
    candidates: &[Candidate],
    measurements: &[AccuracyMeasurement],
) -> Result<Vec<Accuracy>> {
    let accuracy = |candidate: usize| {
        let matching =
            || measurements.iter().filter(move |measurement| measurement.candidate == candidate);
        let spikes: Vec<_> =
            matching().flat_map(|measurement| measurement.spikes.iter().copied()).collect();
        let brief: Vec<_> =
            matching().flat_map(|measurement| measurement.brief.iter().copied()).collect();
        let (spikes, brief) = (Recall::of(&spikes)?, Recall::of(&brief)?);
        Some(Accuracy { candidate, spikes, brief })
    };
    let each = candidates.iter().enumerate();
    each.map(|(index, candidate)| {
        accuracy(index).with_context(|| format!("no accuracy measured for {candidate}"))
    })
    .collect()
}
