//! How a request ends: what it returned or raised, and what it has written to its log.

use serde_json::{Value, json};

/// What stands where SkyPilot puts a base64 pickle: one of `None`.
pub(crate) const PICKLE: &str = "gASVAgAAAAAAAABOLg==";

/// The end of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// It returned this.
    Value(Value),
    /// It raised this.
    Error {
        /// The class of the Python exception.
        kind: &'static str,
        /// Its text.
        message: String,
    },
    /// It was cancelled.
    Cancelled,
}

impl Outcome {
    /// The error of this class.
    pub(crate) fn error(kind: &'static str, message: impl Into<String>) -> Self {
        Self::Error { kind, message: message.into() }
    }

    /// There is no cluster of this name. Messages are coloured.
    pub(crate) fn no_cluster(name: &str) -> Self {
        let message = format!("\u{1b}[33mCluster '{name}' does not exist.\u{1b}[0m");
        Self::error("ClusterDoesNotExist", message)
    }

    /// What becomes of a request whose executor died.
    pub(crate) fn broken_pool() -> Self {
        Self::error(
            "BrokenProcessPool",
            "A process in the process pool was terminated abruptly while the future was running \
             or pending.",
        )
    }
}

/// The end of a request, and what it has written to its log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) log: Vec<String>,
}

impl Answer {
    /// SkyPilot's answer to who wants the log of a job that is not there.
    pub(crate) fn not_found(line: String) -> Self {
        const NOT_FOUND: u8 = 102;
        Self { outcome: Outcome::Value(json!(NOT_FOUND)), log: vec![line] }
    }
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, log: Vec::new() }
    }
}

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Ok(Said { value, log }) => Self { outcome: Outcome::Value(value), log },
            Err(outcome) => outcome.into(),
        }
    }
}

/// What a request that succeeds returns, and what it writes to its log.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) value: Value,
    pub(crate) log: Vec<String>,
}

impl Said {
    pub(crate) fn value(value: Value) -> Self {
        Self { value, log: Vec::new() }
    }

    pub(crate) fn line(line: String) -> Self {
        Self { value: Value::Null, log: vec![line] }
    }
}

/// The end of a request that no fault was injected into.
pub(crate) type Verdict = Result<Said, Outcome>;
