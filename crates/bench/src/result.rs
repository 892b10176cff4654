//! What the benchmark found: `profiler.json`, from which the tables are made.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use skyload::units::ByteSize;
use sysinfo::System;

use crate::accuracy::Caught;
use crate::candidate::Candidate;
use crate::cost::Measured;
use crate::effect::Effect;
use crate::plan::Plan;
use crate::statistics::{Hertz, Micros, Ratio, Recall, Spread};
use crate::watcher::{Account, Watched};

/// The format of `profiler.json`.
pub(crate) const VERSION: u32 = 3;

/// All that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Findings {
    pub(crate) version: u32,
    pub(crate) setting: Setting,
    pub(crate) plan: Plan,
    /// Ours at its best is the first.
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) not_granted: Vec<String>,
    /// The machine's load average over the last 15 minutes, at the end: what else ran.
    pub(crate) load_average: Load,
    pub(crate) costs: Vec<Cost>,
    pub(crate) accuracies: Vec<Accuracy>,
    pub(crate) effect: Option<Effect>,
}

/// On what, with what, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Setting {
    /// The day, as `2026-11-24`.
    pub(crate) date: String,
    pub(crate) kernel: String,
    pub(crate) cpus: usize,
    pub(crate) memory: ByteSize,
    /// Processes of the machine beside the watched: every candidate has to skip them.
    pub(crate) other_processes: usize,
    pub(crate) skyload: String,
    pub(crate) psutil: String,
    pub(crate) sysinfo: String,
}

/// Processes that run or want to, on average.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Load(pub(crate) f64);

impl Load {
    /// Of the last 15 minutes.
    pub(crate) fn read() -> Result<Self> {
        Ok(Self(System::load_average().context("reading the machine's load")?.fifteen))
    }
}

/// What a candidate costs among so many workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Cost {
    pub(crate) workers: u32,
    /// Its place among the candidates.
    pub(crate) candidate: usize,
    pub(crate) cpu_micros_per_tick: Spread<Micros>,
    /// Of the CPU per tick to that of the first candidate in the same round.
    pub(crate) ratio_to_ours: Spread<Ratio>,
    pub(crate) achieved_hertz: Spread<Hertz>,
    /// Its own peak memory, in the worst round.
    pub(crate) memory: ByteSize,
    pub(crate) accounts: Vec<Account>,
}

/// What a candidate catches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Accuracy {
    /// Its place among the candidates.
    pub(crate) candidate: usize,
    pub(crate) spikes: Recall,
    pub(crate) brief: Recall,
}

impl Setting {
    /// This machine and these tools. The versions of psutil and its Python, and the machine's
    /// memory, are known to whoever starts this program.
    pub(crate) fn find(psutil: &str, memory: ByteSize) -> Result<Self> {
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
        let lock = fs::read_to_string(&lock)
            .with_context(|| format!("reading versions from `{}`", lock.display()))?;
        let build = if cfg!(debug_assertions) { "development" } else { "release" };
        let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
        Ok(Self {
            date: now.chars().take_while(|&letter| letter != 'T').collect(),
            kernel: System::kernel_version().context("reading the kernel's version")?,
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory,
            other_processes: fake_sky::procfs::all().len(),
            skyload: format!("{} ({build} build)", env!("CARGO_PKG_VERSION")),
            psutil: psutil.to_owned(),
            sysinfo: locked_version(&lock, "sysinfo").context("finding sysinfo in Cargo.lock")?,
        })
    }
}

fn locked_version(lock: &str, package: &str) -> Option<String> {
    let (_, entry) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    entry.split_once('"').map(|(version, _)| version.to_owned())
}

/// Sums up all rounds.
pub(crate) fn costs(
    plan: &Plan,
    candidates: &[Candidate],
    measured: &[Measured],
) -> Result<Vec<Cost>> {
    let mut costs = Vec::new();
    for &workers in &plan.workers {
        for (place, who) in candidates.iter().enumerate() {
            let cost = cost(workers, place, measured);
            costs
                .push(cost.with_context(|| format!("{who} took no tick among {workers} workers"))?);
        }
    }
    Ok(costs)
}

fn cost(workers: u32, candidate: usize, measured: &[Measured]) -> Option<Cost> {
    let of = |place: usize| {
        let here = move |one: &&Measured| one.workers == workers && one.candidate == place;
        measured.iter().filter(here).map(|one| &one.watched)
    };
    let per_tick = |place| of(place).map(Watched::micros_per_tick).collect::<Option<Vec<_>>>();
    let (theirs, ours) = (per_tick(candidate)?, per_tick(0)?);
    let ratios: Vec<Ratio> =
        theirs.iter().zip(&ours).map(|(theirs, ours)| Ratio(theirs.0 / ours.0)).collect();
    #[expect(clippy::cast_precision_loss, reason = "a count of ticks is far below 2^52")]
    let rates: Vec<Hertz> =
        of(candidate).map(|one| Hertz(one.ticks as f64 / one.time.as_secs_f64())).collect();
    Some(Cost {
        workers,
        candidate,
        cpu_micros_per_tick: Spread::of(&theirs)?,
        ratio_to_ours: Spread::of(&ratios)?,
        achieved_hertz: Spread::of(&rates)?,
        memory: of(candidate).map(|one| one.memory).max()?,
        accounts: of(candidate).map(|one| one.account).collect(),
    })
}

/// Puts the claims of all rounds together.
pub(crate) fn accuracies(candidates: &[Candidate], caught: &[Caught]) -> Result<Vec<Accuracy>> {
    let accuracy = |candidate: usize| {
        let of = || caught.iter().filter(move |one| one.candidate == candidate);
        let spikes: Vec<_> = of().flat_map(|one| one.spikes.iter().copied()).collect();
        let brief: Vec<_> = of().flat_map(|one| one.brief.iter().copied()).collect();
        let (spikes, brief) = (Recall::of(&spikes)?, Recall::of(&brief)?);
        Some(Accuracy { candidate, spikes, brief })
    };
    let each = candidates.iter().enumerate();
    each.map(|(place, who)| accuracy(place).with_context(|| format!("nothing was shown to {who}")))
        .collect()
}
