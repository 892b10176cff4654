//! Waiting for something: with a limit and a reason, for a time, or until somebody has an
//! answer.
//!
//! Whatever else is to end a wait is asked for together with what is waited for, so that
//! no wait is deaf: a question that fails ends it, too.

use std::convert::Infallible;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What a probe found.
#[derive(Debug)]
pub enum Probe<T> {
    /// It is true now.
    Ready(T),
    /// It is not; this is how things stand.
    NotYet(String),
}

impl Probe<()> {
    /// Ready when `is_true`, and else how things stand.
    pub fn of(is_true: bool, otherwise: &str) -> Self {
        match is_true {
            true => Self::Ready(()),
            false => Self::NotYet(otherwise.to_owned()),
        }
    }
}

/// It did not become true in time.
#[derive(Debug, thiserror::Error)]
#[error("not within {}; last: {last}", humantime::format_duration(*.limit))]
pub struct TimedOut {
    /// How long was waited.
    pub limit: Duration,
    /// How things stood at the end.
    pub last: String,
}

/// Probes until it is true, at most for `limit`. The last state goes into the
/// error: a time-out that doesn't say what was waited for helps nobody.
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

/// Asks for as long as `time`, at its end as well, and returns the first answer; `None`
/// when the time is over.
pub fn during<T, E>(
    time: Duration,
    every: Duration,
    mut ask: impl FnMut() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    let end = Instant::now() + time;
    loop {
        let answer = ask()?;
        let left = end.saturating_duration_since(Instant::now());
        if answer.is_some() || left.is_zero() {
            return Ok(answer);
        }
        sleep(left.min(every));
    }
}

/// Asks until there is an answer, however long that takes.
pub fn until<T, E>(every: Duration, mut ask: impl FnMut() -> Result<Option<T>, E>) -> Result<T, E> {
    loop {
        match ask()? {
            Some(answer) => return Ok(answer),
            None => sleep(every),
        }
    }
}

/// The same beside other work of the thread.
pub async fn until_async<T, E>(
    every: Duration,
    mut ask: impl FnMut() -> Result<Option<T>, E>,
) -> Result<T, E> {
    loop {
        match ask()? {
            Some(answer) => return Ok(answer),
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
    fn a_time_out_tells_how_things_stood() {
        let error = wait_until::<()>(TICK, TICK, || Probe::NotYet("port closed".to_owned()));
        assert!(error.unwrap_err().to_string().ends_with("last: port closed"));
    }

    #[test]
    fn a_wait_ends_with_the_first_answer() {
        let mut asked = 0;
        let mut third = || {
            asked += 1;
            Ok::<_, Infallible>((asked % 3 == 0).then_some(asked))
        };
        assert_eq!(during(LONG, TICK, &mut third), Ok(Some(3)));
        assert_eq!(until(TICK, &mut third), Ok(6));
    }

    #[test]
    fn a_question_that_fails_ends_the_wait() {
        assert_eq!(during::<(), _>(LONG, TICK, || Err("interrupted")), Err("interrupted"));
        assert_eq!(until::<(), _>(TICK, || Err("interrupted")), Err("interrupted"));
    }

    #[test]
    fn a_time_that_is_over_is_no_answer_and_is_asked_at_its_end() {
        let began = Instant::now();
        let mut last = Duration::ZERO;
        let answer = during::<(), Infallible>(3 * TICK, 2 * TICK, || {
            last = began.elapsed();
            Ok(None)
        });
        assert_eq!(answer, Ok(None));
        assert!(last >= 3 * TICK, "{last:?}");
    }
}
