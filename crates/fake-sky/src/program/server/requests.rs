//! Store of all requests of the server, like SkyPilot's database `requests.db`.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use super::outcome::Completion;
use super::request::{Request, Status};

/// Requests by id.
#[derive(Debug, Default)]
pub(crate) struct Requests(Mutex<HashMap<String, Request>>);

/// Reason why the prefix of an id does not identify a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotFound {
    /// Prefix of no request id.
    Unknown,
    /// Prefix of several request ids.
    Ambiguous,
}

impl Requests {
    /// Adds a new request.
    pub(crate) fn add(&self, request: Request) {
        self.lock().insert(request.id.clone(), request);
    }

    /// Full id of the only request whose id begins with `prefix`.
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

    /// Applies `read` to one request; `None` if there is no such request.
    pub(crate) fn inspect<T>(&self, id: &str, read: impl FnOnce(&Request) -> T) -> Option<T> {
        self.lock().get(id).map(read)
    }

    /// Subscribes to the status of one request.
    pub(crate) fn watch(&self, id: &str) -> Option<watch::Receiver<Status>> {
        self.inspect(id, Request::watch)
    }

    /// Starts a request in process `pid` or (`None`) in a thread of the server. Returns
    /// `false` if the request has already ended, by a cancellation.
    pub(crate) fn start(&self, id: &str, pid: Option<u32>) -> bool {
        let mut requests = self.lock();
        let waiting = requests.get_mut(id).filter(|request| !request.status().is_final());
        waiting.map(|request| request.start(pid)).is_some()
    }

    /// Ends a request; does nothing if it has already ended.
    pub(crate) fn finish(&self, id: &str, completion: impl Into<Completion>) {
        if let Some(request) = self.lock().get_mut(id) {
            request.finish(completion.into());
        }
    }

    /// Cancels the requests of `ids` (`None`: all) that have not ended, and returns the ids of
    /// the cancelled ones.
    pub(crate) fn cancel(&self, ids: Option<&[String]>) -> Vec<String> {
        let mut requests = self.lock();
        let mut cancelled = Vec::new();
        for request in requests.values_mut() {
            let selected = ids.is_none_or(|ids| ids.contains(&request.id));
            // A cancellation is a request itself and must not cancel itself.
            let cancellable = !request.is_daemon() && request.name != "sky.api_cancel";
            if selected && cancellable && !request.status().is_final() {
                request.cancel();
                cancelled.push(request.id.clone());
            }
        }
        cancelled
    }

    /// Cancels the active requests of a cluster that is being removed.
    pub(crate) fn cancel_for_cluster(&self, cluster: &str) {
        let mut requests = self.lock();
        for request in requests.values_mut() {
            let affected = request.cluster_name() == Some(cluster) && request.name != "sky.down";
            if affected && !request.status().is_final() {
                request.cancel();
            }
        }
    }

    /// Whether a launch of a cluster is pending or running.
    pub(crate) fn is_launching(&self, cluster: &str) -> bool {
        self.lock().values().any(|request| {
            request.name == "sky.launch"
                && request.cluster_name() == Some(cluster)
                && !request.status().is_final()
        })
    }

    /// Whether a request is pending or running.
    pub(crate) fn is_open(&self, id: &str) -> bool {
        self.inspect(id, |request| !request.status().is_final()).unwrap_or_default()
    }

    /// Rows of `/api/status`, newest first.
    pub(crate) fn rows(&self, all: bool, limit: Option<usize>, fields: &[String]) -> Vec<Value> {
        let requests = self.lock();
        let shown = requests.values().filter(|request| all || !request.status().is_final());
        let mut shown: Vec<_> = shown.collect();
        shown.sort_by(|a, b| b.created_at().total_cmp(&a.created_at()));
        shown.truncate(limit.unwrap_or(usize::MAX));
        shown.into_iter().map(|request| request.row(fields)).collect()
    }

    /// Complete rows of `/api/status` for the requests whose ids begin with these prefixes.
    pub(crate) fn rows_of(&self, prefixes: &[String]) -> Vec<Value> {
        let requests = self.lock();
        let of_prefix = |prefix: &String| {
            let matching = requests.values().filter(|request| request.id.starts_with(prefix));
            matching.map(|request| request.row(&[])).collect::<Vec<_>>()
        };
        prefixes.iter().flat_map(of_prefix).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Request>> {
        // A panic in one handler must not make all others fail.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
