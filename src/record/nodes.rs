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
