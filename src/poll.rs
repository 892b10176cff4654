//! Polling loops: with a time limit and a reason in the error, for a fixed time, or without
//! a limit.
//!
//! The closure of a long wait checks for interrupts, too: its result or error ends the wait.

use std::convert::Infallible;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Result of one check in [`wait_until`].
#[derive(Debug)]
pub enum Probe<T> {
    /// Condition met, with a value.
    Ready(T),
    /// Condition not met, with the present state for the error message.
    NotYet(String),
}

impl Probe<()> {
    /// [`Probe::Ready`] if `is_met`, else [`Probe::NotYet`] with `state`.
    pub fn of(is_met: bool, state: &str) -> Self {
        match is_met {
            true => Self::Ready(()),
            false => Self::NotYet(state.to_owned()),
        }
    }
}

/// Error of [`wait_until`] when its time limit has passed.
#[derive(Debug, thiserror::Error)]
#[error("timed out after {}; last state: {last}", humantime::format_duration(*.limit))]
pub struct TimedOut {
    /// Time limit that has passed.
    pub limit: Duration,
    /// State at the last check.
    pub last: String,
}

/// Runs `probe` until its condition is met, for at most `limit`. The error has the last
/// state.
pub fn wait_until<T>(
    limit: Duration,
    every: Duration,
    mut probe: impl FnMut() -> Probe<T>,
) -> Result<T, TimedOut> {
    let mut last = String::new();
    let Ok(found) = during::<T, Infallible>(limit, every, || {
        Ok(match probe() {
            Probe::Ready(value) => Some(value),
            Probe::NotYet(state) => {
                last = state;
                None
            }
        })
    });
    found.ok_or(TimedOut { limit, last })
}

/// Polls for `time`, once more at its end, and returns the first result; `None` if there
/// was none.
pub fn during<T, E>(
    time: Duration,
    every: Duration,
    mut poll: impl FnMut() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    let end = Instant::now() + time;
    loop {
        let result = poll()?;
        let left = end.saturating_duration_since(Instant::now());
        if result.is_some() || left.is_zero() {
            return Ok(result);
        }
        sleep(left.min(every));
    }
}

/// Polls until there is a result, without a time limit.
pub fn until<T, E>(
    every: Duration,
    mut poll: impl FnMut() -> Result<Option<T>, E>,
) -> Result<T, E> {
    loop {
        match poll()? {
            Some(result) => return Ok(result),
            None => sleep(every),
        }
    }
}

/// Polls until there is a result, without a time limit and without blocking the thread.
pub async fn until_async<T, E>(
    every: Duration,
    mut poll: impl FnMut() -> Result<Option<T>, E>,
) -> Result<T, E> {
    loop {
        match poll()? {
            Some(result) => return Ok(result),
            None => tokio::time::sleep(every).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn a_timeout_names_the_last_state() {
        let error = wait_until::<()>(TICK, TICK, || Probe::NotYet("port closed".to_owned()));
        assert!(error.unwrap_err().to_string().ends_with("last state: port closed"));
    }

    #[test]
    fn a_wait_ends_with_the_first_result() {
        let mut polls = 0;
        let mut third = || {
            polls += 1;
            Ok::<_, Infallible>((polls % 3 == 0).then_some(polls))
        };
        assert_eq!(during(LONG, TICK, &mut third), Ok(Some(3)));
        assert_eq!(until(TICK, &mut third), Ok(6));
    }

    #[test]
    fn an_error_ends_the_wait() {
        assert_eq!(during::<(), _>(LONG, TICK, || Err("interrupted")), Err("interrupted"));
        assert_eq!(until::<(), _>(TICK, || Err("interrupted")), Err("interrupted"));
    }

    #[test]
    fn polling_without_a_result_polls_once_more_at_the_end() {
        let began = Instant::now();
        let mut last = Duration::ZERO;
        let result = during::<(), Infallible>(3 * TICK, 2 * TICK, || {
            last = began.elapsed();
            Ok(None)
        });
        assert_eq!(result, Ok(None));
        assert!(last >= 3 * TICK, "{last:?}");
    }
}
