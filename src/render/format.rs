//! Format of durations and of error statuses, common to all renderers.

use std::time::Duration;

use crate::metric::Metric;
use crate::record::outcome::FailureTally;

/// Duration in seconds with three significant digits, or three decimals below 1 s: `0.004`,
/// `1.25`, `31.8`.
pub(super) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let digits = match seconds {
        s if s < 1.0 => 3,
        s if s < 10.0 => 2,
        _ => 1,
    };
    format!("{seconds:.digits$}")
}

/// Status of a type of errors: an error of the server, an expected one, or the load generator's.
pub(super) fn status(kind: &FailureTally) -> String {
    match (&kind.expected_because, &kind.expected_only_on) {
        (Some(reason), _) => format!("expected: {reason}"),
        (None, Some(servers)) => format!("unjudged: expected only on {servers}"),
        (None, None) if kind.example.client_fault().is_some() => {
            "load generator's own, says nothing about the server".to_owned()
        }
        (None, None) => "error".to_owned(),
    }
}

/// Flag for a budget, quoted for a shell if the metric's name has a space.
pub(super) fn budget_flag(metric: Metric, limit: &str) -> String {
    let budget = format!("{metric}={limit}");
    match budget.contains(' ') {
        true => format!("--budget '{budget}'"),
        false => format!("--budget {budget}"),
    }
}
