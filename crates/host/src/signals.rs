//! Ctrl-C as a flag: the run ends early and in good order.
//!
//! The default action of these signals runs no destructor, and destructors are
//! what stops servers here.

use std::convert::Infallible;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use nix::libc::{SIGHUP, SIGINT, SIGTERM};
use skyload::poll;

/// Those of this process, once they are taken over: signals are sent to processes, and
/// whoever waits for a tool deep below a command is to hear them, too.
static TAKEN_OVER: OnceLock<Signals> = OnceLock::new();

/// How often it is looked at whether somebody asks for an end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whether somebody asked this process for an end, so far as it is for us to hear.
pub fn end_is_asked_for() -> bool {
    TAKEN_OVER.get().is_some_and(Signals::interrupted)
}

/// Whether somebody asked for an end.
#[derive(Clone)]
pub struct Signals {
    asked: Arc<AtomicBool>,
    /// The same, for as long as nobody has taken note of it.
    anew: Arc<AtomicBool>,
}

impl Signals {
    /// Takes over Ctrl-C, SIGTERM and SIGHUP for the rest of the process's life. Those
    /// that whoever started us has us ignore stay ignored, as `nohup` wants it of SIGHUP
    /// and a shell of SIGINT for what it runs in the background.
    pub fn listen() -> anyhow::Result<Self> {
        let signals = Self { asked: Arc::default(), anew: Arc::default() };
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            if signal != SIGTERM && is_ignored(&status, signal) {
                continue;
            }
            for flag in [&signals.asked, &signals.anew] {
                signal_hook::flag::register(signal, Arc::clone(flag))
                    .context("listening for signals")?;
            }
        }
        Ok(TAKEN_OVER.get_or_init(|| signals).clone())
    }

    /// Whether somebody asked for an end.
    pub fn interrupted(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Takes note of what has been asked for: from now on, only a further signal counts
    /// as [`Self::interrupted_again`].
    pub fn note(&self) {
        self.anew.store(false, Ordering::Relaxed);
    }

    /// Whether somebody asked for an end since that was last taken note of.
    pub fn interrupted_again(&self) -> bool {
        self.anew.load(Ordering::Relaxed)
    }

    /// Returns an error once somebody has asked for an end: for the time in which
    /// there is nothing yet to report on.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.interrupted() { Err(Interrupted.into()) } else { Ok(()) }
    }

    /// Waits for a measured time, unless somebody asks for an end.
    pub fn wait(&self, time: Duration) -> anyhow::Result<()> {
        poll::during(time, LOOK_EVERY, || self.check().map(|()| None::<()>))?;
        Ok(())
    }

    /// Carries out `work` until it is done or somebody asks for an end.
    pub async fn unless_interrupted<T>(&self, work: impl Future<Output = T>) -> anyhow::Result<T> {
        let asked =
            poll::until_async(LOOK_EVERY, || Ok::<_, Infallible>(self.interrupted().then_some(())));
        tokio::select! {
            done = work => Ok(done),
            _ = asked => Err(Interrupted.into()),
        }
    }

    /// What came of a command. A Ctrl-C reaches compilers and installers, too: that they
    /// failed after it is no news.
    pub fn excuse<T>(&self, result: anyhow::Result<T>) -> anyhow::Result<T> {
        result.map_err(|error| match self.interrupted() {
            true if !error.is::<Interrupted>() => error.context(Interrupted),
            _ => error,
        })
    }
}

/// Whether `/proc/PID/status` says that a signal is ignored.
fn is_ignored(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

/// The run was interrupted before there was anything to report on.
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
    fn ignored_signals_are_bits_of_a_mask() {
        let status = "Name:\txtask\nSigBlk:\t0000000000000003\nSigIgn:\t0000000000001001\n";
        assert!(is_ignored(status, SIGHUP));
        assert!(!is_ignored(status, SIGINT));
        assert!(is_ignored(status, nix::libc::SIGPIPE));
        assert!(!is_ignored("", SIGHUP));
    }
}
