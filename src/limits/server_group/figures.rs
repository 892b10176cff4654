//! Counts of the kernel for the processes of a server's control groups.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::groups::{Version, entry, number};
use super::ServerGroup;
use crate::units::{self, ByteSize};

/// Counts of the kernel for the processes of a server's control groups; `None` where this kernel
/// does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GroupFigures {
    /// Peak of memory in bytes, page cache included: files that were read fill the group up to
    /// its limit, and are given back when processes need memory.
    pub peak: Option<ByteSize>,
    /// Number of processes that the kernel killed for lack of memory, of the group or elsewhere.
    pub oom_kills: Option<u64>,
    /// Number of times that the group was at its limit, and the kernel had to reclaim memory.
    pub limit_hits: Option<u64>,
    /// Time in which processes waited for the next period of the CPU quota, summed over CPUs, in
    /// seconds.
    #[serde(with = "units::seconds::option")]
    #[schemars(with = "Option<crate::units::Seconds>")]
    pub throttled: Option<Duration>,
    /// Number of periods in which processes ran.
    pub cpu_periods: Option<u64>,
    /// Number of periods in which the CPU quota was used up.
    pub throttled_periods: Option<u64>,
    /// Peak number of processes and threads.
    pub tasks: Option<u64>,
}

impl ServerGroup {
    /// Counts so far.
    pub fn figures(&self) -> GroupFigures {
        let memory = |name: &str| self.place.memory.folder.join(name);
        let (peak, limit_hits) = match self.place.memory.version {
            Version::V1 => {
                (number(&memory("memory.max_usage_in_bytes")), number(&memory("memory.failcnt")))
            }
            Version::V2 => (number(&memory("memory.peak")), entry(&memory("memory.events"), "max")),
        };
        let cpu = |name: &str| entry(&self.place.cpu.as_ref()?.folder.join("cpu.stat"), name);
        let throttled = match self.place.cpu.as_ref().map(|cpu| cpu.version) {
            Some(Version::V1) => cpu("throttled_time").map(Duration::from_nanos),
            Some(Version::V2) => cpu("throttled_usec").map(Duration::from_micros),
            None => None,
        };
        let pids = self.place.pids.as_ref();
        GroupFigures {
            peak: peak.map(ByteSize),
            oom_kills: self.oom_kills(),
            limit_hits,
            throttled,
            cpu_periods: cpu("nr_periods"),
            throttled_periods: cpu("nr_throttled"),
            tasks: pids.and_then(|pids| number(&pids.folder.join("pids.peak"))),
        }
    }
}
