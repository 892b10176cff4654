//! Recommended constants: from the peaks of runs to a patch of SkyPilot.
//!
//! Pure functions from reports to a [`Recommendation`], in this order:
//!
//! * [`Recommendation::assemble`] checks that the runs can be used together.
//! * [`support`] finds each constant's peak and adds headroom.
//! * [`effects`] has types for the numbers of workers before and after, which the command
//!   computes with the formulas of the runs' SkyPilot.
//! * [`patch`] changes the constants in SkyPilot's source, [`text`] renders the recommendation.

mod constant;
pub mod effects;
pub mod patch;
mod support;
pub mod text;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use constant::Constant;
pub use effects::{Effects, MachineEffect, Mode, Workers};
pub use support::{Advice, Caution, ClassPeak, Counted, HEADROOM_PERCENT, Support};

use crate::analysis::{Report, Verdict};
use crate::ids::RunId;
use crate::infrastructure::Infrastructure;
use crate::record::environment::{Environment, MemorySettings};
use crate::record::profile::ProfilerLevel;
use crate::units::ByteSize;

/// Recommended constants, with the evidence for each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recommendation {
    /// SkyPilot of the runs.
    pub sky: SkyVersion,
    /// Runs that the recommendation is based on.
    pub runs: Vec<RunUsed>,
    /// Environment variables that affected the memory of the runs' servers. The constants hold
    /// for servers with the same variables.
    #[serde(default)]
    pub memory_variables: Vec<String>,
    /// Advice on each constant.
    pub constants: Vec<Advice>,
    /// Numbers of workers that SkyPilot starts before and after.
    pub effects: Effects,
}

/// Version and commit of a SkyPilot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SkyVersion {
    /// Version, such as `0.14.1`.
    pub version: String,
    /// Commit that this SkyPilot was built from.
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

/// Run that a recommendation is based on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunUsed {
    /// Id of the run.
    pub run: RunId,
    /// Verdict of the run. With a failed scenario the peaks are valid, but the load may be
    /// incomplete.
    pub verdict: Verdict,
    /// Infra that the run launched on.
    pub infrastructure: Infrastructure,
    /// Level at which peaks were measured; `None` for a remote server without a profile.
    pub level: Option<ProfilerLevel>,
}

/// Reason for which runs give no recommendation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecommendError {
    /// Runs with invalid measurements, or with another version of the server than of the client;
    /// one message each.
    #[error("{}", .0.join("\n"))]
    Inconclusive(Vec<String>),
    /// Runs of more than one SkyPilot.
    #[error(
        "expected runs of one SkyPilot, got {0} and {1}\n  hint: run `recommend` for each SkyPilot \
         separately"
    )]
    DifferentVersions(String, String),
    /// Runs whose servers had different settings that affect memory.
    #[error(
        "the peaks of {first} and {other} are not comparable: {difference}\n  hint: run `recommend` \
         for each separately; to pass such variables to an isolated server, use --server-env"
    )]
    DifferentMemory {
        /// First run.
        first: RunId,
        /// Run with other settings than the first.
        other: RunId,
        /// Setting that differs, with both values.
        difference: String,
    },
    /// Empty list of runs.
    #[error("expected at least one run, got none")]
    NoRun,
}

impl Recommendation {
    /// Recommendation from these runs, without effects.
    pub fn assemble(reports: &[Report]) -> Result<Self, RecommendError> {
        let unusable: Vec<String> = reports.iter().filter_map(inconclusive).collect();
        if !unusable.is_empty() {
            return Err(RecommendError::Inconclusive(unusable));
        }
        let mut versions = reports.iter().filter_map(|report| Some((report, version(report)?)));
        let (first, sky) = versions.next().ok_or(RecommendError::NoRun)?;
        if let Some((other, other_sky)) = versions.find(|(_, other)| *other != sky) {
            let with = |run: &RunId, sky: &SkyVersion| format!("{run} with {sky}");
            return Err(RecommendError::DifferentVersions(
                with(&first.run, &sky),
                with(&other.run, &other_sky),
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

    /// Recommendation with effects, or with the reason for which they are unknown.
    pub fn with_effects(mut self, effects: Effects) -> Self {
        // The controllers' constant is in another module, which is read only to compute effects.
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

    /// Whether the runs support a value of any constant that can be patched.
    pub fn is_usable(&self) -> bool {
        self.constants
            .iter()
            .any(|advice| advice.constant.is_patched() && advice.recommended().is_some())
    }

    /// Values for SkyPilot's source: of each constant that it has and the runs support, changed or
    /// not.
    pub fn values(&self) -> BTreeMap<Constant, ByteSize> {
        let patched = self.constants.iter().filter(|advice| advice.constant.is_patched());
        patched
            .filter(|advice| advice.current.is_some())
            .filter_map(|advice| Some((advice.constant, advice.recommended()?)))
            .collect()
    }

    /// Whether any recommended value differs from the present one.
    pub fn changes_anything(&self) -> bool {
        self.constants.iter().any(|advice| advice.change().is_some_and(Ordering::is_ne))
    }
}

/// Message on a run that cannot be used, with the findings of its report.
fn inconclusive(report: &Report) -> Option<String> {
    let mut reasons = report.doubts();
    if report.environment.is_none() {
        reasons.push("no record of the SkyPilot under test");
    }
    let skew = report.environment.as_ref().and_then(Environment::skew);
    match (skew, reasons.is_empty()) {
        (None, true) => None,
        (_, false) => Some(format!("run {} is inconclusive: {}", report.run, reasons.join("; "))),
        (Some(skew), true) => Some(format!(
            "run {} supports no constants: {skew}, whose constants are the recorded ones; run `load` \
             with --sky and the server's version",
            report.run
        )),
    }
}

/// Variables that affected the memory of all servers. Fails if they differ between runs; a run
/// without a record is not compared.
fn memory_variables(reports: &[Report]) -> Result<Vec<String>, RecommendError> {
    let shape = |report: &'_ Report| -> Option<MemorySettings> {
        report.environment.as_ref()?.server_environment.memory().cloned()
    };
    let mut shapes = reports.iter().filter_map(|report| Some((report, shape(report)?)));
    let Some((first, expected)) = shapes.next() else { return Ok(Vec::new()) };
    for (other, shape) in shapes {
        if let Some(difference) = expected.difference_to(&shape) {
            let (first, other) = (first.run.clone(), other.run.clone());
            return Err(RecommendError::DifferentMemory { first, other, difference });
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
