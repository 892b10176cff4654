//! Retries of requests, with the pauses of SkyPilot's SDK.
//!
//! Sources: `sky/server/rest.py` and `Backoff` in `sky/utils/common_utils.py`.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::record::outcome::Failure;

/// Time for which a call is retried after responses with status 503 (no server or no worker).
const UNAVAILABLE_FOR: Duration = Duration::from_secs(600);
/// First pause after a response with status 503.
const UNAVAILABLE_PAUSE: Duration = Duration::from_secs(5);
/// First pause after a lost connection.
const TRANSIENT_PAUSE: Duration = Duration::from_secs(1);
/// Maximum number of consecutive failed tries.
pub(crate) const MAX_TRIES: u32 = 3;

/// Exponential backoff: each pause is 1.6 times the one before, at most five times the first,
/// with a jitter of 40 % in both directions so that clients do not retry simultaneously.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    last: Option<Duration>,
}

impl Backoff {
    /// Pauses after lost connections.
    pub(crate) const fn transient() -> Self {
        Self { first: TRANSIENT_PAUSE, last: None }
    }

    /// Pauses after responses with status 503.
    pub(crate) const fn unavailable() -> Self {
        Self { first: UNAVAILABLE_PAUSE, last: None }
    }

    /// Duration of the next pause.
    pub(crate) fn pause(&mut self) -> Duration {
        let base = match self.last {
            None => self.first,
            Some(last) => last.mul_f64(1.6).min(self.first * 5),
        };
        // From 60 % to 140 %. The next pause is based on this one, jitter included.
        let pause = base.mul_f64(0.6 + 0.8 * fastrand::f64());
        self.last = Some(pause);
        pause
    }
}

/// Sends a request until the response has another status than 503, as the SDK does for all
/// calls but `/api/get` and `/api/stream`. Calls `on_retry` before each further try.
pub(crate) async fn retry_while_unavailable<T>(
    mut send: impl AsyncFnMut() -> Result<T, Failure>,
    mut on_retry: impl FnMut(),
) -> Result<T, Failure> {
    let (start, mut backoff) = (Instant::now(), Backoff::unavailable());
    loop {
        let result = send().await;
        let unavailable = result.as_ref().is_err_and(|failure| failure.status == Some(503));
        if !unavailable || start.elapsed() > UNAVAILABLE_FOR {
            return result;
        }
        on_retry();
        sleep(backoff.pause()).await;
    }
}

/// Sends one of skyload's own read-only requests, which no user waits for. Transport errors are
/// retried too: without the response, a user's iteration would be counted as failed.
pub(crate) async fn with_retries<T>(
    mut send: impl AsyncFnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (mut tries, mut backoff) = (1, Backoff::transient());
    loop {
        match retry_while_unavailable(&mut send, || {}).await {
            Err(failure) if failure.is_transport_error() && tries < MAX_TRIES => {
                tries += 1;
                sleep(backoff.pause()).await;
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_five_times_the_first_with_jitter() {
        let mut backoff = Backoff::transient();
        let pauses: Vec<f64> = (0..20).map(|_| backoff.pause().as_secs_f64()).collect();
        assert!((0.6..=1.4).contains(&pauses[0]), "{pauses:?}");
        assert!(pauses.iter().all(|pause| (0.5..=7.0).contains(pause)), "{pauses:?}");
    }
}
