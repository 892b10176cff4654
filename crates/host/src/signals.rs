//! Ctrl-C, SIGTERM and SIGHUP as a flag, so that a run ends early but cleanly.
//!
//! The default action of these signals runs no destructors, and destructors stop the servers
//! that a run has started.

use std::convert::Infallible;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use nix::libc::{SIGHUP, SIGINT, SIGTERM};
use skyload::poll;

/// Flags of this process's signal handlers, once installed. Global because a signal concerns
/// the whole process, including code that waits for a tool and was not passed a [`Signals`].
static INSTALLED: OnceLock<Signals> = OnceLock::new();

/// Interval at which waits check for a signal.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Whether this process was interrupted by a signal; `false` as long as no handlers are
/// installed.
pub fn is_interrupted() -> bool {
    INSTALLED.get().is_some_and(Signals::interrupted)
}

/// Flags that are set when a signal asks this process to end.
#[derive(Clone)]
pub struct Signals {
    received: Arc<AtomicBool>,
    /// Whether a signal was received since the last [`Signals::acknowledge`].
    unacknowledged: Arc<AtomicBool>,
}

impl Signals {
    /// Installs handlers of SIGINT, SIGTERM and SIGHUP for the rest of the process's life.
    /// SIGINT and SIGHUP stay ignored if they were at the start: `nohup` ignores SIGHUP, and
    /// shells ignore SIGINT for background jobs.
    pub fn listen() -> anyhow::Result<Self> {
        let signals = Self { received: Arc::default(), unacknowledged: Arc::default() };
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            if signal != SIGTERM && is_ignored(&status, signal) {
                continue;
            }
            for flag in [&signals.received, &signals.unacknowledged] {
                signal_hook::flag::register(signal, Arc::clone(flag))
                    .context("listening for signals")?;
            }
        }
        // A second call returns the first flags, since `is_interrupted` reads only those.
        Ok(INSTALLED.get_or_init(|| signals).clone())
    }

    /// Whether a signal was received.
    pub fn interrupted(&self) -> bool {
        // Relaxed, since the flag guards no other data.
        self.received.load(Ordering::Relaxed)
    }

    /// Acknowledges the signals received so far: only a later one counts as
    /// [`Self::interrupted_again`].
    pub fn acknowledge(&self) {
        self.unacknowledged.store(false, Ordering::Relaxed);
    }

    /// Whether a signal was received since the last [`Self::acknowledge`].
    pub fn interrupted_again(&self) -> bool {
        self.unacknowledged.load(Ordering::Relaxed)
    }

    /// Returns [`Interrupted`] once a signal was received. Meant for the part of a run that
    /// has no results to report yet.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.interrupted() { Err(Interrupted.into()) } else { Ok(()) }
    }

    /// Waits for `time`, or until a signal is received.
    pub fn wait(&self, time: Duration) -> anyhow::Result<()> {
        poll::during(time, POLL_INTERVAL, || self.check().map(|()| None::<()>))?;
        Ok(())
    }

    /// Runs `work` until it is done or a signal is received.
    pub async fn unless_interrupted<T>(&self, work: impl Future<Output = T>) -> anyhow::Result<T> {
        let interrupted = poll::until_async(POLL_INTERVAL, || {
            Ok::<_, Infallible>(self.interrupted().then_some(()))
        });
        tokio::select! {
            done = work => Ok(done),
            _ = interrupted => Err(Interrupted.into()),
        }
    }

    /// Result of a command, its error marked as [`Interrupted`] if a signal was received. A
    /// terminal sends Ctrl-C to compilers and installers too, so their failure is expected.
    pub fn mark_interrupted<T>(&self, result: anyhow::Result<T>) -> anyhow::Result<T> {
        result.map_err(|error| match self.interrupted() {
            true if !error.is::<Interrupted>() => error.context(Interrupted),
            _ => error,
        })
    }
}

/// Whether a process ignores `signal`, by the `SigIgn` mask of its `/proc/PID/status`.
fn is_ignored(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // The lowest bit of the mask stands for signal 1.
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

/// Error of a run that was interrupted before it had results to report.
#[derive(Debug)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted before there was a result")
    }
}

impl std::error::Error for Interrupted {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_mask() {
        let status = "Name:\txtask\nSigBlk:\t0000000000000003\nSigIgn:\t0000000000001001\n";
        assert!(is_ignored(status, SIGHUP));
        assert!(!is_ignored(status, SIGINT));
        assert!(is_ignored(status, nix::libc::SIGPIPE));
        assert!(!is_ignored("", SIGHUP));
    }
}
