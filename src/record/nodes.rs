//! Resource use of the nodes of local infras, and of the API of an emulated cloud: `nodes.json`,
//! written by the nodes' supervisor, read by the report.
//!
//! Nodes and a cloud's API stand for other machines. Their resource use is not part of the API
//! server's, but it affects latencies, so it is reported.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Document, Version};
use crate::units::{ByteSize, seconds};

/// Resource use of the loopback nodes, content of `nodes.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NodeFigures {
    /// Format of the file.
    pub version: Version<3>,
    /// CPU time of all node processes, exited ones included, in seconds.
    #[serde(with = "seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub cpu: Duration,
    /// Sum of the RSS of all living node processes; a shared page counts once per process.
    pub memory: ByteSize,
    /// Maximum of the RSS sum, sampled once per second.
    pub peak_memory: ByteSize,
    /// Number of living node processes.
    pub processes: usize,
    /// Resource use of the API of an emulated cloud, not part of the nodes'; `None` without one.
    pub cloud_api: Option<CloudApiFigures>,
    /// Sockets of node processes that listened for connections from other machines, each with
    /// its address and process. Expected to be empty.
    pub exposed: Vec<String>,
    /// Daemon that exited unexpectedly; the nodes were unusable from then on.
    pub failure: Option<String>,
}

/// Resource use of the API of an emulated cloud.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CloudApiFigures {
    /// CPU time of the API's processes, in seconds.
    #[serde(with = "seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub cpu: Duration,
    /// Sum of the RSS of the API's processes.
    pub memory: ByteSize,
    /// Maximum of the RSS sum, sampled once per second.
    pub peak_memory: ByteSize,
}

impl NodeFigures {
    /// Figures of several infras together. The peak is the sum of the infras' peaks, which may
    /// have been at different times: an upper bound.
    pub fn merged(figures: impl IntoIterator<Item = Self>) -> Self {
        let add = |mut sum: Self, next: Self| {
            sum.cpu += next.cpu;
            sum.memory = [sum.memory, next.memory].into_iter().sum();
            sum.peak_memory = [sum.peak_memory, next.peak_memory].into_iter().sum();
            sum.processes += next.processes;
            sum.cloud_api = match (sum.cloud_api, next.cloud_api) {
                (Some(api), Some(other)) => Some(CloudApiFigures {
                    cpu: api.cpu + other.cpu,
                    memory: [api.memory, other.memory].into_iter().sum(),
                    peak_memory: [api.peak_memory, other.peak_memory].into_iter().sum(),
                }),
                (api, other) => api.or(other),
            };
            sum.exposed.extend(next.exposed);
            sum.failure = sum.failure.or(next.failure);
            sum
        };
        figures.into_iter().reduce(add).unwrap_or_default()
    }
}

impl CloudApiFigures {
    /// Figures before the first reading.
    pub const UNUSED: Self =
        Self { cpu: Duration::ZERO, memory: ByteSize(0), peak_memory: ByteSize(0) };
}

impl Document for NodeFigures {
    const KIND: &'static str = "node resource list";
    const VERSION: u32 = 3;
    const OLDEST: u32 = 2;

    fn upgrade(_version: u32, content: Value) -> Value {
        // Version 2 had no API of an emulated cloud, as a run without one has not today.
        content
    }
}

impl Default for NodeFigures {
    fn default() -> Self {
        Self {
            version: Version,
            cpu: Duration::ZERO,
            memory: ByteSize(0),
            peak_memory: ByteSize(0),
            processes: 0,
            cloud_api: None,
            exposed: Vec::new(),
            failure: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_figures_are_sums_and_keep_the_first_failure() {
        let one = NodeFigures {
            cpu: Duration::from_secs(1),
            peak_memory: ByteSize(100),
            processes: 2,
            exposed: vec!["0.0.0.0:1".to_owned()],
            ..NodeFigures::default()
        };
        let api = CloudApiFigures { cpu: Duration::from_secs(5), ..CloudApiFigures::UNUSED };
        let two = NodeFigures {
            cloud_api: Some(api),
            failure: Some("moto exited".to_owned()),
            ..one.clone()
        };
        let merged = NodeFigures::merged([one, two]);
        assert_eq!((merged.cpu, merged.processes), (Duration::from_secs(2), 4));
        assert_eq!(merged.peak_memory, ByteSize(200));
        assert_eq!((merged.cloud_api, merged.exposed.len()), (Some(api), 2));
        assert_eq!(merged.failure.as_deref(), Some("moto exited"));
        assert_eq!(NodeFigures::merged([]), NodeFigures::default());
    }
}
