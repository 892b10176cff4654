//! Latency distributions of each scenario's iterations and of their steps.

use std::collections::BTreeMap;

use super::Evidence;
use super::scenarios::{ScenarioReport, Start};
use crate::record::outcome::Latencies;
use crate::scenario::ScenarioId;

/// Latency distribution of the iterations of a scenario, or of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// Scenario of the iterations.
    pub scenario: ScenarioId,
    /// Name of the step; `None` for whole iterations.
    pub step: Option<String>,
    /// Counts for each kind of start: cold segments are one distribution, warm ones another.
    pub segments: Vec<SegmentCounts>,
}

/// Latency counts of all segments with the same kind of start.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentCounts {
    /// Name of the segments in tables.
    pub name: String,
    /// Kind of start of the segments.
    pub start: Start,
    /// Index and count of each latency bucket, in microseconds, ten buckets per decade.
    pub counts: Vec<(u32, u64)>,
}

/// Distributions of each scenario with an outcome: whole iterations first, then steps.
pub(super) fn assemble(scenarios: &[ScenarioReport], evidence: &Evidence) -> Vec<Distribution> {
    type Segments<'a> = BTreeMap<(&'a str, Start), Latencies>;
    let mut all = Vec::new();
    for scenario in scenarios {
        let Some(outcome) = evidence.outcomes.get(&scenario.id) else { continue };
        let mut by_step: BTreeMap<Option<&str>, Segments<'_>> = BTreeMap::new();
        // The report's segments are made from those of the outcome, so both lists agree.
        for (segment, recorded) in scenario.segments.iter().zip(&outcome.segments) {
            let start = (scenario.segment_name(segment), segment.start);
            let mut add = |step, latencies: &Latencies| {
                let segments = by_step.entry(step).or_default();
                segments.entry(start).or_default().add(latencies);
            };
            add(None, &recorded.iteration_duration);
            for (step, latencies) in &recorded.steps {
                add(Some(step), latencies);
            }
        }
        // `None`, the whole iterations, is the smallest key and comes first.
        for (step, segments) in by_step {
            let counts = |((name, start), latencies): ((&str, Start), Latencies)| SegmentCounts {
                name: name.to_owned(),
                start,
                counts: latencies.counts_by_tenth_of_decade(),
            };
            all.push(Distribution {
                scenario: scenario.id,
                step: step.map(str::to_owned),
                segments: segments.into_iter().map(counts).collect(),
            });
        }
    }
    all
}
