//! Names of requests, from the server's record.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::history::History;
use crate::analysis::recording::Recording;
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::record::profile::is_daemon;
use crate::record::{ServerRequest, ServerRequests};

/// Time that an executor takes after the recorded end of a request, to free its memory.
const RELEASE: Duration = Duration::from_secs(1);

/// Kind of a request.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum RequestKind {
    /// Requests of this name, such as `sky.status`.
    Named(String),
    /// Daemon with this ID: a request of the server itself, which runs for as long as the server.
    Daemon(String),
    /// Requests that the server's record lacks.
    Unrecorded,
}

impl std::fmt::Display for RequestKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named(name) => f.pad(name),
            Self::Daemon(id) => f.pad(&format!("daemon {id}")),
            Self::Unrecorded => f.pad("unrecorded request"),
        }
    }
}

/// Request that an executor ran, as far as the server's record names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NamedRequest {
    /// ID of the request.
    pub id: String,
    /// Kind of the request.
    pub kind: RequestKind,
    /// Cluster that the request is about.
    pub cluster: Option<String>,
    /// User of the request.
    pub user: Option<String>,
}

/// Server's record of requests, by ID.
pub(super) struct Names<'a> {
    by_id: HashMap<&'a str, &'a ServerRequest>,
    /// Whether the record has all requests: it was read and not cut.
    pub(super) is_whole: bool,
    /// IDs of the requests that were seen in an executor.
    seen: HashSet<&'a str>,
    /// Whether `seen` has all of them.
    pub(super) all_seen_are_listed: bool,
    /// Times of the first and the last sample; `None` without samples.
    profiled: Option<(Timestamp, Timestamp)>,
}

impl<'a> Names<'a> {
    pub(super) fn of(
        requests: Option<&'a ServerRequests>,
        histories: &[History<'a>],
        recording: Recording<'_>,
    ) -> Self {
        let is_whole = requests.is_some_and(|record| !record.is_cut);
        let requests = requests.map_or(&[][..], |record| &record.requests);
        let readings = histories.iter().flat_map(|history| &history.readings);
        let ended = || histories.iter().flat_map(|history| history.ended.iter().copied());
        // Of an executor that still lived when the file was read, the last request is in no line.
        let is_listed = ended().next().is_none() || recording.ended_cleanly();
        let all_seen_are_listed = is_listed && ended().all(|executor| executor.unlisted.is_none());
        let in_readings = readings.filter_map(|reading| reading.output.request());
        let in_lines = ended().flat_map(|executor| &executor.requests);
        Self {
            by_id: requests.iter().map(|request| (request.id.as_str(), request)).collect(),
            is_whole,
            seen: in_readings.chain(in_lines.map(|request| request.id.as_str())).collect(),
            all_seen_are_listed,
            profiled: recording
                .samples()
                .next()
                .zip(recording.samples().last())
                .map(|(first, last)| (first.at, last.at)),
        }
    }

    /// Kind of the request with this ID.
    pub(super) fn kind(&self, id: &str) -> RequestKind {
        match self.by_id.get(id) {
            _ if is_daemon(id) => RequestKind::Daemon(id.to_owned()),
            Some(request) => RequestKind::Named(request.name.clone()),
            None => RequestKind::Unrecorded,
        }
    }

    /// Request with this ID.
    pub(super) fn request(&self, id: &str) -> NamedRequest {
        let record = self.by_id.get(id).filter(|_| !is_daemon(id));
        NamedRequest {
            id: id.to_owned(),
            kind: self.kind(id),
            cluster: record.and_then(|record| record.cluster.clone()),
            user: record.map(|record| record.user.clone()),
        }
    }

    /// Whether the record does not exclude that a request ran between two times.
    pub(super) fn may_have_run(&self, id: &str, from: Timestamp, until: Timestamp) -> bool {
        let Some(request) = self.by_id.get(id) else { return true };
        let began_later = request.created.is_some_and(|created| created > until);
        // The record has the end of a request before the executor frees its memory.
        let ended_before = request.finished.is_some_and(|finished| finished.plus(RELEASE) < from);
        !began_later && !ended_before
    }

    /// IDs of recorded requests for executors of a class that ended between two times, and were
    /// seen in no executor: too short for a reading. None if some that were seen are not listed.
    pub(super) fn unseen(
        &self,
        class: ProcessClass,
        from: Timestamp,
        until: Timestamp,
    ) -> Vec<&'a str> {
        let queue = match class {
            ProcessClass::LongExecutor => "long",
            _ => "short",
        };
        let mut unseen: Vec<&ServerRequest> = self
            .by_id
            .values()
            .filter(|_| self.all_seen_are_listed)
            .filter(|request| request.queue.as_deref() == Some(queue))
            .filter(|request| request.finished.is_some_and(|at| from <= at && at <= until))
            .filter(|request| !self.seen.contains(request.id.as_str()))
            .copied()
            .collect();
        // In an order that does not depend on the hash map's.
        unseen.sort_by_key(|request| (request.finished, &request.id));
        unseen.into_iter().map(|request| request.id.as_str()).collect()
    }

    /// Number of recorded requests of a kind during the profile; `None` if there is none, as without
    /// a record.
    pub(super) fn count(&self, kind: &RequestKind) -> Option<u64> {
        // The server's record goes back to its first start.
        let is_profiled = |request: &ServerRequest| {
            self.profiled.is_none_or(|(began, ended)| {
                request.finished.is_none_or(|finished| finished >= began)
                    && request.created.is_none_or(|created| created <= ended)
            })
        };
        let requests = self.by_id.iter().filter(|(_, request)| is_profiled(request));
        let of_kind = requests.filter(|(id, _)| self.kind(id) == *kind);
        Some(of_kind.count() as u64).filter(|count| *count > 0)
    }
}
