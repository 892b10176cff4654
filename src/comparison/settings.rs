//! Settings of a comparison: deciding metrics, tolerances, and how often it is looked at.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::CompareSettings;
use crate::metric::{ComparedMetric, Decider, Kind, ServerMetric, Tolerance};

/// Settings of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Metrics that decide the verdict; the others inform.
    pub decide: Vec<Decider>,
    /// Metrics among those that do not make a comparison undecided where the runs are too noisy
    /// to tell.
    pub unless_noisy: Vec<Decider>,
    /// Tolerance of each kind of metric.
    pub tolerances: BTreeMap<Kind, Tolerance>,
    /// Number of times that the comparison is looked at.
    pub looks: Looks,
}

/// Number of times that a comparison is looked at. Each look may be the one that gives a false
/// alarm, so several share the risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Looks {
    /// Finished runs, compared once.
    Once,
    /// Runs that are made pair by pair, compared after each from the third on, and stopped when
    /// every deciding metric is decided.
    AfterEachPair {
        /// Number of pairs at the most.
        most: usize,
    },
}

impl Default for Settings {
    fn default() -> Self {
        let of_server =
            |metric: ServerMetric| Decider::Metric(ComparedMetric::Server(metric.into()));
        Self {
            decide: vec![
                Decider::Peaks,
                of_server(ServerMetric::TreePss),
                of_server(ServerMetric::CpuPerIteration),
                of_server(ServerMetric::Threads),
                Decider::Errors,
            ],
            // Few requests differ by the number of executors that happen to start for them.
            unless_noisy: vec![of_server(ServerMetric::CpuPerIteration)],
            tolerances: Kind::ALL.into_iter().map(|kind| (kind, Tolerance::of(kind))).collect(),
            looks: Looks::Once,
        }
    }
}

impl Settings {
    /// Settings of `skyload.toml`, for a comparison that is looked at this often.
    pub fn of(config: &CompareSettings, looks: Looks) -> Self {
        let mut settings = Self { looks, ..Self::default() };
        if let Some(decide) = &config.decide {
            settings.decide.clone_from(decide);
        }
        if let Some(unless_noisy) = &config.unless_noisy {
            settings.unless_noisy.clone_from(unless_noisy);
        }
        settings.tolerances.extend(config.tolerances.by_kind());
        settings
    }

    /// Whether a metric decides the verdict.
    pub fn decides(&self, metric: ComparedMetric) -> bool {
        self.decide.iter().any(|decider| decider.includes(metric))
    }

    /// Whether a metric that decides does not where the runs are too noisy to tell.
    pub fn decides_unless_noisy(&self, metric: ComparedMetric) -> bool {
        self.decides(metric) && self.unless_noisy.iter().any(|decider| decider.includes(metric))
    }

    /// Metrics that decide by their own names, and not as part of a group.
    pub fn deciding_metrics(&self) -> impl Iterator<Item = ComparedMetric> {
        self.decide.iter().filter_map(|decider| match decider {
            Decider::Metric(metric) => Some(*metric),
            Decider::Peaks | Decider::Latencies | Decider::Errors => None,
        })
    }

    /// Whether any metric decides, beside errors.
    pub fn metrics_decide(&self) -> bool {
        self.decide.iter().any(|decider| *decider != Decider::Errors)
    }

    /// Whether an error that only the candidate has decides the verdict.
    pub fn errors_decide(&self) -> bool {
        self.decide.contains(&Decider::Errors)
    }

    /// Tolerance of a metric.
    pub fn tolerance(&self, metric: ComparedMetric) -> Tolerance {
        self.tolerance_of(metric.kind())
    }

    /// Tolerance of a kind of metric.
    pub fn tolerance_of(&self, kind: Kind) -> Tolerance {
        self.tolerances.get(&kind).copied().unwrap_or_else(|| Tolerance::of(kind))
    }
}
