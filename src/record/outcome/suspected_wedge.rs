//! Suspected wedges: requests that did not end within the limit of their scenario, and what was
//! cancelled in the same executor before.
//!
//! A cancellation interrupts an executor's main thread anywhere. If that thread held a lock, the
//! next request in the same executor waits for the lock forever.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::units::{self, counted};

/// Request that did not end within the limit of its scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SuspectedWedge {
    /// Time at which the limit was reached.
    pub at: Timestamp,
    /// Number of the user.
    pub user: u32,
    /// ID of the request.
    pub request_id: String,
    /// Name of the request, such as `sky.launch`.
    pub name: String,
    /// Time since the submission of the request.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub age: Duration,
    /// Limit that was reached.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub limit: Duration,
    /// Beginning of the time that is limited.
    pub since: LimitedSince,
    /// Record of the request in the server's list, at that moment.
    pub record: RequestRecord,
    /// Executor of the request, at that moment.
    pub executor: RequestExecutor,
    /// Requests that the scenario had cancelled: in the same executor if that is known, and
    /// otherwise in any. In the order of their cancellations.
    pub cancelled_before: Vec<CancelledRequest>,
    /// Number of requests that the scenario had cancelled in processes that had the executor's pid
    /// before.
    pub cancelled_in_earlier_processes: u64,
}

/// Beginning of the time that a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LimitedSince {
    /// Submission of the request.
    Submission,
    /// Submission of the request's cancellation.
    Cancellation,
}

/// Record of a request in the server's list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RequestRecord {
    /// Row in the list, with this status.
    Listed {
        /// SkyPilot's status: `PENDING`, `RUNNING`, ..
        status: String,
    },
    /// No row in the list.
    NotListed,
    /// List that could not be read.
    NotRead {
        /// Reason, as a failure's text.
        reason: String,
    },
}

/// Executor of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RequestExecutor {
    /// Process that writes the request's log.
    Process(ProcessIdentity),
    /// No executor on the server's machine writes the request's log: the request was not taken
    /// from its queue yet, or its executor is gone.
    NoProcess,
    /// Executor of a server whose processes this machine does not show.
    Unknown,
}

/// Request that the scenario has cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CancelledRequest {
    /// ID of the request.
    pub request_id: String,
    /// Time at which the request's record was CANCELLED.
    pub at: Timestamp,
    /// Pid of the executor that ran the request, from its record; `None` if none had started it.
    pub pid: Option<u32>,
    /// Start time of the process with that pid, in the unit of [`ProcessIdentity`]; `None` if it
    /// had exited, or on another machine.
    pub started: Option<u64>,
}

impl CancelledRequest {
    /// Whether a process ran the request.
    pub fn ran_in(&self, process: ProcessIdentity) -> bool {
        (self.pid, self.started) == (Some(process.pid), Some(process.started))
    }
}

impl SuspectedWedge {
    /// Removes a secret from what the server wrote.
    pub(super) fn hide(&mut self, hide: impl Fn(&str) -> String) {
        let of_record = match &mut self.record {
            RequestRecord::Listed { status: text } | RequestRecord::NotRead { reason: text } => {
                Some(text)
            }
            RequestRecord::NotListed => None,
        };
        for text in [&mut self.name].into_iter().chain(of_record) {
            *text = hide(text);
        }
    }

    /// Request with the limit that it exceeded: the beginning of the text.
    pub fn excess(&self) -> String {
        let limit = humantime::format_duration(self.limit);
        let limit = match self.since {
            LimitedSince::Submission => format!("after {limit}"),
            LimitedSince::Cancellation => format!("{limit} after its cancellation"),
        };
        let (id, name, user) = (short(&self.request_id), &self.name, self.user);
        format!("request {id} ({name}) of user {user} not finished {limit}")
    }

    /// State of the request and its executor at that moment.
    fn state(&self) -> String {
        let status = match &self.record {
            RequestRecord::Listed { status } => status.clone(),
            RequestRecord::NotListed => "not in the server's list of requests".to_owned(),
            RequestRecord::NotRead { reason } => format!("status not read ({reason})"),
        };
        match self.executor {
            RequestExecutor::Process(process) => format!("{status} in executor {}", process.pid),
            RequestExecutor::NoProcess if status == "RUNNING" => {
                "RUNNING, but no executor runs it: its process is gone".to_owned()
            }
            RequestExecutor::NoProcess => format!("{status}, in no executor"),
            RequestExecutor::Unknown => {
                format!("{status}, executor unknown (its processes are not visible from here)")
            }
        }
    }

    /// Requests that were cancelled before.
    fn history(&self) -> String {
        let before = &self.cancelled_before;
        let count = counted(before.len() as u64, "request");
        let verb = if before.len() == 1 { "was" } else { "were" };
        let place = match self.executor {
            RequestExecutor::Process(_) => "there",
            RequestExecutor::NoProcess | RequestExecutor::Unknown => "in any executor",
        };
        let list: Vec<String> = before.iter().rev().take(Self::SHOWN).map(shown).collect();
        let mut text = match list.is_empty() {
            true => format!("no request was cancelled {place} before"),
            false => format!("{count} {verb} cancelled {place} before: {}", list.join(", ")),
        };
        if before.len() > Self::SHOWN {
            text.push_str(", ..");
        }
        if self.cancelled_in_earlier_processes > 0 {
            let earlier = counted(self.cancelled_in_earlier_processes, "request");
            text.push_str(&format!("; {earlier} more in earlier processes with this pid"));
        }
        text
    }

    /// Number of cancelled requests in the text, the latest first.
    const SHOWN: usize = 3;
}

impl fmt::Display for SuspectedWedge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, suspected wedge: {}; {}", self.excess(), self.state(), self.history())
    }
}

/// Beginning of an ID, which SkyPilot's commands take as well.
fn short(id: &str) -> &str {
    id.char_indices().nth(8).map_or(id, |(end, _)| &id[..end])
}

fn shown(cancelled: &CancelledRequest) -> String {
    let executor = match cancelled.pid {
        Some(pid) => format!(" in {pid}"),
        None => " before it ran".to_owned(),
    };
    format!("{}{executor} at {}", short(&cancelled.request_id), cancelled.at)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const EXECUTOR: ProcessIdentity = ProcessIdentity { pid: 1234, started: 7 };

    fn cancelled(id: &str, pid: Option<u32>) -> CancelledRequest {
        let at = Timestamp::from_micros(1_000_000);
        CancelledRequest { request_id: id.to_owned(), at, pid, started: pid.map(|_| 7) }
    }

    fn wedge(status: &str, executor: RequestExecutor, before: usize) -> SuspectedWedge {
        SuspectedWedge {
            at: Timestamp::default(),
            user: 2,
            request_id: "3fa2b1c0-0000".to_owned(),
            name: "sky.launch".to_owned(),
            age: Duration::from_secs(301),
            limit: Duration::from_secs(300),
            since: LimitedSince::Submission,
            record: RequestRecord::Listed { status: status.to_owned() },
            executor,
            cancelled_before: vec![cancelled("9c1d", Some(1234)); before],
            cancelled_in_earlier_processes: 0,
        }
    }

    #[rstest]
    #[case::in_a_wedged_executor(
        wedge("RUNNING", RequestExecutor::Process(EXECUTOR), 1),
        "RUNNING in executor 1234; 1 request was cancelled there before: 9c1d in 1234 at 1970-01-01T00:00:01.000Z"
    )]
    #[case::in_another_executor(
        wedge("RUNNING", RequestExecutor::Process(EXECUTOR), 0),
        "RUNNING in executor 1234; no request was cancelled there before"
    )]
    #[case::whose_process_is_gone(
        wedge("RUNNING", RequestExecutor::NoProcess, 0),
        "RUNNING, but no executor runs it: its process is gone; no request was cancelled in any"
    )]
    #[case::that_waits(
        wedge("PENDING", RequestExecutor::NoProcess, 5),
        "PENDING, in no executor; 5 requests were cancelled in any executor before: 9c1d in 1234"
    )]
    #[case::of_another_machine(
        wedge("RUNNING", RequestExecutor::Unknown, 0),
        "RUNNING, executor unknown (its processes are not visible from here); no request was"
    )]
    fn a_suspect_is_named_with_its_executor_and_what_was_cancelled(
        #[case] wedge: SuspectedWedge,
        #[case] state: &str,
    ) {
        let text = wedge.to_string();
        let start = "request 3fa2b1c0 (sky.launch) of user 2 not finished after 5m, \
                     suspected wedge: ";
        assert!(text.starts_with(&format!("{start}{state}")), "{text}");
    }

    #[test]
    fn the_executor_is_named_also_without_a_status() {
        let record = RequestRecord::NotRead { reason: "timeout".to_owned() };
        let wedge = SuspectedWedge { record, ..wedge("", RequestExecutor::Process(EXECUTOR), 0) };
        let text = wedge.to_string();
        assert!(
            text.contains("suspected wedge: status not read (timeout) in executor 1234;"),
            "{text}"
        );
    }

    #[test]
    fn a_reused_pid_and_an_absent_record_are_said() {
        let reused = SuspectedWedge {
            record: RequestRecord::NotListed,
            cancelled_in_earlier_processes: 1,
            ..wedge("", RequestExecutor::Process(EXECUTOR), 4)
        };
        let text = reused.to_string();
        assert!(text.contains("not in the server's list of requests in executor 1234"), "{text}");
        assert!(
            text.ends_with(", ..; 1 request more in earlier processes with this pid"),
            "{text}"
        );
        let later = ProcessIdentity { started: 8, ..EXECUTOR };
        assert!(cancelled("9c1d", Some(1234)).ran_in(EXECUTOR));
        assert!(
            !cancelled("9c1d", Some(1234)).ran_in(later) && !cancelled("x", None).ran_in(later)
        );
    }
}
