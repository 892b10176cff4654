//! What the nodes of a loopback infrastructure cost: `nodes.json`, written by the
//! supervisor of the nodes, read by the report.
//!
//! Nodes stand for other machines. What they take of this one is no part of the
//! API server, but whoever reads latencies should know of it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Document, Version};
use crate::units::{ByteSize, seconds};

/// What the nodes have cost so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NodeFigures {
    /// Format of this file.
    pub version: Version<2>,
    /// CPU time of all node processes, those that have ended included.
    #[serde(with = "seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub cpu: Duration,
    /// The sum of the living processes' resident memory, where shared pages count
    /// once for each process.
    pub memory: ByteSize,
    /// The largest such sum that was seen, once a second.
    pub peak_memory: ByteSize,
    /// How many node processes live.
    pub processes: usize,
    /// Sockets of node processes that were seen to wait for connections from
    /// elsewhere than this machine, each as its address and its process. Should be
    /// empty.
    pub exposed: Vec<String>,
    /// Which daemon ended although nobody had asked it to: the nodes were of no
    /// use from then on.
    pub failure: Option<String>,
}

impl Document for NodeFigures {
    const KIND: &'static str = "list of figures of the nodes";
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
            exposed: Vec::new(),
            failure: None,
        }
    }
}
