//! What went wrong on the way to the server or back: no response, or none in time.

use std::time::Duration;

use super::CONNECT_WITHIN;
use crate::record::outcome::{ClientFault, Failure};

/// A response that did not come within the limit.
pub(super) fn no_answer(step: &str, limit: Duration, message: &str) -> Failure {
    Failure {
        step: step.to_owned(),
        status: None,
        error_type: format!("{}{}", Failure::NO_ANSWER_IN, humantime::format_duration(limit)),
        message: message.to_owned(),
    }
}

/// A request that was not sent, or whose response was not read whole.
pub(super) fn transport_failure(
    step: &str,
    error: &reqwest::Error,
    limit: Option<Duration>,
) -> Failure {
    let error_type = if let Some(fault) = ClientFault::among_causes(error) {
        fault.name()
    } else if error.is_connect() {
        "connect"
    } else if error.is_timeout() {
        return no_answer(step, limit.unwrap_or(CONNECT_WITHIN), &describe(error));
    } else {
        "connection broke"
    };
    Failure {
        step: step.to_owned(),
        status: None,
        error_type: error_type.to_owned(),
        message: describe(error),
    }
}

/// An error with its causes, since the outermost alone says only "error sending
/// request".
pub(super) fn describe(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
