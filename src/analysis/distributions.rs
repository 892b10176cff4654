//! Distributions of latencies: of the iterations of each scenario, and of each step of them.

use std::collections::BTreeMap;

use super::Evidence;
use super::scenarios::{ScenarioReport, Start};
use crate::record::outcome::Latencies;
use crate::scenario::ScenarioId;

/// A distribution that can be shown by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// Scenario of the iterations.
    pub scenario: ScenarioId,
    /// Step of them; `None` for iterations as a whole.
    pub step: Option<String>,
    /// Segments that met executors alike, together: warm ones are one distribution, and cold
    /// ones another.
    pub segments: Vec<SegmentCounts>,
}

/// Counts of the latencies of segments that met executors alike.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentCounts {
    /// Name of these segments in tables.
    pub name: &'static str,
    /// Whether executors were up when they began.
    pub start: Start,
    /// Which tenth of a power of ten of microseconds, and how many.
    pub counts: Vec<(u32, u64)>,
}

/// Of each scenario that left an outcome: the whole first, then its steps.
pub(super) fn assemble(scenarios: &[ScenarioReport], evidence: &Evidence) -> Vec<Distribution> {
    type Segments = BTreeMap<(&'static str, Start), Latencies>;
    let mut all = Vec::new();
    for scenario in scenarios {
        let Some(outcome) = evidence.outcomes.get(&scenario.id) else { continue };
        let mut parts: BTreeMap<Option<&str>, Segments> = BTreeMap::new();
        for (segment, recorded) in scenario.segments.iter().zip(&outcome.segments) {
            let name = (scenario.start_name(segment), segment.start);
            let mut add = |step, latencies: &Latencies| {
                let segments = parts.entry(step).or_default();
                segments.entry(name).or_default().add(latencies);
            };
            add(None, &recorded.iteration_duration);
            for (step, latencies) in &recorded.steps {
                add(Some(step), latencies);
            }
        }
        for (step, segments) in parts {
            let counts = |((name, start), latencies): ((_, _), Latencies)| SegmentCounts {
                name,
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
