//! Cost of each kind of request: growth of executors, memory that stays, CPU time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::history::History;
use super::names::{Names, RequestKind};
use crate::ids::ProcessIdentity;
use crate::record::profile::{ExecutedRequest, UnlistedRequests};
use crate::units::{self, ByteSize, total};

/// Cost of the requests of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RequestCost {
    /// Kind of request.
    pub kind: RequestKind,
    /// Number of requests on the server's record that ran during the profile; `None` for requests that the record lacks.
    pub recorded: Option<u64>,
    /// Number of requests that were seen in an executor. A request of less than a second that
    /// changed no memory may not be seen, nor one that ended between two samples.
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
    /// Number of requests by their growth.
    growth: BTreeMap<ByteSize, u64>,
    stayed: HashMap<ProcessIdentity, i128>,
    cpu: Duration,
    cpu_requests: u32,
}

/// Costs of all kinds of requests that were seen in an executor, by their largest growth.
pub(super) fn by_kind(histories: &[History<'_>], names: &Names<'_>) -> Vec<RequestCost> {
    let mut kinds: BTreeMap<RequestKind, Figures> = BTreeMap::new();
    for history in histories {
        let process = history.record.identity;
        for request in history.requests() {
            kinds.entry(names.kind(&request.id)).or_default().add(process, &request);
        }
        for unlisted in history.ended.iter().filter_map(|executor| executor.unlisted.as_ref()) {
            kinds.entry(RequestKind::Unrecorded).or_default().add_unlisted(process, unlisted);
        }
    }
    let cost = |(kind, figures): (RequestKind, Figures)| figures.cost(kind, names);
    let mut costs: Vec<RequestCost> = kinds.into_iter().map(cost).collect();
    costs.sort_by_key(|cost| Reverse(cost.growth_max));
    costs
}

impl Figures {
    fn add(&mut self, process: ProcessIdentity, request: &ExecutedRequest) {
        self.seen = self.seen.saturating_add(1);
        self.executors.insert(process);
        if let Some(growth) = request.growth {
            *self.growth.entry(growth).or_default() += 1;
        }
        if let Some(stayed) = request.stayed {
            *self.stayed.entry(process).or_default() += i128::from(stayed);
        }
        if let Some(cpu) = request.cpu {
            self.add_cpu(cpu, 1);
        }
    }

    /// Adds requests whose IDs are not known, and so neither their names.
    fn add_unlisted(&mut self, process: ProcessIdentity, unlisted: &UnlistedRequests) {
        self.seen = self.seen.saturating_add(unlisted.requests);
        self.executors.insert(process);
        *self.growth.entry(unlisted.growth_max).or_default() += u64::from(unlisted.requests);
        *self.stayed.entry(process).or_default() += i128::from(unlisted.stayed);
        self.add_cpu(unlisted.cpu, unlisted.cpu_requests);
    }

    fn add_cpu(&mut self, cpu: Duration, requests: u32) {
        self.cpu = self.cpu.saturating_add(cpu);
        self.cpu_requests = self.cpu_requests.saturating_add(requests);
    }

    fn cost(mut self, kind: RequestKind, names: &Names<'_>) -> RequestCost {
        let recorded = names.count(&kind);
        let seen = u64::from(self.seen);
        // Growth is always seen, so that a request that was not seen grew no executor.
        let unseen = recorded.map_or(0, |recorded| recorded.saturating_sub(seen));
        if unseen > 0 {
            *self.growth.entry(ByteSize(0)).or_default() += unseen;
        }
        let stayed = self.stayed.values().max();
        RequestCost {
            recorded,
            kind,
            seen: self.seen,
            executors: u32::try_from(self.executors.len()).unwrap_or(u32::MAX),
            growth_p50: median(&self.growth),
            growth_max: self.growth.last_key_value().map(|(growth, _)| *growth),
            stayed_max: stayed
                .map(|&bytes| ByteSize(u64::try_from(bytes.max(0)).unwrap_or(u64::MAX))),
            cpu_requests: self.cpu_requests,
            cpu: (self.cpu_requests > 0).then_some(self.cpu),
        }
    }
}

/// Smallest size that half of all do not exceed, of numbers by size.
fn median(numbers: &BTreeMap<ByteSize, u64>) -> Option<ByteSize> {
    let half = total(numbers.values().copied()).div_ceil(2);
    let mut reached = 0_u64;
    let reaches_half = |(_, number): &(&ByteSize, &u64)| {
        reached = reached.saturating_add(**number);
        reached >= half
    };
    numbers.iter().find(reaches_half).map(|(size, _)| *size)
}
