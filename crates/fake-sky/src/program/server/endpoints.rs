//! The table of queued endpoints: what becomes a request, under which name, and
//! on which queue.

use fake_sky::DEFAULT_USER_ID;
use serde_json::Value;

use crate::program::protocol::Queue;

/// How an endpoint is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// With a query.
    Get,
    /// With a JSON body.
    Post,
}

/// When a request goes to the queue for long ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Never.
    Short,
    /// Always.
    Long,
    /// When the status of clusters is to be fetched from the cloud.
    LongToRefresh,
    /// When a controller elsewhere may have to be launched for it.
    LongToLaunchController,
    /// When a controller elsewhere is to be restarted.
    LongToRestartController,
}

/// An endpoint whose requests wait for an executor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// The name of its requests.
    pub(crate) name: &'static str,
    /// The function that it runs.
    pub(crate) entrypoint: &'static str,
    pub(crate) takes: Takes,
    /// The fields without which a body is refused.
    pub(crate) required: &'static [&'static str],
}

impl Endpoint {
    /// What a request that comes from no endpoint begins with.
    pub(crate) const INTERNAL: Self = post("", "", "", Takes::Short, &[]);

    /// The kind of controller that its requests are about; they name it as
    /// their cluster.
    pub(crate) fn controller(&self) -> Option<&'static str> {
        ["jobs", "serve"].into_iter().find(|kind| self.name.split('.').nth(1) == Some(*kind))
    }

    /// The queue for a request with this body. A server that runs managed jobs
    /// itself (`consolidation`) has no controller to care for.
    pub(crate) fn queue(&self, body: &Value, consolidation: bool) -> Queue {
        let refresh = match &body["refresh"] {
            Value::Bool(refresh) => *refresh,
            Value::String(mode) => mode != "NONE",
            _ => false,
        };
        let long = match self.takes {
            Takes::Short => false,
            Takes::Long => true,
            Takes::LongToRefresh => refresh,
            Takes::LongToLaunchController => !consolidation,
            Takes::LongToRestartController => refresh && !consolidation,
        };
        if long { Queue::Long } else { Queue::Short }
    }
}

/// The cluster that manages jobs or services.
pub(crate) fn controller_name(kind: &str) -> String {
    format!("sky-{kind}-controller-{DEFAULT_USER_ID}")
}

const fn post(
    path: &'static str,
    name: &'static str,
    entrypoint: &'static str,
    takes: Takes,
    required: &'static [&'static str],
) -> Endpoint {
    Endpoint { method: Method::Post, path, name, entrypoint, takes, required }
}

const fn get(path: &'static str, name: &'static str, entrypoint: &'static str) -> Endpoint {
    Endpoint { method: Method::Get, path, name, entrypoint, takes: Takes::Short, required: &[] }
}

/// All of them.
pub(crate) const QUEUED: [Endpoint; 17] = [
    post("/status", "sky.status", "status", Takes::LongToRefresh, &[]),
    post("/jobs/queue", "sky.jobs.queue", "queue", Takes::LongToRestartController, &[]),
    post(
        "/jobs/queue/v2",
        "sky.jobs.queue_v2",
        "queue_v2_api",
        Takes::LongToRestartController,
        &[],
    ),
    post("/jobs/pool_status", "sky.jobs.pool_status", "pool_status", Takes::Short, &[]),
    post("/serve/status", "sky.serve.status", "status", Takes::Short, &["service_names"]),
    post(
        "/jobs/launch",
        "sky.jobs.launch",
        "launch",
        Takes::LongToLaunchController,
        &["task", "name"],
    ),
    post("/jobs/cancel", "sky.jobs.cancel", "cancel", Takes::Short, &[]),
    post("/serve/up", "sky.serve.up", "up", Takes::Long, &["task", "service_name"]),
    post("/serve/down", "sky.serve.down", "down", Takes::Short, &["service_names"]),
    post("/launch", "sky.launch", "launch", Takes::Long, &["task", "cluster_name"]),
    post("/exec", "sky.exec", "exec", Takes::Long, &["task", "cluster_name"]),
    post("/queue", "sky.queue", "queue", Takes::Short, &["cluster_name"]),
    post("/down", "sky.down", "down", Takes::Short, &["cluster_name"]),
    post("/check", "sky.check", "check", Takes::Short, &[]),
    post("/api/cancel", "sky.api_cancel", "kill_requests", Takes::Short, &[]),
    get("/workspaces", "sky.workspaces.get", "get_workspaces"),
    get("/enabled_clouds", "sky.enabled_clouds", "enabled_clouds"),
];

/// Endpoints that stream a log in their own response: a thread of the server
/// runs their requests, and no executor.
pub(crate) const FOLLOWING: [Endpoint; 2] = [
    post("/logs", "sky.logs", "tail_logs", Takes::Short, &["cluster_name", "job_id"]),
    post("/jobs/logs", "sky.jobs.logs", "tail_logs", Takes::Short, &[]),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refresh_takes_the_long_queue() {
        let [status, jobs, ..] = QUEUED;
        assert_eq!(status.queue(&json!({"refresh": "NONE"}), true), Queue::Short);
        assert_eq!(status.queue(&json!({"refresh": "AUTO"}), true), Queue::Long);
        assert_eq!(jobs.queue(&json!({"refresh": true}), false), Queue::Long);
        assert_eq!(jobs.queue(&json!({"refresh": true}), true), Queue::Short);
        assert_eq!(jobs.queue(&json!({}), false), Queue::Short);
    }
}
