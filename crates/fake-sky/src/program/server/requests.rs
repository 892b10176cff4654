//! All requests of this server: what SkyPilot keeps in `requests.db`.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use super::outcome::{Answer, Outcome};
use super::request::{Request, Status};

/// The requests by their id.
#[derive(Debug, Default)]
pub(crate) struct Requests(Mutex<HashMap<String, Request>>);

/// Why an id names no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotFound {
    /// Nothing begins like it.
    Unknown,
    /// Several requests do.
    Ambiguous,
}

impl Requests {
    /// Keeps a new request.
    pub(crate) fn add(&self, request: Request) {
        self.lock().insert(request.id.clone(), request);
    }

    /// The full id of the request that `prefix` stands for.
    pub(crate) fn resolve(&self, prefix: &str) -> Result<String, NotFound> {
        let requests = self.lock();
        if requests.contains_key(prefix) {
            return Ok(prefix.to_owned());
        }
        let mut matching = requests.keys().filter(|id| id.starts_with(prefix));
        match (matching.next(), matching.next()) {
            (Some(id), None) => Ok(id.clone()),
            (None, _) => Err(NotFound::Unknown),
            (Some(_), Some(_)) => Err(NotFound::Ambiguous),
        }
    }

    /// Looks at one request.
    pub(crate) fn look<T>(&self, id: &str, at: impl FnOnce(&Request) -> T) -> Option<T> {
        self.lock().get(id).map(at)
    }

    /// Follows the status of one request.
    pub(crate) fn watch(&self, id: &str) -> Option<watch::Receiver<Status>> {
        self.look(id, Request::watch)
    }

    /// The process `pid` (none: a thread of the server) begins to run a request;
    /// `false` if nobody waits for it any more, so that it need not.
    pub(crate) fn start(&self, id: &str, pid: Option<u32>) -> bool {
        let mut requests = self.lock();
        let waiting = requests.get_mut(id).filter(|request| !request.status().is_final());
        waiting.map(|request| request.start(pid)).is_some()
    }

    /// A request has come to its end; unless it had come to one before.
    pub(crate) fn finish(&self, id: &str, answer: impl Into<Answer>) {
        if let Some(request) = self.lock().get_mut(id) {
            request.finish(answer.into());
        }
    }

    /// Cancels those of `ids` (all, if there are none) that are not finished;
    /// returns their ids.
    pub(crate) fn cancel(&self, ids: Option<&[String]>) -> Vec<String> {
        let mut requests = self.lock();
        let mut cancelled = Vec::new();
        for request in requests.values_mut() {
            let meant = ids.is_none_or(|ids| ids.contains(&request.id));
            // A cancellation is a request too, and does not end itself.
            let can_be = !request.is_daemon() && request.name != "sky.api_cancel";
            if meant && can_be && !request.status().is_final() {
                request.finish(Outcome::Cancelled.into());
                cancelled.push(request.id.clone());
            }
        }
        cancelled
    }

    /// Cancels what is under way for a cluster, for the sake of its end.
    pub(crate) fn cancel_on(&self, cluster: &str) {
        let mut requests = self.lock();
        for request in requests.values_mut() {
            let there = request.cluster_name() == Some(cluster) && request.name != "sky.down";
            if there && !request.status().is_final() {
                request.finish(Outcome::Cancelled.into());
            }
        }
    }

    /// Whether a launch of a cluster is under way.
    pub(crate) fn is_launching(&self, cluster: &str) -> bool {
        self.lock().values().any(|request| {
            request.name == "sky.launch"
                && request.cluster_name() == Some(cluster)
                && !request.status().is_final()
        })
    }

    /// Whether a request has not come to its end.
    pub(crate) fn is_open(&self, id: &str) -> bool {
        self.look(id, |request| !request.status().is_final()).unwrap_or_default()
    }

    /// The rows of `/api/status`, newest first.
    pub(crate) fn rows(&self, all: bool, limit: Option<usize>, fields: &[String]) -> Vec<Value> {
        let requests = self.lock();
        let shown = requests.values().filter(|request| all || !request.status().is_final());
        let mut shown: Vec<_> = shown.collect();
        shown.sort_by(|one, other| other.created_at().total_cmp(&one.created_at()));
        shown.truncate(limit.unwrap_or(usize::MAX));
        shown.into_iter().map(|request| request.row(fields)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Request>> {
        // A panic in one handler must not take the others with it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
