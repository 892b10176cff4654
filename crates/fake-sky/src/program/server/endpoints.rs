//! Table of the endpoints that create requests, with the names and queues of the requests.

use fake_sky::DEFAULT_USER_ID;
use serde_json::Value;

use crate::program::protocol::Queue;

/// HTTP method of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// GET with a query.
    Get,
    /// POST with a JSON body.
    Post,
}

/// Rule that selects the queue of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueRule {
    /// Short queue.
    Short,
    /// Long queue.
    Long,
    /// Long queue if the status of clusters must be fetched from the cloud, else short.
    LongToRefresh,
    /// Long queue if a controller cluster may have to be launched, else short.
    LongToLaunchController,
    /// Long queue if a controller cluster may have to be restarted, else short.
    LongToRestartController,
}

/// Endpoint whose calls create requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// Name of the requests.
    pub(crate) name: &'static str,
    /// Python function of the requests.
    pub(crate) entrypoint: &'static str,
    pub(crate) queue_rule: QueueRule,
    /// Required fields of the body. Without them the call gets HTTP 422.
    pub(crate) required: &'static [&'static str],
}

impl Endpoint {
    /// Template for requests that no endpoint creates.
    pub(crate) const INTERNAL: Self = post("", "", "", QueueRule::Short, &[]);

    /// Kind of controller for the requests, which report it as their cluster.
    pub(crate) fn controller(&self) -> Option<&'static str> {
        ["jobs", "serve"].into_iter().find(|kind| self.name.split('.').nth(1) == Some(*kind))
    }

    /// Queue of a request with this body. In `consolidation` mode the server runs managed
    /// jobs itself, so there is no jobs controller to launch or restart.
    pub(crate) fn queue(&self, body: &Value, consolidation: bool) -> Queue {
        let refresh = match &body["refresh"] {
            Value::Bool(refresh) => *refresh,
            Value::String(mode) => mode != "NONE",
            _ => false,
        };
        let long = match self.queue_rule {
            QueueRule::Short => false,
            QueueRule::Long => true,
            QueueRule::LongToRefresh => refresh,
            QueueRule::LongToLaunchController => !consolidation,
            QueueRule::LongToRestartController => refresh && !consolidation,
        };
        if long { Queue::Long } else { Queue::Short }
    }
}

/// Name of the cluster that manages jobs or services.
pub(crate) fn controller_name(kind: &str) -> String {
    format!("sky-{kind}-controller-{DEFAULT_USER_ID}")
}

const fn post(
    path: &'static str,
    name: &'static str,
    entrypoint: &'static str,
    queue_rule: QueueRule,
    required: &'static [&'static str],
) -> Endpoint {
    Endpoint { method: Method::Post, path, name, entrypoint, queue_rule, required }
}

const fn get(path: &'static str, name: &'static str, entrypoint: &'static str) -> Endpoint {
    let queue_rule = QueueRule::Short;
    Endpoint { method: Method::Get, path, name, entrypoint, queue_rule, required: &[] }
}

/// Endpoints whose requests wait in a queue for an executor.
pub(crate) const QUEUED: [Endpoint; 26] = [
    post("/status", "sky.status", "status", QueueRule::LongToRefresh, &[]),
    post("/jobs/queue", "sky.jobs.queue", "queue", QueueRule::LongToRestartController, &[]),
    post(
        "/jobs/queue/v2",
        "sky.jobs.queue_v2",
        "queue_v2_api",
        QueueRule::LongToRestartController,
        &[],
    ),
    post("/jobs/pool_status", "sky.jobs.pool_status", "pool_status", QueueRule::Short, &[]),
    post("/serve/status", "sky.serve.status", "status", QueueRule::Short, &["service_names"]),
    post(
        "/jobs/launch",
        "sky.jobs.launch",
        "launch",
        QueueRule::LongToLaunchController,
        &["task", "name"],
    ),
    post("/jobs/cancel", "sky.jobs.cancel", "cancel", QueueRule::Short, &[]),
    post("/serve/up", "sky.serve.up", "up", QueueRule::Long, &["task", "service_name"]),
    post("/serve/down", "sky.serve.down", "down", QueueRule::Short, &["service_names"]),
    post("/launch", "sky.launch", "launch", QueueRule::Long, &["task", "cluster_name"]),
    post("/exec", "sky.exec", "exec", QueueRule::Long, &["task", "cluster_name"]),
    post("/queue", "sky.queue", "queue", QueueRule::Short, &["cluster_name"]),
    post("/cancel", "sky.cancel", "cancel", QueueRule::Short, &["cluster_name", "job_ids"]),
    post("/down", "sky.down", "down", QueueRule::Short, &["cluster_name"]),
    post("/stop", "sky.stop", "stop", QueueRule::Short, &["cluster_name"]),
    post("/start", "sky.start", "start", QueueRule::Long, &["cluster_name"]),
    post(
        "/autostop",
        "sky.autostop",
        "autostop",
        QueueRule::Short,
        &["cluster_name", "idle_minutes"],
    ),
    post("/optimize", "sky.optimize", "optimize", QueueRule::Short, &["dag", "request_options"]),
    post("/list_accelerators", "sky.list_accelerators", "list_accelerators", QueueRule::Short, &[]),
    post(
        "/list_accelerator_counts",
        "sky.list_accelerator_counts",
        "list_accelerator_counts",
        QueueRule::Short,
        &[],
    ),
    post("/cost_report", "sky.cost_report", "cost_report", QueueRule::Short, &[]),
    post("/check", "sky.check", "check", QueueRule::Short, &[]),
    post("/api/cancel", "sky.api_cancel", "kill_requests", QueueRule::Short, &[]),
    get("/storage/ls", "sky.storage_ls", "storage_ls"),
    get("/workspaces", "sky.workspaces.get", "get_workspaces"),
    get("/enabled_clouds", "sky.enabled_clouds", "enabled_clouds"),
];

/// Endpoints that stream a job's log in their response. Their requests run in a thread of
/// the server, not in an executor.
pub(crate) const LOG_STREAMS: [Endpoint; 2] = [
    post("/logs", "sky.logs", "tail_logs", QueueRule::Short, &["cluster_name", "job_id"]),
    post("/jobs/logs", "sky.jobs.logs", "tail_logs", QueueRule::Short, &[]),
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
