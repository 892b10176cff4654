//! Sending again, with the pauses of SkyPilot's SDK.
//!
//! Sources: `sky/server/rest.py` and `Backoff` in `sky/utils/common_utils.py`.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::record::outcome::Failure;

/// How long a call that finds no server or no worker (503) is sent again.
const UNAVAILABLE_FOR: Duration = Duration::from_secs(600);
/// The first pause after such an answer.
const UNAVAILABLE_PAUSE: Duration = Duration::from_secs(5);
/// The first pause after a connection that broke.
const TRANSIENT_PAUSE: Duration = Duration::from_secs(1);
/// So often in a row may go wrong what is tried again.
pub(crate) const TRIES: u32 = 3;

/// The pauses between tries: each 1.6 times the one before, up to five times the first, and
/// each up to 40 % longer or shorter, so that clients do not come back all at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    last: Option<Duration>,
}

impl Backoff {
    /// After a connection that broke.
    pub(crate) const fn transient() -> Self {
        Self { first: TRANSIENT_PAUSE, last: None }
    }

    const fn unavailable() -> Self {
        Self { first: UNAVAILABLE_PAUSE, last: None }
    }

    /// How long to wait this time.
    pub(crate) fn pause(&mut self) -> Duration {
        let even = match self.last {
            None => self.first,
            Some(last) => last.mul_f64(1.6).min(self.first * 5),
        };
        let pause = even.mul_f64(0.6 + 0.8 * fastrand::f64());
        self.last = Some(pause);
        pause
    }
}

/// Sends until the answer is another one than 503, as the SDK does for all calls but
/// `/api/get` and `/api/stream`. Tells `again` of every further try.
pub(crate) async fn while_unavailable<T>(
    mut send: impl AsyncFnMut() -> Result<T, Failure>,
    mut again: impl FnMut(),
) -> Result<T, Failure> {
    let (start, mut backoff) = (Instant::now(), Backoff::unavailable());
    loop {
        let answer = send().await;
        let unavailable = answer.as_ref().is_err_and(|failure| failure.status == Some(503));
        if !unavailable || start.elapsed() > UNAVAILABLE_FOR {
            return answer;
        }
        again();
        sleep(backoff.pause()).await;
    }
}

/// Asks something that no user waits for and that changes nothing. Connections that break are
/// tried again too: what we cannot find out would be counted as our users' failure.
pub(crate) async fn for_ourselves<T>(
    mut ask: impl AsyncFnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (mut tries, mut backoff) = (1, Backoff::transient());
    loop {
        match while_unavailable(&mut ask, || {}).await {
            Err(failure) if failure.is_of_transport() && tries < TRIES => {
                tries += 1;
                sleep(backoff.pause()).await;
            }
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_five_times_the_first_give_or_take() {
        let mut backoff = Backoff::transient();
        let pauses: Vec<f64> = (0..20).map(|_| backoff.pause().as_secs_f64()).collect();
        assert!((0.6..=1.4).contains(&pauses[0]), "{pauses:?}");
        assert!(pauses.iter().all(|pause| (0.5..=7.0).contains(pause)), "{pauses:?}");
    }
}
