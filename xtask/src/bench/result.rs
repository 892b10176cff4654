//! What the benchmark found: `profiler.json`, from which the tables are made.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use skyload::plan::Machine;
use skyload::units::ByteSize;
use sysinfo::System;

use super::accuracy::Caught;
use super::contestant::Contestant;
use super::cost::Measured;
use super::effect::{Felt, Window};
use super::plan::Plan;
use super::psutil::Psutil;
use super::statistics::{Recall, Spread};
use super::watcher::{Account, Watched};
use crate::workspace::Workspace;

/// All that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Findings {
    pub(super) version: u32,
    pub(super) setting: Setting,
    pub(super) plan: Plan,
    /// Ours at its best is the first.
    pub(super) contestants: Vec<Contestant>,
    pub(super) not_granted: Vec<String>,
    /// The machine's load average over the last 15 minutes, at the end: what else ran.
    pub(super) load_average: Load,
    pub(super) costs: Vec<Cost>,
    pub(super) accuracies: Vec<Accuracy>,
    pub(super) effect: Option<Effect>,
}

/// On what, with what, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Setting {
    /// The day, as `2026-11-24`.
    pub(super) date: String,
    pub(super) kernel: String,
    pub(super) cpus: usize,
    pub(super) memory: ByteSize,
    /// Processes of the machine beside the watched: everybody has to pass over them.
    pub(super) other_processes: usize,
    pub(super) skyload: String,
    pub(super) psutil: String,
    pub(super) sysinfo: String,
}

/// Microseconds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Micros(pub(super) f64);

/// How many times as much.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Ratio(pub(super) f64);

/// Processes that run or want to, on average.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Load(pub(super) f64);

impl Load {
    /// Of the last 15 minutes.
    pub(super) fn read() -> Result<Self> {
        Ok(Self(System::load_average().context("reading the machine's load")?.fifteen))
    }
}

/// Ticks per second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Hertz(pub(super) f64);

/// What a contestant costs among so many workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Cost {
    pub(super) workers: u32,
    /// Its place among the contestants.
    pub(super) contestant: usize,
    pub(super) cpu_micros_per_tick: Spread<Micros>,
    /// Of the CPU per tick to that of the first contestant in the same round.
    pub(super) ratio_to_ours: Spread<Ratio>,
    pub(super) achieved_hertz: Spread<Hertz>,
    /// Its own peak memory, in the worst round.
    pub(super) memory: ByteSize,
    pub(super) accounts: Vec<Account>,
}

/// What a contestant catches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Accuracy {
    /// Its place among the contestants.
    pub(super) contestant: usize,
    pub(super) spikes: Recall,
    pub(super) brief: Recall,
}

/// What a real server feels of the first contestant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Effect {
    /// The release of SkyPilot.
    pub(super) sky: String,
    pub(super) windows: Vec<Window>,
    pub(super) cpu_micros_per_tick: Spread<Micros>,
}

impl Micros {
    /// CPU per tick; `None` where there was no tick.
    #[expect(clippy::cast_precision_loss, reason = "a count of ticks is far below 2^52")]
    fn per_tick(watched: &Watched) -> Option<Self> {
        (watched.ticks > 0).then(|| Self(watched.cpu.as_secs_f64() * 1e6 / watched.ticks as f64))
    }

    /// The share of one core, in percent, that so much every `interval` is.
    pub(super) fn percent_of_a_core(self, interval: Duration) -> f64 {
        self.0 / 1e6 / interval.as_secs_f64() * 100.0
    }
}

impl Setting {
    pub(super) fn find(workspace: &Workspace, machine: &Machine, psutil: &Psutil) -> Result<Self> {
        let lock = workspace.root.join("Cargo.lock");
        let lock = fs::read_to_string(&lock)
            .with_context(|| format!("reading versions from `{}`", lock.display()))?;
        let build = if cfg!(debug_assertions) { "development" } else { "release" };
        let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
        Ok(Self {
            date: now.chars().take_while(|&letter| letter != 'T').collect(),
            kernel: System::kernel_version().context("reading the kernel's version")?,
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory: machine.memory_total,
            other_processes: fake_sky::procfs::all().len(),
            skyload: format!("{} ({build} build)", env!("CARGO_PKG_VERSION")),
            psutil: psutil.versions.clone(),
            sysinfo: locked_version(&lock, "sysinfo").context("finding sysinfo in Cargo.lock")?,
        })
    }
}

fn locked_version(lock: &str, package: &str) -> Option<String> {
    let (_, entry) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    entry.split_once('"').map(|(version, _)| version.to_owned())
}

/// Sums up all rounds.
pub(super) fn costs(
    plan: &Plan,
    contestants: &[Contestant],
    measured: &[Measured],
) -> Result<Vec<Cost>> {
    let mut costs = Vec::new();
    for &workers in &plan.workers {
        for (place, who) in contestants.iter().enumerate() {
            let cost = cost(workers, place, measured);
            costs
                .push(cost.with_context(|| format!("{who} took no tick among {workers} workers"))?);
        }
    }
    Ok(costs)
}

fn cost(workers: u32, contestant: usize, measured: &[Measured]) -> Option<Cost> {
    let of = |place: usize| {
        let here = move |one: &&Measured| one.workers == workers && one.contestant == place;
        measured.iter().filter(here).map(|one| &one.watched)
    };
    let per_tick = |place| of(place).map(Micros::per_tick).collect::<Option<Vec<_>>>();
    let (theirs, ours) = (per_tick(contestant)?, per_tick(0)?);
    let ratios: Vec<Ratio> =
        theirs.iter().zip(&ours).map(|(theirs, ours)| Ratio(theirs.0 / ours.0)).collect();
    #[expect(clippy::cast_precision_loss, reason = "a count of ticks is far below 2^52")]
    let rates: Vec<Hertz> =
        of(contestant).map(|one| Hertz(one.ticks as f64 / one.time.as_secs_f64())).collect();
    Some(Cost {
        workers,
        contestant,
        cpu_micros_per_tick: Spread::of(&theirs)?,
        ratio_to_ours: Spread::of(&ratios)?,
        achieved_hertz: Spread::of(&rates)?,
        memory: of(contestant).map(|one| one.memory).max()?,
        accounts: of(contestant).map(|one| one.account).collect(),
    })
}

/// Puts the claims of all rounds together.
pub(super) fn accuracies(contestants: &[Contestant], caught: &[Caught]) -> Result<Vec<Accuracy>> {
    let accuracy = |contestant: usize| {
        let of = || caught.iter().filter(move |one| one.contestant == contestant);
        let spikes: Vec<_> = of().flat_map(|one| one.spikes.iter().copied()).collect();
        let brief: Vec<_> = of().flat_map(|one| one.brief.iter().copied()).collect();
        let (spikes, brief) = (Recall::of(&spikes)?, Recall::of(&brief)?);
        Some(Accuracy { contestant, spikes, brief })
    };
    let each = contestants.iter().enumerate();
    each.map(|(place, who)| accuracy(place).with_context(|| format!("nothing was shown to {who}")))
        .collect()
}

impl Effect {
    pub(super) fn of(felt: Felt) -> Result<Self> {
        let cpu: Option<Vec<Micros>> = felt.watched.iter().map(Micros::per_tick).collect();
        let cpu = cpu.as_deref().and_then(Spread::of);
        Ok(Self {
            sky: felt.sky,
            windows: felt.windows,
            cpu_micros_per_tick: cpu.context("the profiler took no tick beside the server")?,
        })
    }
}
