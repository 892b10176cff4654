//! Requests that a scenario has cancelled, with the executors that ran them.

use std::cell::RefCell;

use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::record::outcome::{CancelledRequest, RequestExecutor};

/// Requests that a scenario has cancelled, in the order of their cancellations.
#[derive(Debug, Default)]
pub(super) struct CancelledRequests(RefCell<Vec<CancelledRequest>>);

/// Cancelled requests that may have to do with a request that is stuck.
pub(super) struct Suspicious {
    /// Requests that ran in the same executor, or in any if that is unknown.
    pub(super) before: Vec<CancelledRequest>,
    /// Number of requests in other processes that had the executor's pid before.
    pub(super) in_earlier_processes: u64,
}

impl CancelledRequests {
    /// Adds a request whose executor had a pid. `is_local` tells whether the process can be found
    /// on this machine.
    pub(super) fn add(&self, request_id: String, at: Timestamp, pid: Option<u32>, is_local: bool) {
        let process = pid.filter(|_| is_local).and_then(ProcessIdentity::of);
        let started = process.map(|process| process.started);
        self.0.borrow_mut().push(CancelledRequest { request_id, at, pid, started });
    }

    /// Requests that were cancelled before one got stuck in an executor.
    pub(super) fn before(&self, executor: RequestExecutor) -> Suspicious {
        let all = self.0.borrow();
        let RequestExecutor::Process(process) = executor else {
            return Suspicious { before: all.clone(), in_earlier_processes: 0 };
        };
        let with_pid = all.iter().filter(|it| it.pid == Some(process.pid));
        let (same, earlier): (Vec<_>, Vec<_>) =
            with_pid.cloned().partition(|it| it.ran_in(process));
        Suspicious { before: same, in_earlier_processes: earlier.len() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_of_the_same_process_are_in_its_history() {
        let (own, requests) = (std::process::id(), CancelledRequests::default());
        let add = |id: &str, pid, is_local| {
            requests.add(id.to_owned(), Timestamp::default(), pid, is_local);
        };
        add("here", Some(own), true);
        add("elsewhere", Some(1), true);
        add("never-started", None, true);
        let me = ProcessIdentity::current().unwrap();
        let found = requests.before(RequestExecutor::Process(me));
        assert_eq!((found.before.len(), found.in_earlier_processes), (1, 0));
        assert_eq!(found.before[0].request_id, "here");
        let later = ProcessIdentity { started: me.started + 1, ..me };
        let found = requests.before(RequestExecutor::Process(later));
        assert_eq!((found.before.len(), found.in_earlier_processes), (0, 1), "the pid is reused");
        assert_eq!(requests.before(RequestExecutor::Unknown).before.len(), 3);
    }
}
