//! What runs say of one constant: the largest peak, and the headroom above it.
//!
//! The rule is the largest peak of all runs, and a quarter of it on top, rounded up.
//! Why a quarter: in 29 runs of SkyPilot 0.14.1 with loads from one user to fifty, the
//! largest peak was from 182 to 191 MiB (long executors), 168 to 189 (short), 157 to 197
//! (controllers) and 174 to 232 (server). With a quarter on top and rounded up to
//! 0.05 GB (50 MB for controllers), the lowest of each class still covers the highest.
//! More would be wasted many times over: SkyPilot reckons with each of its workers at
//! this size at the same moment.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::constant::Constant;
use crate::analysis::{Absence, Exactness, Measured, Report};
use crate::class::ProcessClass;
use crate::ids::RunId;
use crate::infrastructure::Infrastructure;
use crate::metric::ClassMetric;
use crate::units::ByteSize;

/// What is left above the largest peak, in percent of it.
pub const HEADROOM_PERCENT: u64 = 25;

/// What the runs say of one constant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Advice {
    /// Which constant.
    pub constant: Constant,
    /// What the version under test plans; `None` where it has no such constant.
    pub current: Option<ByteSize>,
    /// The peaks of the largest processes that it is an estimate for, of each run.
    pub peaks: Vec<PeakSeen>,
    /// What follows.
    pub support: Support,
    /// What to know before it is used.
    pub cautions: Vec<Caution>,
}

/// What follows from the peaks for a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Support {
    /// The runs support a value.
    Supported {
        /// The largest peak that counts.
        peak: ByteSize,
        /// That with its headroom.
        recommended: ByteSize,
    },
    /// No process of it ran.
    NotTried,
    /// The highest peak is a lower bound, and nobody knows how high it was.
    Unbounded,
}

/// The peak of one class in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PeakSeen {
    /// In which run.
    pub run: RunId,
    /// Of which class.
    pub class: ProcessClass,
    /// How many processes of it there were.
    pub processes: u32,
    /// The largest one's peak, as measured; `None` where none was ever read.
    pub peak: Option<ByteSize>,
    /// What it counts as.
    pub counted: Counted,
}

/// What a measured peak counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counted {
    /// As it is: it is exact.
    AsMeasured,
    /// It is a lower bound; by the fastest growth seen, it was at most this.
    AtMost(ByteSize),
    /// Not at all: it is a lower bound, and the true one may be anything above.
    LeftOut,
}

/// What to know before a value is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Caution {
    /// It rests on one run alone.
    OneRun,
    /// It is below the present one, and no run launched on a cloud: executors that work
    /// on one load its client libraries and hold its answers.
    LoweredWithoutClouds,
    /// The peak that it rests on is an upper estimate of one that was not fully seen.
    Estimated,
    /// A peak of another process is a lower bound of which nobody knows how high the true
    /// one was, and does not count.
    LeftOut,
    /// Controllers had a few jobs in the runs; in earnest they have up to 200.
    FewJobs,
}

impl Advice {
    /// The value that the runs support.
    pub const fn recommended(&self) -> Option<ByteSize> {
        match self.support {
            Support::Supported { recommended, .. } => Some(recommended),
            Support::NotTried | Support::Unbounded => None,
        }
    }

    /// Whether the peak itself is above the present value, headroom aside.
    pub fn is_exceeded(&self) -> bool {
        match (self.support, self.current) {
            (Support::Supported { peak, .. }, Some(current)) => peak > current,
            _ => false,
        }
    }

    /// How that compares with the present one; `None` where there is no such pair, or
    /// where it is not one to be patched.
    pub fn change(&self) -> Option<Ordering> {
        let pair = self.recommended().zip(self.current);
        pair.filter(|_| self.constant.is_patched())
            .map(|(recommended, current)| recommended.cmp(&current))
    }
}

impl PeakSeen {
    /// The size that a constant has to cover for its sake; `None` when nobody knows.
    pub const fn size(&self) -> Option<ByteSize> {
        match self.counted {
            Counted::AsMeasured => self.peak,
            Counted::AtMost(most) => Some(most),
            Counted::LeftOut => None,
        }
    }
}

pub(super) fn advice(constant: Constant, reports: &[Report]) -> Advice {
    let environments = reports.iter().filter_map(|report| report.environment.as_ref());
    let current = environments.map(|found| constant.of(&found.sky.constants)).next().flatten();
    let peaks: Vec<PeakSeen> = reports.iter().flat_map(|report| peaks(constant, report)).collect();
    let support = support(constant, &peaks);
    let cautions = cautions(constant, current, &peaks, support, reports);
    Advice { constant, current, peaks, support, cautions }
}

fn peaks(constant: Constant, report: &Report) -> Vec<PeakSeen> {
    let classes = report.memory.iter().flat_map(|memory| &memory.classes);
    classes
        .filter(|memory| constant.classes().contains(&memory.class))
        .filter_map(|memory| {
            let measured = report.of_class(memory.class, ClassMetric::MaxPeak);
            let counted = match measured {
                // Forks that ran nothing of their own have no peak of their own, for sure.
                Measured::Absent(Absence::NoProcess) => return None,
                Measured::Value(_, Exactness::Exact) => Counted::AsMeasured,
                Measured::Value(_, Exactness::AtMost(most)) => Counted::AtMost(most),
                Measured::Value(_, Exactness::Unbounded) | Measured::Absent(_) => Counted::LeftOut,
            };
            Some(PeakSeen {
                run: report.run.clone(),
                class: memory.class,
                processes: memory.processes,
                peak: measured.size(),
                counted,
            })
        })
        .collect()
}

fn support(constant: Constant, peaks: &[PeakSeen]) -> Support {
    let Some(seen) = peaks.iter().map(|peak| peak.peak).max() else { return Support::NotTried };
    match peaks.iter().filter_map(PeakSeen::size).max() {
        // A lower bound that is left out must not lie above what is recommended for: then
        // it is known to be too little.
        Some(peak) if seen.is_none_or(|seen| peak >= seen) => {
            let headroom = u128::from(peak.as_u64()) * u128::from(100 + HEADROOM_PERCENT);
            let with = ByteSize(u64::try_from(headroom.div_ceil(100)).unwrap_or(u64::MAX));
            Support::Supported { peak, recommended: constant.round_up(with) }
        }
        Some(_) | None => Support::Unbounded,
    }
}

fn cautions(
    constant: Constant,
    current: Option<ByteSize>,
    peaks: &[PeakSeen],
    support: Support,
    reports: &[Report],
) -> Vec<Caution> {
    let Support::Supported { peak, recommended } = support else { return Vec::new() };
    let mut runs: Vec<&RunId> =
        peaks.iter().filter(|seen| seen.size().is_some()).map(|seen| &seen.run).collect();
    runs.dedup();
    let is_estimate = peaks.iter().any(|seen| seen.counted == Counted::AtMost(peak));
    let is_left_out = peaks.iter().any(|seen| seen.counted == Counted::LeftOut);
    let on_a_cloud = reports
        .iter()
        .any(|report| matches!(report.plan.infrastructure, Infrastructure::Clouds(_)));
    let lowered = current.is_some_and(|current| recommended < current);
    [
        (constant == Constant::Controller, Caution::FewJobs),
        (is_estimate, Caution::Estimated),
        (is_left_out, Caution::LeftOut),
        (lowered && !on_a_cloud && constant.is_patched(), Caution::LoweredWithoutClouds),
        (runs.len() == 1, Caution::OneRun),
    ]
    .into_iter()
    .filter_map(|(applies, caution)| applies.then_some(caution))
    .collect()
}
