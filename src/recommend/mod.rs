//! The constants that runs support: from their peaks to a patch of SkyPilot.
//!
//! Pure: reports in, [`Recommendation`] out. In the order of the work:
//!
//! * [`Recommendation::assemble`] takes the runs, or says which of them it refuses.
//! * [`support`] finds each constant's peak and applies the headroom rule to it.
//! * [`effects`] holds what SkyPilot's own formulas answer for machines before and
//!   after; they are asked by the command, in the SkyPilot of the runs.
//! * [`patch`] changes the constants in SkyPilot's source, [`text`] renders.

mod constant;
pub mod effects;
pub mod patch;
mod support;
pub mod text;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use constant::Constant;
pub use effects::{Effects, MachineEffect, MachineSize, Mode, Workers};
pub use support::{Advice, Caution, Counted, HEADROOM_PERCENT, PeakSeen, Support};

use crate::analysis::{Report, Verdict};
use crate::ids::RunId;
use crate::infrastructure::Infrastructure;
use crate::record::environment::{Environment, MemorySettings};
use crate::record::profile::ProfilerLevel;
use crate::units::ByteSize;

/// The constants that runs support, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recommendation {
    /// The SkyPilot that the runs were of.
    pub sky: SkyVersion,
    /// The runs.
    pub runs: Vec<RunUsed>,
    /// Variables that shaped the memory of their servers: the constants hold for servers
    /// that have the same.
    #[serde(default)]
    pub memory_variables: Vec<String>,
    /// Each constant, with what the runs say of it.
    pub constants: Vec<Advice>,
    /// How many workers SkyPilot starts before and after.
    pub effects: Effects,
}

/// Which SkyPilot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SkyVersion {
    /// Its version.
    pub version: String,
    /// The commit that it was built from.
    pub commit: Option<String>,
}

impl std::fmt::Display for SkyVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.commit {
            Some(commit) => write!(f, "{} ({commit})", self.version),
            None => f.write_str(&self.version),
        }
    }
}

/// A run that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunUsed {
    /// Which run.
    pub run: RunId,
    /// Its verdict. A failed scenario says nothing against the peaks, but some of its
    /// load may not have taken place.
    pub verdict: Verdict,
    /// What it launched on.
    pub infrastructure: Infrastructure,
    /// How its peaks were read; `None` for a server elsewhere, which has no profile.
    pub level: Option<ProfilerLevel>,
}

/// Why there is no recommendation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Runs whose numbers cannot be trusted, or are of another SkyPilot than its constants.
    #[error("{}", .0.join("\n"))]
    Inconclusive(Vec<String>),
    /// Runs of more than one SkyPilot.
    #[error(
        "runs of different SkyPilots support no common constants: {0}, {1}\n  hint: recommend for each \
         of them apart"
    )]
    DifferentVersions(String, String),
    /// Runs of servers whose memory was shaped otherwise, beside their program.
    #[error(
        "the peaks of {first} and {other} are not comparable: {difference}\n  hint: recommend for \
         each of them apart; `cargo xtask load` passes such variables on to an isolated server by \
         --server-env alone"
    )]
    DifferentMemory {
        /// A run.
        first: RunId,
        /// A run that differs from it.
        other: RunId,
        /// In what.
        difference: String,
    },
    /// There was no run at all.
    #[error("no run was given")]
    NoRun,
}

impl Recommendation {
    /// What these runs support. What it would change is not known yet.
    pub fn assemble(reports: &[Report]) -> Result<Self, Refusal> {
        let refused: Vec<String> = reports.iter().filter_map(inconclusive).collect();
        if !refused.is_empty() {
            return Err(Refusal::Inconclusive(refused));
        }
        let mut versions = reports.iter().filter_map(|report| Some((report, version(report)?)));
        let (first, sky) = versions.next().ok_or(Refusal::NoRun)?;
        if let Some((other, other_sky)) = versions.find(|(_, other)| *other != sky) {
            let is_of = |run: &RunId, sky: &SkyVersion| format!("{run} is of {sky}");
            return Err(Refusal::DifferentVersions(
                is_of(&first.run, &sky),
                is_of(&other.run, &other_sky),
            ));
        }
        let memory_variables = memory_variables(reports)?;
        Ok(Self {
            sky,
            memory_variables,
            runs: reports.iter().map(used).collect(),
            constants: Constant::ALL.map(|constant| support::advice(constant, reports)).to_vec(),
            effects: Effects::NotAsked,
        })
    }

    /// The same with what SkyPilot answered, or why it could not be asked.
    pub fn with_effects(mut self, effects: Effects) -> Self {
        if let Effects::Known { controller, .. } = &effects {
            for advice in &mut self.constants {
                if advice.constant == Constant::Controller {
                    advice.current = *controller;
                }
            }
        }
        self.effects = effects;
        self
    }

    /// Whether any constant that is patched is supported.
    pub fn is_usable(&self) -> bool {
        self.constants
            .iter()
            .any(|advice| advice.constant.is_patched() && advice.recommended().is_some())
    }

    /// The values to write into SkyPilot's source: of the constants that it has and that
    /// the runs support, whether or not they differ.
    pub fn values(&self) -> BTreeMap<Constant, ByteSize> {
        let patched = self.constants.iter().filter(|advice| advice.constant.is_patched());
        patched
            .filter(|advice| advice.current.is_some())
            .filter_map(|advice| Some((advice.constant, advice.recommended()?)))
            .collect()
    }

    /// Whether any of these values differs from the present one.
    pub fn changes_anything(&self) -> bool {
        self.constants.iter().any(|advice| advice.change().is_some_and(Ordering::is_ne))
    }
}

/// Why a run's numbers cannot be taken, with its own words.
fn inconclusive(report: &Report) -> Option<String> {
    let mut reasons = report.doubts();
    if report.environment.is_none() {
        reasons.push("the SkyPilot under test is not on record");
    }
    let skew = report.environment.as_ref().and_then(Environment::skew);
    match (skew, reasons.is_empty()) {
        (None, true) => None,
        (_, false) => Some(format!("run {} is inconclusive: {}", report.run, reasons.join("; "))),
        (Some(skew), true) => Some(format!(
            "run {} says nothing about constants: {skew}, whose constants are known; load it with \
             --sky and the server's version",
            report.run
        )),
    }
}

/// What shaped the memory of all servers alike. A run of which nothing is on record says
/// nothing against it.
fn memory_variables(reports: &[Report]) -> Result<Vec<String>, Refusal> {
    let shape = |report: &'_ Report| -> Option<MemorySettings> {
        report.environment.as_ref()?.server_environment.memory().cloned()
    };
    let mut shapes = reports.iter().filter_map(|report| Some((report, shape(report)?)));
    let Some((first, expected)) = shapes.next() else { return Ok(Vec::new()) };
    for (other, shape) in shapes {
        if let Some(difference) = expected.difference_to(&shape) {
            let (first, other) = (first.run.clone(), other.run.clone());
            return Err(Refusal::DifferentMemory { first, other, difference });
        }
    }
    Ok(expected.assignments())
}

fn version(report: &Report) -> Option<SkyVersion> {
    let sky = &report.environment.as_ref()?.sky;
    Some(SkyVersion { version: sky.version.clone(), commit: sky.commit.clone() })
}

fn used(report: &Report) -> RunUsed {
    RunUsed {
        run: report.run.clone(),
        verdict: report.verdict,
        infrastructure: report.plan.infrastructure.clone(),
        level: report.profiler.map(|profiler| profiler.level),
    }
}
