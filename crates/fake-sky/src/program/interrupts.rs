//! Interruption of a request by SIGTERM, which a cancellation sends to the request's executor.
//!
//! The signal is blocked, so that it ends no process: SkyPilot's executors ignore it while they
//! run no request.

use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::Context;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// End of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// End of the time.
    Elapsed,
    /// SIGTERM.
    Interrupted,
}

/// SIGTERMs of this process.
#[derive(Debug)]
pub(super) struct Interrupts(SignalFd);

impl Interrupts {
    /// Blocks SIGTERM in this thread, and in those that it starts.
    pub(super) fn take() -> anyhow::Result<Self> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGTERM);
        signals.thread_block().context("blocking SIGTERM")?;
        let descriptor = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK);
        descriptor.map(Self).context("opening a descriptor of SIGTERM")
    }

    /// Discards the signals that have arrived.
    pub(super) fn discard(&self) {
        while matches!(self.0.read_signal(), Ok(Some(_))) {}
    }

    /// Waits for a time, or until a signal arrives.
    pub(super) fn wait(&self, time: Duration) -> Ended {
        // Longer times than poll(2) knows are those of daemons, which never end.
        let limit = PollTimeout::try_from(time).unwrap_or(PollTimeout::NONE);
        let mut descriptors = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        loop {
            match poll(&mut descriptors, limit) {
                Err(Errno::EINTR) => {}
                Ok(1..) => {
                    self.discard();
                    return Ended::Interrupted;
                }
                _ => return Ended::Elapsed,
            }
        }
    }
}
