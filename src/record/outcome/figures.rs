//! Figures of a scenario's iterations from its segments, for thresholds: after the load, and while
//! it runs.

use std::time::Duration;

use super::{Latencies, SegmentKind, SegmentOutcome};
use crate::metric::{Amount, Part, ScenarioMetric, Threshold};
use crate::units::{Percent, total};

impl Part {
    /// Whether the part has iterations of a segment. A warm-up is part of nothing.
    fn has(&self, segment: &SegmentOutcome) -> bool {
        match (self, &segment.kind) {
            (_, SegmentKind::WarmUp) => false,
            (Self::Stage(wanted), SegmentKind::Stage { number, .. }) => number == wanted,
            (Self::Stage(_), SegmentKind::Iteration) => false,
            (Self::Whole | Self::Step(_), _) => true,
        }
    }

    /// Latencies of the part in these segments.
    pub fn latencies(&self, segments: &[SegmentOutcome]) -> Latencies {
        let mut latencies = Latencies::default();
        for segment in segments.iter().filter(|segment| self.has(segment)) {
            match self {
                Self::Whole | Self::Stage(_) => latencies.add(&segment.iteration_duration),
                Self::Step(_) => {
                    let steps = segment.steps.iter().filter(|(name, _)| self.includes(name));
                    steps.for_each(|(_, recorded)| latencies.add(recorded));
                }
            }
        }
        latencies
    }
}

impl Threshold {
    /// Amount of the limited metric in these segments of its scenario; `None` without a measurement,
    /// and for a metric of the server.
    pub fn measure(&self, segments: &[SegmentOutcome]) -> Option<Amount> {
        let part = self.metric.part()?;
        let of_part = || segments.iter().filter(|segment| part.has(segment));
        let completed = || total(of_part().map(SegmentOutcome::completed));
        match self.metric.statistic {
            ScenarioMetric::ErrorRate => {
                // An error in a warm-up is an error, too.
                let all = || match part {
                    Part::Stage(_) => of_part().collect::<Vec<_>>(),
                    Part::Whole | Part::Step(_) => segments.iter().collect(),
                };
                let failed = total(all().into_iter().map(|segment| segment.failed));
                let completed = total(all().into_iter().map(SegmentOutcome::completed));
                Percent::of(failed, completed).map(Amount::Share)
            }
            ScenarioMetric::Throughput => {
                throughput(completed(), time_of(of_part())).map(Amount::Rate)
            }
            ScenarioMetric::Dropped => {
                let dropped: Vec<u64> = of_part().filter_map(|segment| segment.dropped).collect();
                (!dropped.is_empty()).then(|| Amount::Count(total(dropped)))
            }
            latency => part.latencies(segments).statistic(latency).map(Amount::Duration),
        }
    }

    /// Whether the figures of these segments breach the threshold. Without a measurement, none
    /// does.
    pub fn is_breached(&self, segments: &[SegmentOutcome]) -> bool {
        self.measure(segments).and_then(|amount| self.holds(amount)) == Some(false)
    }

    /// Whether the load must end, by the segments so far and the time since its start.
    pub fn ends_load(&self, segments: &[SegmentOutcome], elapsed: Duration) -> bool {
        self.abort.is_some_and(|abort| elapsed >= abort.after) && self.is_breached(segments)
    }
}

impl Latencies {
    /// Value of a statistic; `None` for an empty distribution, or if the statistic is no latency.
    pub fn statistic(&self, statistic: ScenarioMetric) -> Option<Duration> {
        match statistic {
            ScenarioMetric::Min => self.min(),
            ScenarioMetric::Avg => self.mean(),
            ScenarioMetric::Max => self.max(),
            // Counts and shares have none.
            quantile => self.percentile(quantile.percentile()?),
        }
    }
}

/// Time that these segments took.
fn time_of<'a>(segments: impl Iterator<Item = &'a SegmentOutcome>) -> Duration {
    let (iterations, stages): (Vec<_>, Vec<_>) =
        segments.partition(|segment| segment.kind == SegmentKind::Iteration);
    // Between iterations a scenario only waits for the others at the barrier.
    let bursts = total(iterations.iter().map(|segment| segment.ended.since(segment.began)));
    // An iteration that began in one stage may end during the next.
    let began = stages.iter().map(|segment| segment.began).min().unwrap_or_default();
    let ended = stages.iter().map(|segment| segment.ended).max().unwrap_or_default();
    bursts.saturating_add(ended.since(began))
}

/// Completed iterations per second; `None` for a duration of zero.
#[expect(clippy::cast_precision_loss, reason = "counts of iterations are far below 2^52")]
pub(crate) fn throughput(completed: u64, took: Duration) -> Option<f64> {
    let seconds = took.as_secs_f64();
    (seconds > 0.0).then(|| completed as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::clock::Timestamp;
    use crate::metric::Abort;

    /// Two segments of 10 s and 4 iterations each, one of them failed; steps of `api:start_stop`,
    /// which ran on two infras.
    fn segments() -> Vec<SegmentOutcome> {
        let segment = |number: u64| {
            let at = |seconds| Timestamp::default().plus(Duration::from_secs(seconds));
            let mut segment = SegmentOutcome::begin(at(number * 100), 4);
            segment.ended = at(number * 100 + 10);
            (segment.succeeded, segment.failed) = (3, 1);
            for iteration in 1..=4 {
                segment.iteration_duration.record(Duration::from_secs(number * 4 + iteration));
            }
            for (step, seconds) in
                [("stop/get @aws", 1), ("stop/get @gcp", 2), ("start/get @aws", 9)]
            {
                let steps = segment.steps.entry(step.to_owned()).or_default();
                steps.record(Duration::from_secs(seconds));
            }
            segment
        };
        (0..2).map(segment).collect()
    }

    #[rstest]
    #[case::all_segments("api:start_stop max < 8s", true)]
    #[case::at_the_limit("api:start_stop max <= 8009ms", false)]
    #[case::median("api:start_stop p50 > 5s", true)]
    #[case::few_samples("api:start_stop p99.9 < 8s", true)]
    #[case::errors("api:start_stop error-rate < 25%", true)]
    #[case::errors_at_the_limit("api:start_stop error-rate <= 25%", false)]
    #[case::throughput("api:start_stop throughput >= 0.5/s", true)]
    #[case::throughput_without_the_time_between_segments(
        "api:start_stop throughput >= 0.4/s",
        false
    )]
    #[case::step_on_all_infras("api:start_stop step stop/get max < 2s", true)]
    #[case::step_on_one_infra("api:start_stop step stop/get @aws max < 2s", false)]
    #[case::step_without_samples("api:start_stop step stop/submit max < 1ms", false)]
    #[case::nothing_is_dropped("api:start_stop dropped < 1", false)]
    #[case::a_stage_of_a_burst("api:start_stop stage 1 max < 1ms", false)]
    fn a_threshold_is_breached_by_the_figures_of_all_segments(
        #[case] threshold: &str,
        #[case] is_breached: bool,
    ) {
        let threshold: Threshold = threshold.parse().unwrap();
        let measured = threshold.measure(&segments());
        assert_eq!(threshold.is_breached(&segments()), is_breached, "{measured:?}");
    }

    #[test]
    fn without_iterations_no_threshold_is_breached() {
        for text in ["max < 1ns", "error-rate <= 0%", "throughput > 9/s", "p99.9 > 1s"] {
            let threshold: Threshold = format!("api:start_stop {text}").parse().unwrap();
            assert_eq!(threshold.measure(&[]), None);
            assert!(!threshold.is_breached(&[]), "{text}");
        }
    }

    #[rstest]
    #[case::breached_in_time("max < 8s", Some(30), 30, true)]
    #[case::breached_too_early("max < 8s", Some(30), 29, false)]
    #[case::not_breached("max < 9s", Some(30), 90, false)]
    #[case::without_abort("max < 8s", None, 90, false)]
    fn a_load_ends_by_a_breach_after_the_grace_period(
        #[case] condition: &str,
        #[case] after: Option<u64>,
        #[case] elapsed: u64,
        #[case] ends: bool,
    ) {
        let threshold: Threshold = format!("api:start_stop {condition}").parse().unwrap();
        let abort = after.map(|after| Abort { after: Duration::from_secs(after) });
        let threshold = Threshold { abort, ..threshold };
        assert_eq!(threshold.ends_load(&segments(), Duration::from_secs(elapsed)), ends);
    }
}
