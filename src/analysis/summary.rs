//! Figures of upstream's MONITORING SUMMARY, and the phases of a run.

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

/// Phase that took place, with its times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PhaseSpan {
    /// Phase.
    pub phase: Phase,
    /// Time of the start.
    pub began: Timestamp,
    /// Time of the end, or of the last event or sample of a run that ended early.
    pub ended: Timestamp,
}

/// MONITORING SUMMARY, the output of upstream's `tests/load_tests`.
///
/// Figures have upstream's definitions, but for the peaks of the largest executors: those are
/// high-water marks here, and samples there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MonitoringSummary {
    /// Time from the first sample to the last, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub duration: Duration,
    /// Mean CPU use of the machine in the baseline, in percent of all CPUs.
    pub baseline_cpu: f64,
    /// Mean memory in use on the machine in the baseline.
    pub baseline_memory: ByteSize,
    /// Highest CPU use of the machine, in percent of all CPUs.
    pub peak_cpu: f64,
    /// Highest memory in use on the machine.
    pub peak_memory: ByteSize,
    /// Total memory of the machine.
    pub memory_total: ByteSize,
    /// Peak RSS of the largest short executor.
    pub short_peak: Option<ByteSize>,
    /// Highest mean RSS of the short executors in one sample.
    pub short_average_peak: Option<ByteSize>,
    /// Peak RSS of the largest long executor.
    pub long_peak: Option<ByteSize>,
    /// Highest mean RSS of the long executors in one sample.
    pub long_average_peak: Option<ByteSize>,
    /// Mean CPU use of the machine, in percent of all CPUs.
    pub average_cpu: f64,
    /// Mean memory in use on the machine.
    pub average_memory: ByteSize,
    /// Figures of executors by the rule of upstream's script; `None` without
    /// `--upstream-figures`.
    pub upstream: Option<UpstreamFigures>,
}

/// Figures of executors by the rule of upstream's script: sampled RSS of all processes of the
/// machine with a keyword in their command line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UpstreamFigures {
    /// Number of samples.
    pub samples: u64,
    /// Sampling rate, in samples per second.
    pub rate_hz: f64,
    /// Largest RSS of a short executor in one sample.
    pub short_peak: Option<ByteSize>,
    /// Highest mean RSS of short executors in one sample.
    pub short_average_peak: Option<ByteSize>,
    /// Largest RSS of a long executor in one sample.
    pub long_peak: Option<ByteSize>,
    /// Highest mean RSS of long executors in one sample.
    pub long_average_peak: Option<ByteSize>,
}

impl UpstreamFigures {
    #[expect(clippy::cast_precision_loss, reason = "a count of samples is far below 2^52")]
    fn of(recording: Recording<'_>) -> Option<Self> {
        let samples: Vec<&UpstreamSample> = recording.upstream_samples().collect();
        let (first, last) = (samples.first()?, samples.last()?);
        let peak = |of: fn(&UpstreamSample) -> &KeywordMemory| {
            // Without a process the maximum is 0, which is no measurement.
            let found = samples.iter().map(|sample| of(sample)).filter(|memory| memory.count > 0);
            found.map(|memory| memory.rss_max).max()
        };
        let average = |of: fn(&UpstreamSample) -> &KeywordMemory| {
            samples.iter().filter_map(|sample| of(sample).mean()).max()
        };
        let seconds = last.at.since(first.at).as_secs_f64();
        let count = samples.len() as u64;
        Some(Self {
            samples: count,
            // Samples at both ends of the time: one interval less than samples.
            rate_hz: if seconds > 0.0 { (count - 1) as f64 / seconds } else { 0.0 },
            short_peak: peak(|sample| &sample.short),
            short_average_peak: average(|sample| &sample.short),
            long_peak: peak(|sample| &sample.long),
            long_average_peak: average(|sample| &sample.long),
        })
    }
}

/// Phases of a run, from its events. A phase without an end extends to `last_moment`.
pub(super) fn phases(events: &[LoggedEvent], last_moment: Option<Timestamp>) -> Vec<PhaseSpan> {
    let mut spans: Vec<PhaseSpan> = Vec::new();
    for logged in events {
        let ends_phase = matches!(logged.event, Event::PhaseBegan(_) | Event::PhasesEnded);
        if ends_phase && let Some(last) = spans.last_mut() {
            last.ended = last.ended.min(logged.at);
        }
        if let Event::PhaseBegan(phase) = logged.event {
            let ended = last_moment.unwrap_or(logged.at);
            spans.push(PhaseSpan { phase, began: logged.at, ended });
        }
    }
    spans
}

/// Baseline of a run. Samples begin before the baseline, while the server settles.
pub(super) fn baseline_of(phases: &[PhaseSpan]) -> Option<PhaseSpan> {
    phases.iter().copied().find(|span| span.phase == Phase::Baseline)
}

/// Start and end of a run's load; `None` if it did not begin.
pub(super) fn load_of(phases: &[PhaseSpan]) -> Option<(Timestamp, Timestamp)> {
    let load = phases.iter().find(|span| span.phase == Phase::Load)?;
    Some((load.began, load.ended))
}

pub(super) fn assemble(
    recording: Recording<'_>,
    memory: Option<&MemoryReport>,
    baseline: Option<PhaseSpan>,
) -> Option<MonitoringSummary> {
    let header = recording.header()?;
    let first = recording.samples().next()?.at;
    let last = recording.samples().last()?.at;
    // Figures of the machine are read less often than processes.
    let readings: Vec<(Timestamp, SystemSample)> =
        recording.samples().filter_map(|sample| Some((sample.at, sample.system?))).collect();
    let all = || readings.iter().map(|(_, system)| *system);
    let is_in_baseline = |at| baseline.is_some_and(|span| span.began <= at && at <= span.ended);
    let in_baseline: Vec<SystemSample> =
        readings.iter().filter(|(at, _)| is_in_baseline(*at)).map(|(_, system)| *system).collect();
    // Without a reading in the baseline, the first reading of all is the best substitute.
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
    // In 128 bits the sum of a file's sizes cannot overflow.
    let (sum, count) = readings.fold((0_u128, 0_u128), |(sum, count), system| {
        (sum + u128::from(system.memory_used.as_u64()), count + 1)
    });
    let mean = sum.checked_div(count)?;
    Some(ByteSize(u64::try_from(mean).unwrap_or(u64::MAX)))
}
