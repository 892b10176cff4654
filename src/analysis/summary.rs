//! The figures of the original tool, and the phases that they refer to.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::memory::MemoryReport;
use super::recording::Recording;
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::record::events::{Event, LoggedEvent};
use crate::record::profile::{KeywordMemory, Phase, SystemSample, UpstreamSample};
use crate::units;
use crate::units::ByteSize;

/// A phase that took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PhaseSpan {
    /// Which phase.
    pub phase: Phase,
    /// Its beginning.
    pub began: Timestamp,
    /// Its end, or the last moment of the run that is known.
    pub ended: Timestamp,
}

/// The MONITORING SUMMARY of the original tool.
///
/// The figures mean what they meant there, but for two that are exact here:
/// the executors' peaks are the kernel's marks and not samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MonitoringSummary {
    /// From the profiler's first tick to its last.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub duration: Duration,
    /// Use of all CPUs, averaged over the baseline, in percent.
    pub baseline_cpu: f64,
    /// Used memory, averaged over the baseline.
    pub baseline_memory: ByteSize,
    /// Highest use of all CPUs, in percent.
    pub peak_cpu: f64,
    /// Most memory in use.
    pub peak_memory: ByteSize,
    /// The machine's memory.
    pub memory_total: ByteSize,
    /// Peak of the largest short executor.
    pub short_peak: Option<ByteSize>,
    /// Highest mean resident memory of the short executors.
    pub short_average_peak: Option<ByteSize>,
    /// Peak of the largest long executor.
    pub long_peak: Option<ByteSize>,
    /// Highest mean resident memory of the long executors.
    pub long_average_peak: Option<ByteSize>,
    /// Average use of all CPUs, in percent.
    pub average_cpu: f64,
    /// Average of used memory.
    pub average_memory: ByteSize,
    /// The executors' figures by the original's own rule, where that was asked for.
    pub upstream: Option<UpstreamFigures>,
}

/// Figures of the executors as the original tool came by them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UpstreamFigures {
    /// How often it looked.
    pub samples: u64,
    /// How often it looked per second.
    pub rate_hz: f64,
    /// Most resident memory of a short executor at one look.
    pub short_peak: Option<ByteSize>,
    /// Highest mean resident memory of short executors at one look.
    pub short_average_peak: Option<ByteSize>,
    /// Most resident memory of a long executor at one look.
    pub long_peak: Option<ByteSize>,
    /// Highest mean resident memory of long executors at one look.
    pub long_average_peak: Option<ByteSize>,
}

impl UpstreamFigures {
    #[expect(clippy::cast_precision_loss, reason = "a count of looks is far below 2^52")]
    fn of(recording: Recording<'_>) -> Option<Self> {
        let looks: Vec<&UpstreamSample> = recording.upstream_samples().collect();
        let (first, last) = (looks.first()?, looks.last()?);
        let peak = |of: fn(&UpstreamSample) -> &KeywordMemory| {
            let found = looks.iter().map(|look| of(look)).filter(|memory| memory.count > 0);
            found.map(|memory| memory.rss_max).max()
        };
        let average = |of: fn(&UpstreamSample) -> &KeywordMemory| {
            looks.iter().filter_map(|look| of(look).mean()).max()
        };
        let seconds = last.at.since(first.at).as_secs_f64();
        let count = looks.len() as u64;
        Some(Self {
            samples: count,
            rate_hz: if seconds > 0.0 { (count - 1) as f64 / seconds } else { 0.0 },
            short_peak: peak(|look| &look.short),
            short_average_peak: average(|look| &look.short),
            long_peak: peak(|look| &look.long),
            long_average_peak: average(|look| &look.long),
        })
    }
}

/// The phases that the marks tell of.
pub(super) fn phases(marks: &[LoggedEvent], last_moment: Option<Timestamp>) -> Vec<PhaseSpan> {
    let mut spans: Vec<PhaseSpan> = Vec::new();
    for mark in marks {
        let ends_phase = matches!(mark.event, Event::PhaseBegan(_) | Event::PhasesEnded);
        if ends_phase && let Some(last) = spans.last_mut() {
            last.ended = last.ended.min(mark.at);
        }
        if let Event::PhaseBegan(phase) = mark.event {
            let ended = last_moment.unwrap_or(mark.at);
            spans.push(PhaseSpan { phase, began: mark.at, ended });
        }
    }
    spans
}

/// The baseline of a run. The profiler is there before it: the server comes to rest
/// first.
pub(super) fn baseline_of(phases: &[PhaseSpan]) -> Option<PhaseSpan> {
    phases.iter().copied().find(|span| span.phase == Phase::Baseline)
}

pub(super) fn assemble(
    recording: Recording<'_>,
    memory: Option<&MemoryReport>,
    baseline: Option<PhaseSpan>,
) -> Option<MonitoringSummary> {
    let header = recording.header()?;
    let first = recording.ticks().next()?.at;
    let last = recording.ticks().last()?.at;
    let readings: Vec<(Timestamp, SystemSample)> =
        recording.ticks().filter_map(|tick| Some((tick.at, tick.system?))).collect();
    let all = || readings.iter().map(|(_, system)| *system);
    let is_of_baseline = |at| baseline.is_some_and(|span| span.began <= at && at <= span.ended);
    let in_baseline: Vec<SystemSample> =
        readings.iter().filter(|(at, _)| is_of_baseline(*at)).map(|(_, system)| *system).collect();
    // A run that was stopped at once has no baseline but its first reading.
    let baseline = if in_baseline.is_empty() { all().take(1).collect() } else { in_baseline };
    let class = |class| memory.and_then(|memory| memory.class(class));
    Some(MonitoringSummary {
        duration: last.since(first),
        baseline_cpu: mean_cpu(baseline.iter().copied())?,
        baseline_memory: mean_used(baseline.iter().copied())?,
        peak_cpu: all().map(|system| f64::from(system.cpu_percent)).fold(0.0, f64::max),
        peak_memory: all().map(|system| system.memory_used).max()?,
        memory_total: header.memory_total,
        short_peak: class(ProcessClass::ShortExecutor).and_then(|class| class.peak),
        short_average_peak: class(ProcessClass::ShortExecutor)
            .and_then(|class| class.mean_rss_peak),
        long_peak: class(ProcessClass::LongExecutor).and_then(|class| class.peak),
        long_average_peak: class(ProcessClass::LongExecutor).and_then(|class| class.mean_rss_peak),
        average_cpu: mean_cpu(all())?,
        average_memory: mean_used(all())?,
        upstream: UpstreamFigures::of(recording),
    })
}

fn mean_cpu(readings: impl Iterator<Item = SystemSample>) -> Option<f64> {
    let (sum, count) = readings.fold((0.0, 0_u32), |(sum, count), system| {
        (sum + f64::from(system.cpu_percent), count + 1)
    });
    (count > 0).then(|| sum / f64::from(count))
}

fn mean_used(readings: impl Iterator<Item = SystemSample>) -> Option<ByteSize> {
    let (sum, count) = readings.fold((0_u128, 0_u128), |(sum, count), system| {
        (sum + u128::from(system.memory_used.as_u64()), count + 1)
    });
    let mean = sum.checked_div(count)?;
    Some(ByteSize(u64::try_from(mean).unwrap_or(u64::MAX)))
}
