//! Ctrl-C as a flag: the run ends early and in good order.
//!
//! The default action of these signals runs no destructor, and destructors are
//! what stops servers here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use nix::libc::{SIGHUP, SIGINT, SIGTERM};

/// Whether somebody asked for an end.
#[derive(Clone)]
pub(crate) struct Signals(Arc<AtomicBool>);

impl Signals {
    /// Takes over Ctrl-C, SIGTERM and SIGHUP for the rest of the process's life.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&asked))
                .context("listening for signals")?;
        }
        Ok(Self(asked))
    }

    /// Whether somebody asked for an end.
    pub(crate) fn interrupted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Returns an error once somebody has asked for an end: for the time in which
    /// there is nothing yet to report on.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.interrupted() { Err(Interrupted.into()) } else { Ok(()) }
    }

    /// Carries out `work` until it is done or somebody asks for an end.
    pub(crate) async fn unless_interrupted<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> anyhow::Result<T> {
        let asked = async {
            while !self.interrupted() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            done = work => Ok(done),
            () = asked => Err(Interrupted.into()),
        }
    }

    /// What came of a command. A Ctrl-C reaches compilers and installers, too: that they
    /// failed after it is no news.
    pub(crate) fn excuse<T>(&self, result: anyhow::Result<T>) -> anyhow::Result<T> {
        result.map_err(|error| match self.interrupted() {
            true if !error.is::<Interrupted>() => error.context(Interrupted),
            _ => error,
        })
    }
}

/// The run was interrupted before there was anything to report on.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted before there was a result")
    }
}

impl std::error::Error for Interrupted {}
