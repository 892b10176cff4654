//! Metrics that decide the verdict of a comparison, by their names or by those of groups.

use std::fmt;
use std::str::FromStr;

use super::compared::UnknownComparedMetric;
use super::{ComparedMetric, Metric};
use crate::suggest::suggest;

/// Metric, or group of metrics, that decides the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decider {
    /// Peak of the largest process, of each class that SkyPilot has a constant for.
    Peaks,
    /// Latencies of all scenarios.
    Latencies,
    /// Errors that only the candidate has.
    Errors,
    /// One metric.
    Metric(ComparedMetric),
}

/// Error for a text that names no deciding metric.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownDecider(String);

impl Decider {
    /// Names of the groups.
    const GROUPS: [(&'static str, Self); 3] =
        [("peaks", Self::Peaks), ("latencies", Self::Latencies), ("errors", Self::Errors)];

    /// Whether a metric is meant.
    pub fn includes(self, metric: ComparedMetric) -> bool {
        match (self, metric) {
            (Self::Peaks, ComparedMetric::Server(metric)) => metric.has_constant(),
            (Self::Latencies, ComparedMetric::Latency(..)) => true,
            (Self::Metric(wanted), found) => wanted == found,
            _ => false,
        }
    }
}

impl fmt::Display for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metric(metric) => metric.fmt(f),
            group => {
                let named = Self::GROUPS.iter().find(|(_, it)| it == group);
                f.pad(named.map_or("", |(name, _)| name))
            }
        }
    }
}

impl FromStr for Decider {
    type Err = UnknownDecider;

    fn from_str(text: &str) -> Result<Self, UnknownDecider> {
        let group = Self::GROUPS.iter().find(|(name, _)| *name == text);
        if let Some((_, group)) = group {
            return Ok(*group);
        }
        text.parse().map(Self::Metric).map_err(|error: UnknownComparedMetric| {
            // Latencies are too many to list.
            let metrics = Metric::all().map(|metric| metric.to_string());
            let groups = Self::GROUPS.iter().map(|(name, _)| (*name).to_owned());
            let known: Vec<String> = groups.chain(metrics).collect();
            UnknownDecider(format!("{error}; {}", suggest(text, known.iter().map(String::as_str))))
        })
    }
}
