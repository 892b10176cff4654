//! Advice on one constant: the largest peak of all runs plus headroom.
//!
//! Headroom is 25 % of the peak, rounded up. In 29 runs of SkyPilot 0.14.1 with 1 to 50 users and no
//! cloud, the largest peak was 182 to 191 MiB (long executors), 168 to 189 (short), 157 to 197
//! (controllers) and 174 to 232 (server). With 25 % headroom, rounded up to 0.05 GB (50 MB for controllers), the
//! value from the lowest peak of each class still covers the highest. More headroom would be
//! multiplied by the number of workers, since SkyPilot plans for all of them at their peaks at the
//! same moment.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::constant::Constant;
use crate::analysis::{Absence, Exactness, ExecutorClass, Measured, Report};
use crate::class::ProcessClass;
use crate::ids::RunId;
use crate::metric::ClassMetric;
use crate::units::ByteSize;

/// Headroom above the largest peak, in percent of the peak.
pub const HEADROOM_PERCENT: u64 = 25;

/// Advice on one constant, with the evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Advice {
    /// Constant that the advice is about.
    pub constant: Constant,
    /// Value in the version under test; `None` if the version has no such constant.
    pub current: Option<ByteSize>,
    /// Peaks of the constant's classes in each run.
    pub peaks: Vec<ClassPeak>,
    /// Conclusion from the peaks.
    pub support: Support,
    /// Limitations of the recommended value.
    pub cautions: Vec<Caution>,
}

/// Conclusion from the peaks on a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Support {
    /// Recommended value.
    Supported {
        /// Largest peak that counts.
        peak: ByteSize,
        /// Largest peak plus headroom, rounded up.
        recommended: ByteSize,
    },
    /// Runs without a process of the constant's classes.
    NotTried,
    /// Runs whose largest peak is a lower bound without an estimated maximum.
    Unbounded,
}

/// Peak of one class in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClassPeak {
    /// Run in which the peak was measured.
    pub run: RunId,
    /// Class of the processes.
    pub class: ProcessClass,
    /// Number of processes of the class.
    pub processes: u32,
    /// Measured peak of the largest process; `None` if no process of the class was ever read.
    pub peak: Option<ByteSize>,
    /// Value that the peak counts as.
    pub counted: Counted,
    /// Cause of the peak, and spread over the executors; `None` for other classes, and without
    /// readings of executors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executors: Option<ExecutorClass>,
}

/// Value that a measured peak counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counted {
    /// Measured value, which is exact.
    AsMeasured,
    /// Estimated maximum of a lower bound, by the fastest growth that was seen.
    AtMost(ByteSize),
    /// Nothing: a lower bound without an estimated maximum.
    LeftOut,
}

/// Limitation of a recommended value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Caution {
    /// Peaks of a single run.
    OneRun,
    /// Present value, which peaks without a cloud do not lower. Executors that work on a cloud need
    /// more, since they load the cloud's client libraries, hold its catalog and its responses.
    KeptWithoutClouds,
    /// Largest peak that is the estimated maximum of a lower bound.
    Estimated,
    /// Peak of another class or run that is a lower bound without an estimated maximum, and does
    /// not count.
    LeftOut,
    /// Controllers with a few jobs in the runs; in production they manage up to 200.
    FewJobs,
}

impl Advice {
    /// Recommended value.
    pub const fn recommended(&self) -> Option<ByteSize> {
        match self.support {
            Support::Supported { recommended, .. } => Some(recommended),
            Support::NotTried | Support::Unbounded => None,
        }
    }

    /// Whether the peak without headroom exceeds the present value.
    pub fn is_exceeded(&self) -> bool {
        match (self.support, self.current) {
            (Support::Supported { peak, .. }, Some(current)) => peak > current,
            _ => false,
        }
    }

    /// Comparison of the recommended value with the present one; `None` if either is missing, or if
    /// the constant is not patched.
    pub fn change(&self) -> Option<Ordering> {
        let pair = self.recommended().zip(self.current);
        pair.filter(|_| self.constant.is_patched())
            .map(|(recommended, current)| recommended.cmp(&current))
    }
}

impl ClassPeak {
    /// Size that the constant has to cover; `None` if the peak does not count.
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
    // All runs have the same SkyPilot, so the constants of the first are those of all.
    let current = environments.map(|found| constant.of(&found.sky.constants)).next().flatten();
    let by_run: Vec<_> = reports.iter().map(|report| (report, peaks(constant, report))).collect();
    // Of the runs with a cloud, one must have a peak of the constant's classes that counts.
    let has_cloud = by_run.iter().any(|(report, peaks)| {
        report.plan.has_cloud_enabled() && peaks.iter().any(|peak| peak.size().is_some())
    });
    let peaks: Vec<ClassPeak> = by_run.into_iter().flat_map(|(_, peaks)| peaks).collect();
    let measured = support(constant, &peaks);
    let support = match measured {
        Support::Supported { peak, recommended }
            if !has_cloud && constant.is_patched() && Some(recommended) < current =>
        {
            // A lower value for servers with a cloud enabled would come from executors of which
            // none had a cloud's libraries in memory.
            Support::Supported { peak, recommended: current.unwrap_or(recommended) }
        }
        measured => measured,
    };
    let mut cautions = cautions(constant, &peaks, support);
    if support != measured {
        cautions.insert(0, Caution::KeptWithoutClouds);
    }
    Advice { constant, current, peaks, support, cautions }
}

fn peaks(constant: Constant, report: &Report) -> Vec<ClassPeak> {
    let classes = report.memory.iter().flat_map(|memory| &memory.classes);
    classes
        .filter(|memory| constant.classes().contains(&memory.class))
        .filter_map(|memory| {
            let measured = report.of_class(memory.class, ClassMetric::MaxPeak);
            let counted = match measured {
                // All its processes were forks that never called exec, which have no peak of
                // their own.
                Measured::Absent(Absence::NoProcess) | Measured::Growth(_) => return None,
                Measured::Value(_, Exactness::Exact) => Counted::AsMeasured,
                Measured::Value(_, Exactness::AtMost(most)) => Counted::AtMost(most),
                Measured::Value(_, Exactness::Unbounded) | Measured::Absent(_) => Counted::LeftOut,
            };
            Some(ClassPeak {
                run: report.run.clone(),
                class: memory.class,
                processes: memory.processes,
                peak: measured.size(),
                counted,
                executors: executors_of(report, memory.class),
            })
        })
        .collect()
}

fn executors_of(report: &Report, class: ProcessClass) -> Option<ExecutorClass> {
    report.attribution.as_ref()?.class(class).cloned()
}

fn support(constant: Constant, peaks: &[ClassPeak]) -> Support {
    let Some(seen) = peaks.iter().map(|peak| peak.peak).max() else { return Support::NotTried };
    match peaks.iter().filter_map(ClassPeak::size).max() {
        // If a lower bound that is left out exceeds every peak that counts, then these are known
        // to be too low.
        Some(peak) if seen.is_none_or(|seen| peak >= seen) => {
            // In 128 bits the multiplication cannot overflow.
            let headroom = u128::from(peak.as_u64()) * u128::from(100 + HEADROOM_PERCENT);
            let raised = ByteSize(u64::try_from(headroom.div_ceil(100)).unwrap_or(u64::MAX));
            Support::Supported { peak, recommended: constant.round_up(raised) }
        }
        Some(_) | None => Support::Unbounded,
    }
}

fn cautions(constant: Constant, peaks: &[ClassPeak], support: Support) -> Vec<Caution> {
    let Support::Supported { peak, .. } = support else { return Vec::new() };
    let mut runs: Vec<&RunId> =
        peaks.iter().filter(|seen| seen.size().is_some()).map(|seen| &seen.run).collect();
    // Peaks are in the order of the runs, so equal ones are adjacent.
    runs.dedup();
    let is_estimate = peaks.iter().any(|seen| seen.counted == Counted::AtMost(peak));
    let is_left_out = peaks.iter().any(|seen| seen.counted == Counted::LeftOut);
    [
        (constant == Constant::Controller, Caution::FewJobs),
        (is_estimate, Caution::Estimated),
        (is_left_out, Caution::LeftOut),
        (runs.len() == 1, Caution::OneRun),
    ]
    .into_iter()
    .filter_map(|(applies, caution)| applies.then_some(caution))
    .collect()
}
