//! Ctrl-C as a flag: measuring ends early, and every process that was started with it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Whether somebody asked for an end.
pub(crate) struct Interrupts(Arc<AtomicBool>);

impl Interrupts {
    /// Takes over Ctrl-C, SIGTERM and SIGHUP, but for those that this process was started
    /// to ignore.
    pub(crate) fn listen() -> Result<Self> {
        let asked = Arc::default();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            if signal == SIGTERM || !is_ignored(&status, signal) {
                signal_hook::flag::register(signal, Arc::clone(&asked))
                    .context("listening for signals")?;
            }
        }
        Ok(Self(asked))
    }

    /// An error once somebody has asked for an end.
    pub(crate) fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(Interrupted.into()) } else { Ok(()) }
    }

    /// Waits for a measured time, unless somebody asks for an end.
    pub(crate) fn wait(&self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        loop {
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(LOOK_EVERY));
        }
    }

    /// Carries out `work` until it is done or somebody asks for an end.
    pub(crate) async fn unless_asked<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        let asked = async {
            loop {
                if let Err(asked) = self.check() {
                    return asked;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            done = work => Ok(done),
            asked = asked => Err(asked),
        }
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whether `/proc/PID/status` says that a signal is ignored.
fn is_ignored(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

/// Somebody asked for an end before there was a result.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted before there was a result")
    }
}

impl std::error::Error for Interrupted {}
