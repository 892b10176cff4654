//! Requests that an executor ran: what its readings say of each, and the lines that have this for
//! executors whose readings are thinned.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::executor::{ExecutorReading, Output};
use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::units::ByteSize;

/// Requests that ended in executors since the previous such line, in a profile whose readings of
/// executors are thinned: readings of most requests are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EndedRequests {
    /// Time at which the line was written.
    pub at: Timestamp,
    /// Executors that had readings since the previous line, or have exited.
    pub executors: Vec<ExecutorRequests>,
}

/// Requests of one executor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExecutorRequests {
    /// Process ID.
    pub pid: u32,
    /// Start time, as in the process table.
    pub started: u64,
    /// Largest high-water mark of all readings so far, those that were left out included.
    pub peak: ByteSize,
    /// Requests in the order of their start.
    pub requests: Vec<ExecutedRequest>,
    /// High-water mark before the last of these requests, if it had not ended at the last reading
    /// of the executor, which may have grown since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_since_mark: Option<ByteSize>,
    /// Requests beyond the number that is listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlisted: Option<UnlistedRequests>,
}

impl ExecutorRequests {
    /// Executor that ran the requests.
    pub const fn process(&self) -> ProcessIdentity {
        ProcessIdentity { pid: self.pid, started: self.started }
    }
}

/// Sums over requests that are not listed, those with the least growth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UnlistedRequests {
    /// Number of requests.
    pub requests: u32,
    /// Largest growth of one of them.
    pub growth_max: ByteSize,
    /// RSS after each request less RSS before it, in bytes; 0 where it was not read.
    pub stayed: i64,
    /// CPU time of those whose CPU time was read, in seconds.
    #[serde(with = "crate::units::seconds")]
    pub cpu: Duration,
    /// Number of requests in `cpu`.
    pub cpu_requests: u32,
}

impl UnlistedRequests {
    /// Adds a request.
    pub fn add(&mut self, request: &ExecutedRequest) {
        self.requests = self.requests.saturating_add(1);
        self.growth_max = self.growth_max.max(request.growth.unwrap_or_default());
        self.stayed = self.stayed.saturating_add(request.stayed.unwrap_or_default());
        if let Some(cpu) = request.cpu {
            self.cpu = self.cpu.saturating_add(cpu);
            self.cpu_requests = self.cpu_requests.saturating_add(1);
        }
    }
}

/// Request that an executor ran, by the readings of the executor.
///
/// In files an array: the ID, and the other figures in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct ExecutedRequest {
    /// ID of the request.
    pub id: String,
    /// Rise of the high-water mark; `None` if the mark before is unknown.
    pub growth: Option<ByteSize>,
    /// RSS after the request less RSS before it, in bytes; `None` if the executor was not read
    /// without a request after it.
    pub stayed: Option<i64>,
    /// CPU time; `None` if it was not read on both sides.
    pub cpu: Option<Duration>,
}

/// Request as an array: a day has hundreds of thousands. CPU time is in milliseconds.
#[derive(Clone, Serialize, Deserialize)]
struct Row(String, Option<ByteSize>, Option<i64>, Option<u64>);

impl From<Row> for ExecutedRequest {
    fn from(Row(id, growth, stayed, cpu): Row) -> Self {
        Self { id, growth, stayed, cpu: cpu.map(Duration::from_millis) }
    }
}

impl From<ExecutedRequest> for Row {
    fn from(request: ExecutedRequest) -> Self {
        let millis = |cpu: Duration| u64::try_from(cpu.as_millis()).unwrap_or(u64::MAX);
        Self(request.id, request.growth, request.stayed, request.cpu.map(millis))
    }
}

/// Requests of one executor, found in its readings one by one.
#[derive(Clone, Debug, Default)]
pub struct RequestFinder {
    current: Option<Current>,
}

/// Last request of an executor. It is complete when the next one begins: until then, the memory
/// that the executor frees after it counts.
#[derive(Clone, Debug)]
struct Current {
    id: String,
    /// High-water mark and RSS before the request; `None` if they were not read.
    mark_before: Option<ByteSize>,
    rss_before: Option<ByteSize>,
    cpu_before: Option<Duration>,
    /// Largest high-water mark until the reading that noticed the end.
    mark: ByteSize,
    end: Option<End>,
}

/// Readings since the end of a request.
#[derive(Clone, Copy, Debug)]
struct End {
    /// CPU time of the request.
    cpu: Option<Duration>,
    /// RSS without a request; `None` before it was read.
    rss: Option<ByteSize>,
}

impl RequestFinder {
    /// Adds the next reading of the executor, and returns the request that it completes.
    pub fn add(&mut self, reading: &ExecutorReading) -> Option<ExecutedRequest> {
        let request = reading.output.request();
        let mut takes_over = false;
        if let Some(current) = &mut self.current {
            match &mut current.end {
                None if request == Some(&current.id) => {
                    current.mark = current.mark.max(reading.memory.peak);
                    return None;
                }
                None => {
                    // The mark was read anew with the change of the request.
                    current.mark = current.mark.max(reading.memory.peak);
                    let cpu = reading.cpu.zip(current.cpu_before);
                    let cpu = cpu.map(|(now, before)| now.saturating_sub(before));
                    current.end = Some(End { cpu, rss: None });
                    takes_over = request.is_some();
                }
                // Until this reading, the executor had no request.
                Some(end) => end.rss = reading.before.map(|before| before.rss).or(end.rss),
            }
            if let (Output::NoRequest, Some(end)) = (&reading.output, &mut current.end) {
                end.rss = Some(reading.memory.rss);
                return None;
            }
        }
        let next = request.map(|id| Current {
            id: id.to_owned(),
            // The rise until this reading counts for the request before, and must not count twice.
            mark_before: match takes_over {
                true => Some(reading.memory.peak),
                false => reading.before.map(|before| before.peak),
            },
            rss_before: reading.before.map(|before| before.rss),
            cpu_before: reading.cpu,
            mark: reading.memory.peak,
            end: None,
        });
        std::mem::replace(&mut self.current, next).map(Current::executed)
    }

    /// Ends the readings, and returns the last request with the high-water mark before it if it
    /// has not ended.
    pub fn finish(self) -> Option<(ExecutedRequest, Option<ByteSize>)> {
        let current = self.current?;
        let running_since = current.mark_before.filter(|_| current.end.is_none());
        Some((current.executed(), running_since))
    }
}

impl Current {
    fn executed(self) -> ExecutedRequest {
        let growth = |before: ByteSize| self.mark.as_u64().saturating_sub(before.as_u64());
        let rss_after = self.end.and_then(|end| end.rss);
        ExecutedRequest {
            growth: self.mark_before.map(|before| ByteSize(growth(before))),
            stayed: rss_after
                .zip(self.rss_before)
                .map(|(after, before)| signed(after).saturating_sub(signed(before))),
            cpu: self.end.and_then(|end| end.cpu),
            id: self.id,
        }
    }
}

fn signed(size: ByteSize) -> i64 {
    i64::try_from(size.as_u64()).unwrap_or(i64::MAX)
}
