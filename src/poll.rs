//! Waiting for something to become true, with a limit and a reason.

use std::time::{Duration, Instant};

/// What a probe found.
#[derive(Debug)]
pub enum Probe<T> {
    /// It is true now.
    Ready(T),
    /// It is not; this is how things stand.
    NotYet(String),
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
    let end = Instant::now() + limit;
    loop {
        match probe() {
            Probe::Ready(value) => return Ok(value),
            Probe::NotYet(last) if Instant::now() >= end => {
                return Err(TimedOut { limit, last });
            }
            Probe::NotYet(_) => std::thread::sleep(every),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_out_tells_how_things_stood() {
        let tick = Duration::from_millis(1);
        let error = wait_until::<()>(tick, tick, || Probe::NotYet("port closed".to_owned()));
        assert!(error.unwrap_err().to_string().ends_with("last: port closed"));
    }
}
