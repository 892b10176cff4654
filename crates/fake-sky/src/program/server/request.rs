//! Request of the API server: its state, and its JSON in responses.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::endpoints::{Endpoint, controller_name};
use super::log;
use super::outcome::{Completion, Outcome, PICKLE};
use crate::program::protocol::Queue;

/// Status of a request. The order matters: those after `Running` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// Waiting for an executor.
    Pending,
    /// Running in an executor, or in a thread of the server.
    Running,
    /// Ended with a return value.
    Succeeded,
    /// Ended with an exception.
    Failed,
    /// Ended by a cancellation.
    Cancelled,
}

impl Status {
    /// SkyPilot's name of the status.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether the request has ended.
    pub(crate) fn is_final(self) -> bool {
        self > Self::Running
    }
}

/// Row of SkyPilot's database `requests.db`.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) queue: Queue,
    entrypoint: &'static str,
    user_id: String,
    cluster_name: Option<String>,
    body: String,
    created_at: f64,
    finished_at: Option<f64>,
    pid: Option<u32>,
    completion: Option<Completion>,
    status: watch::Sender<Status>,
    daemon: bool,
}

impl Request {
    /// Pending request of an endpoint with this body.
    pub(crate) fn new(id: String, endpoint: &Endpoint, body: &Value, queue: Queue) -> Self {
        let user_id = body["env_vars"]["SKYPILOT_USER_ID"].as_str();
        let cluster_name = match endpoint.controller() {
            Some(kind) => Some(controller_name(kind)),
            None => body["cluster_name"].as_str().map(str::to_owned),
        };
        Self {
            id,
            name: endpoint.name,
            queue,
            entrypoint: endpoint.entrypoint,
            user_id: user_id.unwrap_or(fake_sky::DEFAULT_USER_ID).to_owned(),
            cluster_name,
            body: body.to_string(),
            created_at: log::now().as_secs_f64(),
            finished_at: None,
            pid: None,
            completion: None,
            status: watch::Sender::new(Status::Pending),
            daemon: false,
        }
    }

    /// Daemon request, which runs for the lifetime of the server.
    pub(crate) fn daemon(id: &str, name: &'static str) -> Self {
        let endpoint = Endpoint { name, entrypoint: "run_event", ..Endpoint::INTERNAL };
        let mut request =
            Self::new(id.to_owned(), &endpoint, &json!({"env_vars": {}}), Queue::Short);
        request.user_id = "skypilot-system".to_owned();
        request.daemon = true;
        request
    }

    /// Subscribes to changes of the status.
    pub(crate) fn watch(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Current status.
    pub(crate) fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// Whether this is a daemon request.
    pub(crate) fn is_daemon(&self) -> bool {
        self.daemon
    }

    /// Time of the submission, in seconds since 1970.
    pub(crate) fn created_at(&self) -> f64 {
        self.created_at
    }

    /// Sets the status to running, in process `pid` or (`None`) in a thread of the server.
    pub(crate) fn start(&mut self, pid: Option<u32>) {
        self.pid = pid;
        self.status.send_replace(Status::Running);
    }

    /// Ends the request; does nothing if it has already ended, for example by a
    /// cancellation.
    pub(crate) fn finish(&mut self, completion: Completion) {
        if self.status().is_final() {
            return;
        }
        let status = match &completion.outcome {
            Outcome::Value(_) => Status::Succeeded,
            Outcome::Error { .. } => Status::Failed,
            Outcome::Cancelled => Status::Cancelled,
        };
        self.completion = Some(completion);
        self.finished_at = Some(log::now().as_secs_f64());
        // Last, since it wakes the subscribers.
        self.status.send_replace(status);
    }

    /// Cancels the request, and interrupts the executor that runs it.
    pub(crate) fn cancel(&mut self) {
        let executor = self.pid.and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
        if let Some(executor) = executor {
            // An executor that has exited needs no signal.
            _ = kill(executor, Signal::SIGTERM);
        }
        self.finish(Outcome::Cancelled.into());
    }

    /// Lines of the log; empty until the request has ended.
    pub(crate) fn log(&self) -> Vec<String> {
        self.completion.as_ref().map(|completion| completion.log.clone()).unwrap_or_default()
    }

    /// Cluster that the request uses.
    pub(crate) fn cluster_name(&self) -> Option<&str> {
        self.cluster_name.as_deref()
    }

    /// JSON of the request in `/api/get`. Return value and error are JSON text inside it.
    pub(crate) fn encoded(&self) -> Value {
        let outcome = self.completion.as_ref().map(|completion| &completion.outcome);
        let (value, error) = match outcome {
            Some(Outcome::Value(value)) => (value.clone(), Value::Null),
            Some(Outcome::Error { kind, message }) => {
                (Value::Null, json!({"object": PICKLE, "type": kind, "message": message}))
            }
            Some(Outcome::Cancelled) | None => (Value::Null, Value::Null),
        };
        json!({
            "request_id": self.id,
            "name": self.name,
            "entrypoint": PICKLE,
            "request_body": PICKLE,
            "status": self.status().name(),
            "created_at": self.created_at,
            "user_id": self.user_id,
            "return_value": value.to_string(),
            "error": error.to_string(),
            "pid": self.pid,
            "schedule_type": self.queue.name(),
            "user_name": null,
            "cluster_name": self.cluster_name,
            "status_msg": null,
            "should_retry": false,
            "finished_at": self.finished_at,
            "file_mounts_blob_id": null,
        })
    }

    /// JSON of the request in `/api/status`: in readable form, without the result. If
    /// `fields` is not empty, the other fields have default values.
    pub(crate) fn row(&self, fields: &[String]) -> Value {
        let requested = |field: &str| fields.is_empty() || fields.iter().any(|name| name == field);
        let mut row = json!({
            "request_id": "", "name": "", "entrypoint": "", "request_body": "null",
            "status": "PENDING", "created_at": 0.0, "user_id": "", "return_value": "null",
            "error": "null", "pid": null, "schedule_type": "short", "user_name": null,
            "cluster_name": null, "status_msg": null, "should_retry": false,
            "finished_at": null, "file_mounts_blob_id": null,
        });
        let readable = [
            ("request_id", json!(self.id)),
            ("name", json!(self.name)),
            ("entrypoint", json!(self.entrypoint)),
            ("request_body", json!(self.body)),
            ("status", json!(self.status().name())),
            ("created_at", json!(self.created_at)),
            ("user_id", json!(self.user_id)),
            ("schedule_type", json!(self.queue.name())),
            ("cluster_name", json!(self.cluster_name)),
            ("finished_at", json!(self.finished_at)),
        ];
        for (field, value) in readable {
            if requested(field) {
                row[field] = value;
            }
        }
        if requested("user_id") {
            row["user_name"] = json!(if self.daemon { &self.user_id } else { "root" });
        }
        row
    }
}
