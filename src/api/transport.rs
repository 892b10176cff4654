//! Transport errors: no connection, no response, or none in time.

use std::fmt;
use std::time::Duration;

use hyper_util::client::legacy::Error as HyperError;

use crate::record::outcome::{ClientFault, Failure, error_type};

/// Connect timeout of SkyPilot's SDK.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Error of sending a request.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// Error of reqwest.
    #[error(transparent)]
    Reqwest(#[from] reqwest::Error),
    /// Error of the client without TLS and proxies.
    #[error(transparent)]
    Plain(#[from] HyperError),
    /// Error of reading a response to that client.
    #[error(transparent)]
    Body(#[from] hyper::Error),
}

impl SendError {
    /// Whether there was no connection.
    pub(super) fn is_connect(&self) -> bool {
        match self {
            Self::Reqwest(error) => error.is_connect(),
            Self::Plain(error) => error.is_connect(),
            Self::Body(_) => false,
        }
    }

    /// Whether a time limit was exceeded.
    pub(super) fn is_timeout(&self) -> bool {
        match self {
            Self::Reqwest(error) => error.is_timeout(),
            // Only connecting has a limit.
            Self::Plain(_) | Self::Body(_) => false,
        }
    }

    /// Error without the URL in its message.
    pub(super) fn without_url(self) -> Self {
        match self {
            Self::Reqwest(error) => Self::Reqwest(error.without_url()),
            plain @ (Self::Plain(_) | Self::Body(_)) => plain,
        }
    }
}

/// Time limit of a response, with its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeLimit {
    /// Time from sending the request to the end of its response.
    pub(super) time: Duration,
    /// Name of the limit in messages, such as `SDK timeout`.
    pub(super) name: &'static str,
}

impl TimeLimit {
    /// Timeout that SkyPilot's SDK sets on the request.
    pub(super) const fn of_sdk(time: Duration) -> Self {
        Self { time, name: "SDK timeout" }
    }

    /// Failure of a request that had no response within the limit.
    pub(super) fn exceeded(self, step: &str) -> Failure {
        Failure {
            step: step.to_owned(),
            status: None,
            error_type: error_type::TIMEOUT.to_owned(),
            message: format!("no response in {self}"),
        }
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", humantime::format_duration(self.time), self.name)
    }
}

/// Failure of a request that could not be sent, or whose response was not read to its end.
pub(super) fn transport_failure(
    step: &str,
    error: &SendError,
    limit: Option<TimeLimit>,
) -> Failure {
    // First, since a lack of ports or files on this machine is a connect error as well.
    let error_type = if let Some(fault) = ClientFault::among_causes(error) {
        fault.name()
    } else if error.is_connect() {
        error_type::CONNECT_ERROR
    } else if error.is_timeout() {
        // The HTTP client itself has no timeout but that of connecting.
        return limit.unwrap_or(TimeLimit::of_sdk(CONNECT_TIMEOUT)).exceeded(step);
    } else {
        error_type::CONNECTION_LOST
    };
    Failure {
        step: step.to_owned(),
        status: None,
        error_type: error_type.to_owned(),
        message: describe(error),
    }
}

/// Message of an error with its causes: the outermost is only "error sending request".
pub(super) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
