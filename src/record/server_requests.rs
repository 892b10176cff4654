//! Server's own record of requests: `server-requests.json`, written by the coordinator after
//! the end of the profile.
//!
//! The server's list has no pids (SkyPilot 0.14). Which executor ran a request is known from the
//! profile.

use serde::{Deserialize, Serialize};

use super::{Document, Version};
use crate::clock::Timestamp;

/// Requests that the server has on record, content of `server-requests.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerRequests {
    /// Format of the file.
    pub version: Version<1>,
    /// Requests of all users, newest first.
    pub requests: Vec<ServerRequest>,
    /// Whether the list was cut at its maximum length: the oldest requests are missing.
    pub is_cut: bool,
}

impl Document for ServerRequests {
    const KIND: &'static str = "list of requests";
    const VERSION: u32 = 1;
}

/// Request as the server recorded it. Times are by the server's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerRequest {
    /// ID of the request.
    pub id: String,
    /// Name, such as `sky.status`.
    pub name: String,
    /// Name of the user; the user's ID for a user of a run, or if the server knows no name.
    pub user: String,
    /// Cluster that the request is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Queue: `short` or `long`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Time at which the server received the request.
    pub created: Option<Timestamp>,
    /// Time at which the request ended; `None` while it has not.
    pub finished: Option<Timestamp>,
}
