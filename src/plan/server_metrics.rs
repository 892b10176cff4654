//! Reading of the server's own metrics beside the load.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::class::ProcessClass;
use crate::metric::Metric;
use crate::units;

/// Reading of the server's own metrics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerMetrics {
    /// Place of the metrics.
    pub source: MetricsSource,
    /// Time between two scrapes.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub interval: Duration,
}

/// Place of a server's metrics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MetricsSource {
    /// Port of the isolated server, which is started with metrics.
    Isolated,
    /// URL of the metrics of a server that has them enabled, without a login.
    Url(Url),
}

impl ServerMetrics {
    /// Whether the server has gauges of a metric: of the largest process of some classes.
    pub fn has_gauge(metric: Metric) -> bool {
        use ProcessClass::{LongExecutor, Server, ServerWorker, ShortExecutor};
        [Server, ServerWorker, ShortExecutor, LongExecutor].map(Metric::max_peak).contains(&metric)
    }

    /// Whether the isolated server is started with metrics.
    pub fn is_isolated(&self) -> bool {
        self.source == MetricsSource::Isolated
    }
}
