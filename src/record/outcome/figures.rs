//! Figures of a scenario's iterations from its segments, for thresholds: after the load, and while
//! it runs.

use std::time::Duration;

use super::{Latencies, SegmentKind, SegmentOutcome};
use crate::clock::Timestamp;
use crate::metric::{Amount, Part, ScenarioMetric, Threshold};
use crate::units::{Percent, total};

/// Shortest time over which a throughput is checked while a load runs.
const SHORTEST_RATE: Duration = Duration::from_secs(1);

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
        let limited = || self.limited(segments);
        let completed = || total(limited().map(SegmentOutcome::completed));
        match self.metric.statistic {
            ScenarioMetric::ErrorRate => {
                let failed = total(limited().map(|segment| segment.failed));
                Percent::of(failed, completed()).map(Amount::Share)
            }
            ScenarioMetric::Throughput => {
                throughput(completed(), time_of(limited())).map(Amount::Rate)
            }
            ScenarioMetric::Dropped => {
                let dropped: Vec<u64> = limited().filter_map(|segment| segment.dropped).collect();
                (!dropped.is_empty()).then(|| Amount::Count(total(dropped)))
            }
            latency => part.latencies(segments).statistic(latency).map(Amount::Duration),
        }
    }

    /// Segments whose figures the threshold limits; none for a metric of the server.
    fn limited<'a>(
        &self,
        segments: &'a [SegmentOutcome],
    ) -> impl Iterator<Item = &'a SegmentOutcome> {
        let is_limited = |segment: &&SegmentOutcome| match self.metric.part() {
            None => false,
            // An error in a warm-up is an error, too.
            Some(Part::Whole | Part::Step(_))
                if self.metric.statistic == ScenarioMetric::ErrorRate =>
            {
                true
            }
            Some(part) => part.has(segment),
        };
        segments.iter().filter(is_limited)
    }

    /// Whether the figures of these segments breach the threshold. Without a measurement, none
    /// does.
    pub fn is_breached(&self, segments: &[SegmentOutcome]) -> bool {
        self.measure(segments).and_then(|amount| self.holds(amount)) == Some(false)
    }

    /// Whether the load must end, by the segments up to `now`. The grace period begins with the
    /// limited segments: after a warm-up, and in a later stage, the first figures are of few
    /// iterations as well.
    pub fn ends_load(&self, segments: &[SegmentOutcome], now: Timestamp) -> bool {
        let Some(abort) = self.abort else { return false };
        let after = match self.metric.statistic {
            // Over less, a single iteration is a high rate.
            ScenarioMetric::Throughput => abort.after.max(SHORTEST_RATE),
            _ => abort.after,
        };
        let began = self.limited(segments).map(|segment| segment.began).min();
        began.is_some_and(|began| now.since(began) >= after) && self.is_breached(segments)
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
        assert_eq!(threshold.ends_load(&segments(), at(elapsed * 1000)), ends);
    }

    /// Time after the start of the load.
    fn at(millis: u64) -> Timestamp {
        Timestamp::default().plus(Duration::from_millis(millis))
    }

    /// Segments of a load of 10 s of warm-up and two stages of 10 s, `millis` after its start. One
    /// iteration of 500 ms ends in each second, and fails in the warm-up.
    fn in_stages(millis: u64) -> Vec<SegmentOutcome> {
        let stage = |number| SegmentKind::Stage { number, text: "5 for 10s".to_owned() };
        let kinds = [(0, SegmentKind::WarmUp), (10_000, stage(1)), (20_000, stage(2))];
        let begun = kinds.into_iter().filter(|(began, _)| *began <= millis);
        let segment = |(began, kind)| {
            let mut segment = SegmentOutcome { kind, ..SegmentOutcome::begin(at(began), 0) };
            segment.ended = at(millis.min(began + 10_000));
            let completed = segment.ended.since(segment.began).as_secs();
            match segment.kind {
                SegmentKind::WarmUp => segment.failed = completed,
                _ => segment.succeeded = completed,
            }
            let iteration = Duration::from_millis(500);
            (0..completed).for_each(|_| segment.iteration_duration.record(iteration));
            segment
        };
        begun.map(segment).collect()
    }

    #[rstest]
    #[case::at_the_end_of_the_warm_up("throughput > 0.5/s", 2, 10_100, false)]
    #[case::after_the_warm_up("throughput > 2/s", 2, 12_000, true)]
    #[case::latency_after_the_warm_up("max < 400ms", 2, 11_900, false)]
    #[case::at_the_start_of_a_stage("stage 2 throughput > 0.5/s", 2, 20_100, false)]
    #[case::healthy_stage("stage 2 throughput > 0.5/s", 2, 25_000, false)]
    #[case::latency_of_a_stage("stage 2 max < 400ms", 2, 21_900, false)]
    #[case::breached_stage("stage 2 max < 400ms", 2, 22_000, true)]
    #[case::earlier_stage("stage 1 max < 400ms", 2, 22_000, true)]
    #[case::stage_to_come("stage 2 throughput > 2/s", 0, 15_000, false)]
    #[case::errors_of_a_warm_up("error-rate < 1%", 2, 2_000, true)]
    #[case::rate_of_a_moment("stage 2 throughput < 0.5/s", 0, 20_900, false)]
    #[case::rate_of_a_second("stage 2 throughput < 0.5/s", 0, 21_000, true)]
    fn a_grace_period_begins_with_the_iterations_that_a_threshold_limits(
        #[case] condition: &str,
        #[case] after: u64,
        #[case] now: u64,
        #[case] ends: bool,
    ) {
        let threshold: Threshold = format!("api:start_stop {condition}").parse().unwrap();
        let abort = Some(Abort { after: Duration::from_secs(after) });
        let threshold = Threshold { abort, ..threshold };
        assert_eq!(threshold.ends_load(&in_stages(now), at(now)), ends);
    }
}
