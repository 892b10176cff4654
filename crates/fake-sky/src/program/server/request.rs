//! A request as the server keeps and shows it.

use serde_json::{Value, json};
use tokio::sync::watch;

use super::endpoints::{Endpoint, controller_name};
use super::log;
use super::outcome::{Answer, Outcome, PICKLE};
use crate::program::protocol::Queue;

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// It waits for an executor.
    Pending,
    /// An executor runs it.
    Running,
    /// It has returned a value.
    Succeeded,
    /// It has raised an error.
    Failed,
    /// Somebody did not want it any more.
    Cancelled,
}

impl Status {
    /// The word in answers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether nothing more happens to it.
    pub(crate) fn is_final(self) -> bool {
        self > Self::Running
    }
}

/// One row of what SkyPilot keeps in `requests.db`.
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
    answer: Option<Answer>,
    status: watch::Sender<Status>,
    daemon: bool,
}

impl Request {
    /// A request as it has just come in.
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
            answer: None,
            status: watch::Sender::new(Status::Pending),
            daemon: false,
        }
    }

    /// A request of the server's own, which runs for as long as the server.
    pub(crate) fn daemon(id: &str, name: &'static str) -> Self {
        let endpoint = Endpoint { name, entrypoint: "run_event", ..Endpoint::INTERNAL };
        let mut request =
            Self::new(id.to_owned(), &endpoint, &json!({"env_vars": {}}), Queue::Short);
        request.user_id = "skypilot-system".to_owned();
        request.daemon = true;
        request
    }

    /// Follows its status.
    pub(crate) fn watch(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Its status now.
    pub(crate) fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// Whether it is one of the server's own.
    pub(crate) fn is_daemon(&self) -> bool {
        self.daemon
    }

    /// When it was submitted.
    pub(crate) fn created_at(&self) -> f64 {
        self.created_at
    }

    /// The process `pid` runs it from now on; none if a thread of the server.
    pub(crate) fn start(&mut self, pid: Option<u32>) {
        self.pid = pid;
        self.status.send_replace(Status::Running);
    }

    /// It has come to its end; unless it had come to one before.
    pub(crate) fn finish(&mut self, answer: Answer) {
        if self.status().is_final() {
            return;
        }
        let status = match &answer.outcome {
            Outcome::Value(_) => Status::Succeeded,
            Outcome::Error { .. } => Status::Failed,
            Outcome::Cancelled => Status::Cancelled,
        };
        self.answer = Some(answer);
        self.finished_at = Some(log::now().as_secs_f64());
        self.status.send_replace(status);
    }

    /// What it has written to its log.
    pub(crate) fn log(&self) -> Vec<String> {
        self.answer.as_ref().map(|answer| answer.log.clone()).unwrap_or_default()
    }

    /// The cluster that it is about.
    pub(crate) fn cluster_name(&self) -> Option<&str> {
        self.cluster_name.as_deref()
    }

    /// What `/api/get` shows of it. Values are JSON strings inside the JSON.
    pub(crate) fn encoded(&self) -> Value {
        let (value, error) = match self.answer.as_ref().map(|answer| &answer.outcome) {
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

    /// Its row in `/api/status`: readable, without its result. When `fields`
    /// are asked for, the others keep the value of an empty row.
    pub(crate) fn row(&self, fields: &[String]) -> Value {
        let asked = |field: &str| fields.is_empty() || fields.iter().any(|name| name == field);
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
            if asked(field) {
                row[field] = value;
            }
        }
        if asked("user_id") {
            row["user_name"] = json!(if self.daemon { &self.user_id } else { "root" });
        }
        row
    }
}
