//! Durations and kinds of failures as every renderer writes them.

use std::time::Duration;

use crate::record::outcome::FailureTally;

/// Three digits that count: `0.004`, `1.25`, `31.8`.
pub(super) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let digits = match seconds {
        s if s < 1.0 => 3,
        s if s < 10.0 => 2,
        _ => 1,
    };
    format!("{seconds:.digits$}")
}

/// What there is to say of a failure that is no error of the server: a refusal, or what the
/// load generator could not do. `None` for one that is.
pub(super) fn refusal(kind: &FailureTally) -> Option<String> {
    match (&kind.expected_because, &kind.expected_only_on) {
        (Some(reason), _) => Some(format!("refused, rightly: {reason}")),
        (None, Some(servers)) => Some(format!(
            "refused; nobody can tell whether rightly: it would be right only on {servers}"
        )),
        (None, None) => {
            let fault = kind.example.client_fault();
            fault.map(|_| "the load generator's own: says nothing of the server".to_owned())
        }
    }
}
