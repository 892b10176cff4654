//! Cost of each kind of request: growth of executors, memory that stays, CPU time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::history::History;
use super::names::{Names, RequestKind};
use super::spread::percentile;
use crate::ids::ProcessIdentity;
use crate::units::{self, ByteSize, total};

/// Cost of the requests of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RequestCost {
    /// Kind of request.
    pub kind: RequestKind,
    /// Number of requests on the server's record that ran during the profile; `None` for requests that the record lacks.
    pub recorded: Option<u64>,
    /// Number of requests that were seen in an executor. A request that changed no memory, or ended
    /// between two samples, is not seen.
    pub seen: u32,
    /// Number of executors in which they ran.
    pub executors: u32,
    /// Median growth of an executor's high-water mark by one request: 0 for a recorded request that
    /// was not seen. `None` if the mark before was never read.
    pub growth_p50: Option<ByteSize>,
    /// Largest growth of an executor's high-water mark by one request.
    pub growth_max: Option<ByteSize>,
    /// Largest sum, over the requests of one executor, of RSS after a request less RSS before it;
    /// 0 if executors shrank. `None` if no executor was seen without a request after one.
    pub stayed_max: Option<ByteSize>,
    /// CPU time of all requests whose CPU time was read, in seconds, commands that they ran
    /// included.
    #[serde(with = "units::seconds::option")]
    #[schemars(with = "Option<crate::units::Seconds>")]
    pub cpu: Option<Duration>,
    /// Number of requests in `cpu`.
    pub cpu_requests: u32,
}

impl RequestCost {
    /// Mean CPU time of one request; `None` if none was read.
    pub fn cpu_each(&self) -> Option<Duration> {
        self.cpu?.checked_div(self.cpu_requests)
    }
}

/// Figures of all requests of one kind.
#[derive(Default)]
struct Figures {
    seen: u32,
    executors: HashSet<ProcessIdentity>,
    growth: Vec<ByteSize>,
    stayed: HashMap<ProcessIdentity, i128>,
    cpu: Vec<Duration>,
}

/// Costs of all kinds of requests that were seen in an executor, by their largest growth.
pub(super) fn by_kind(histories: &[History<'_>], names: &Names<'_>) -> Vec<RequestCost> {
    let mut kinds: BTreeMap<RequestKind, Figures> = BTreeMap::new();
    for history in histories {
        for span in history.spans() {
            let figures = kinds.entry(names.kind(span.id)).or_default();
            let process = history.record.identity;
            figures.seen = figures.seen.saturating_add(1);
            figures.executors.insert(process);
            figures.growth.extend(history.growth(&span));
            if let Some((before, after)) = history.rss_around(&span) {
                *figures.stayed.entry(process).or_default() +=
                    i128::from(after.as_u64()) - i128::from(before.as_u64());
            }
            figures.cpu.extend(history.cpu(&span));
        }
    }
    let cost = |(kind, figures): (RequestKind, Figures)| figures.cost(kind, names);
    let mut costs: Vec<RequestCost> = kinds.into_iter().map(cost).collect();
    costs.sort_by_key(|cost| Reverse(cost.growth_max));
    costs
}

impl Figures {
    fn cost(mut self, kind: RequestKind, names: &Names<'_>) -> RequestCost {
        let recorded = names.count(&kind);
        let seen = u64::from(self.seen);
        // Growth is always seen, so that a request that was not seen grew no executor.
        let unseen = recorded.map_or(0, |recorded| recorded.saturating_sub(seen));
        let unseen = usize::try_from(unseen).unwrap_or(usize::MAX);
        self.growth.extend(std::iter::repeat_n(ByteSize(0), unseen));
        self.growth.sort_unstable();
        let stayed = self.stayed.values().max();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        RequestCost {
            recorded,
            kind,
            seen: self.seen,
            executors: count(self.executors.len()),
            growth_p50: percentile(&self.growth, 50),
            growth_max: self.growth.last().copied(),
            stayed_max: stayed
                .map(|&bytes| ByteSize(u64::try_from(bytes.max(0)).unwrap_or(u64::MAX))),
            cpu_requests: count(self.cpu.len()),
            cpu: (!self.cpu.is_empty()).then(|| total(self.cpu)),
        }
    }
}
