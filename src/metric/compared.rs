//! Metrics that comparisons of two SkyPilots are about: those of the server, and latencies of
//! scenarios, by the names that budgets and thresholds have.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Metric, ScenarioMetric, ServerMetric, Unit};
use crate::scenario::ScenarioId;

/// Metric that is compared: `long-executor`, `tree-pss`, `api:status p95`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ComparedMetric {
    /// Metric of the server.
    Server(Metric),
    /// Latency of a scenario's iterations, over all segments but a warm-up.
    Latency(ScenarioId, ScenarioMetric),
}

/// Statistics of latencies that are compared.
const LATENCIES: [ScenarioMetric; 3] =
    [ScenarioMetric::P50, ScenarioMetric::P95, ScenarioMetric::P99];

/// Kind of metric: metrics of a kind have one tolerance, and are compared in one way.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Peaks and sums of memory.
    Memory,
    /// Growth of memory, which may be zero.
    Growth,
    /// Growth of memory per hour, which may be zero.
    GrowthRate,
    /// CPU time.
    Cpu,
    /// Latencies.
    Latency,
    /// Counts of processes and threads.
    Count,
}

impl Kind {
    /// Kinds in the order of files and messages.
    pub const ALL: [Self; 6] =
        [Self::Memory, Self::Growth, Self::GrowthRate, Self::Cpu, Self::Latency, Self::Count];

    /// Name in files and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Growth => "growth",
            Self::GrowthRate => "growth-rate",
            Self::Cpu => "cpu",
            Self::Latency => "latency",
            Self::Count => "count",
        }
    }

    /// Unit of the metrics.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Memory | Self::Growth => Unit::Size,
            Self::GrowthRate => Unit::GrowthRate,
            Self::Cpu | Self::Latency => Unit::Duration,
            Self::Count => Unit::Count,
        }
    }

    /// Whether a change is a ratio. Growth and counts may be zero, so theirs is a difference.
    pub const fn is_ratio(self) -> bool {
        matches!(self, Self::Memory | Self::Cpu | Self::Latency)
    }
}

impl ComparedMetric {
    /// Metrics in the order of reports: those of the server, then latencies by scenario.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        let latencies = ScenarioId::ALL.into_iter().flat_map(|id| {
            LATENCIES.into_iter().map(move |statistic| Self::Latency(id, statistic))
        });
        Metric::all().map(Self::Server).chain(latencies)
    }

    /// Kind of the metric.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Server(Metric::Server(ServerMetric::Growth)) => Kind::Growth,
            Self::Server(metric) => match metric.unit() {
                Unit::Size => Kind::Memory,
                Unit::Duration => Kind::Cpu,
                Unit::GrowthRate => Kind::GrowthRate,
                Unit::Count | Unit::Share | Unit::Rate => Kind::Count,
            },
            Self::Latency(..) => Kind::Latency,
        }
    }
}

/// Error for a text that names no metric of a comparison.
#[derive(Debug, thiserror::Error)]
#[error("unknown metric `{0}`")]
pub struct UnknownComparedMetric(String);

impl fmt::Display for ComparedMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(metric) => metric.fmt(f),
            Self::Latency(id, statistic) => f.pad(&format!("{id} {}", statistic.row().name)),
        }
    }
}

impl FromStr for ComparedMetric {
    type Err = UnknownComparedMetric;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::all().find(|metric| metric.to_string() == text);
        found.ok_or_else(|| UnknownComparedMetric(text.to_owned()))
    }
}

impl Serialize for ComparedMetric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ComparedMetric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Schema of any string, as that of [`Metric`].
impl JsonSchema for ComparedMetric {
    fn schema_name() -> Cow<'static, str> {
        "ComparedMetric".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Name of a compared metric: of the server as in budgets, or a scenario \
                            with a statistic of its latencies.",
            "type": "string",
            "examples": ["long-executor", "tree-pss", "api:status p95"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_its_metric() {
        for metric in ComparedMetric::all() {
            assert_eq!(metric.to_string().parse::<ComparedMetric>().unwrap(), metric);
        }
        assert!("long-executor p95".parse::<ComparedMetric>().is_err());
    }

    #[test]
    fn every_metric_has_the_unit_of_its_kind() {
        for metric in ComparedMetric::all() {
            let unit = match metric {
                ComparedMetric::Server(metric) => metric.unit(),
                ComparedMetric::Latency(_, statistic) => statistic.row().unit,
            };
            assert_eq!(metric.kind().unit(), unit, "{metric}");
        }
    }
}
