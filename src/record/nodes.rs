//! Resource use of the nodes of local infras, and of the API of an emulated cloud: `nodes.json`,
//! written by the nodes' supervisor, read by the report.
//!
//! Nodes and a cloud's API stand for other machines. Their resource use is not part of the API
//! server's, but it affects latencies, so it is reported.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Document, Version};
use crate::units::{ByteSize, seconds, total};

/// Resource use of the loopback nodes, content of `nodes.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NodeFigures {
    /// Format of the file.
    pub version: Version<2>,
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
    /// Resource use of the API of an emulated cloud, not part of the nodes'; `None` without one,
    /// or in runs of earlier builds.
    #[serde(default)]
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

impl CloudApiFigures {
    /// Figures before the first reading.
    pub const UNUSED: Self =
        Self { cpu: Duration::ZERO, memory: ByteSize(0), peak_memory: ByteSize(0) };
}

impl Document for NodeFigures {
    const KIND: &'static str = "node resource list";
    const VERSION: u32 = 2;
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

impl NodeFigures {
    /// Figures of two infras together. The peak is at most the sum of both peaks, which may be of
    /// different times.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        let cloud_api = match (self.cloud_api, other.cloud_api) {
            (Some(one), Some(other)) => Some(CloudApiFigures {
                cpu: total([one.cpu, other.cpu]),
                memory: total([one.memory, other.memory]),
                peak_memory: total([one.peak_memory, other.peak_memory]),
            }),
            (one, other) => one.or(other),
        };
        Self {
            version: Version,
            cpu: total([self.cpu, other.cpu]),
            memory: total([self.memory, other.memory]),
            peak_memory: total([self.peak_memory, other.peak_memory]),
            processes: self.processes.saturating_add(other.processes),
            cloud_api,
            exposed: self.exposed.into_iter().chain(other.exposed).collect(),
            failure: self.failure.or(other.failure),
        }
    }

    /// Figures since `before`, without CPU time and exposed sockets of earlier. Peaks stay those
    /// since the start.
    #[must_use]
    pub fn since(mut self, before: &Self) -> Self {
        self.cpu = self.cpu.saturating_sub(before.cpu);
        if let (Some(api), Some(before)) = (&mut self.cloud_api, before.cloud_api) {
            api.cpu = api.cpu.saturating_sub(before.cpu);
        }
        self.exposed.retain(|socket| !before.exposed.contains(socket));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(seconds: u64, api: Option<u64>) -> NodeFigures {
        let api = api.map(|seconds| CloudApiFigures {
            cpu: Duration::from_secs(seconds),
            ..CloudApiFigures::UNUSED
        });
        let exposed = vec![format!("0.0.0.0:{seconds}")];
        let cpu = Duration::from_secs(seconds);
        NodeFigures { cpu, cloud_api: api, exposed, ..NodeFigures::default() }
    }

    #[test]
    fn figures_of_two_infras_are_summed_and_an_api_stays_apart() {
        let both = figures(2, None).with(figures(3, Some(1)));
        assert_eq!(both.cpu, Duration::from_secs(5));
        assert_eq!(both.cloud_api.unwrap().cpu, Duration::from_secs(1));
        assert_eq!(both.exposed, ["0.0.0.0:2", "0.0.0.0:3"]);
    }

    #[test]
    fn figures_of_an_infra_that_ran_before_are_those_since() {
        let since = figures(5, Some(4)).since(&figures(2, Some(1)));
        assert_eq!(since.cpu, Duration::from_secs(3));
        assert_eq!(since.cloud_api.unwrap().cpu, Duration::from_secs(3));
        assert_eq!(since.exposed, ["0.0.0.0:5"]);
    }

    #[test]
    fn figures_of_earlier_builds_have_no_api() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nodes.json");
        let text = r#"{"version": 2, "cpu": 1.5, "memory": 1, "peak-memory": 2, "processes": 3,
            "exposed": [], "failure": null}"#;
        std::fs::write(&path, text).unwrap();
        let figures: NodeFigures = crate::record::read(&path).unwrap();
        assert_eq!((figures.processes, figures.cloud_api), (3, None));
    }
}
