//! Outcome of a request: its return value or exception, and its log.

use serde_json::{Value, json};

/// Base64-encoded pickle of `None`, in fields where SkyPilot has a pickled object.
pub(crate) const PICKLE: &str = "gASVAgAAAAAAAABOLg==";

/// Outcome of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Return value.
    Value(Value),
    /// Exception.
    Error {
        /// Class of the Python exception.
        kind: &'static str,
        /// Text of the exception.
        message: String,
    },
    /// Cancellation.
    Cancelled,
}

impl Outcome {
    /// Exception of class `kind`.
    pub(crate) fn error(kind: &'static str, message: impl Into<String>) -> Self {
        Self::Error { kind, message: message.into() }
    }

    /// Exception for a cluster that does not exist, with SkyPilot's colored message.
    pub(crate) fn no_cluster(name: &str) -> Self {
        let message = format!("\u{1b}[33mCluster '{name}' does not exist.\u{1b}[0m");
        Self::error("ClusterDoesNotExist", message)
    }

    /// Exception of a request whose executor died.
    pub(crate) fn broken_pool() -> Self {
        Self::error(
            "BrokenProcessPool",
            "A process in the process pool was terminated abruptly while the future was running \
             or pending.",
        )
    }
}

/// Outcome of a request, with the lines of its log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Completion {
    pub(crate) outcome: Outcome,
    pub(crate) log: Vec<String>,
}

impl Completion {
    /// Completion of a request for the log of a missing job: SkyPilot's exit code for it.
    pub(crate) fn not_found(line: String) -> Self {
        /// `JobExitCode.NOT_FOUND` of SkyPilot.
        const NOT_FOUND: u8 = 102;
        Self { outcome: Outcome::Value(json!(NOT_FOUND)), log: vec![line] }
    }
}

impl From<Outcome> for Completion {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, log: Vec::new() }
    }
}

impl From<RequestResult> for Completion {
    fn from(result: RequestResult) -> Self {
        match result {
            Ok(Success { value, log }) => Self { outcome: Outcome::Value(value), log },
            Err(outcome) => outcome.into(),
        }
    }
}

/// Return value of a successful request, with the lines of its log.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Success {
    pub(crate) value: Value,
    pub(crate) log: Vec<String>,
}

impl Success {
    pub(crate) fn value(value: Value) -> Self {
        Self { value, log: Vec::new() }
    }

    pub(crate) fn line(line: String) -> Self {
        Self { value: Value::Null, log: vec![line] }
    }
}

/// Result of a request without an injected fault.
pub(crate) type RequestResult = Result<Success, Outcome>;
