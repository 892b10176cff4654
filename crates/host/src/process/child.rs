//! Child processes that do not outlive their guard.

use std::io;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use skyload::poll;

use super::scan;
use crate::signals::Interrupted;

/// Interval at which waits check whether a child has exited.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Child process that is killed when dropped, unless it has exited.
///
/// Only this guard reaps the child, so the pid cannot be reused while the guard signals it.
#[derive(Debug)]
pub struct OwnedChild(Child);

impl OwnedChild {
    /// Starts `command` as a child.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        command.spawn().map(Self)
    }

    /// Pid of the child, also after it has exited.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Write end of the child's piped standard input; `None` from the second call on.
    pub fn take_input(&mut self) -> Option<ChildStdin> {
        self.0.stdin.take()
    }

    /// Read end of the child's piped standard output; `None` from the second call on.
    pub fn take_output(&mut self) -> Option<ChildStdout> {
        self.0.stdout.take()
    }

    /// Exit status of the child; `None` while it runs.
    pub fn status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Whether the child still runs; `false` also if that cannot be determined.
    pub fn is_running(&mut self) -> bool {
        matches!(self.status(), Ok(None))
    }

    /// Waits without a limit until the child has exited.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.0.wait()
    }

    /// Waits until the child has exited. Once `interrupted` is true, ends the child and its
    /// descendants and returns [`Interrupted`], also if the child failed by itself.
    pub fn wait_unless(&mut self, interrupted: impl Fn() -> bool) -> Result<ExitStatus> {
        poll::until(POLL_INTERVAL, || {
            let status = self.status().context("waiting for the process")?;
            match status {
                // A terminal sends Ctrl-C to the child too, so its failure is expected.
                Some(status) if !status.success() && interrupted() => Err(Interrupted.into()),
                None if interrupted() => {
                    self.end_with_descendants();
                    Err(Interrupted.into())
                }
                status => Ok(status),
            }
        })
    }

    /// Ends the child by SIGTERM, so that it can remove temporary files, then kills its
    /// descendants that still run.
    pub fn end_with_descendants(&mut self) {
        const WITHIN: Duration = Duration::from_secs(3);
        // Listed first: descendants of a process that has exited get another parent.
        let descendants = scan::descendants(self.pid());
        self.end(Signal::SIGTERM, WITHIN);
        descendants.into_iter().for_each(scan::end);
    }

    /// Sends `signal` to the child, and kills it if it has not exited within a limit.
    pub fn end(&mut self, signal: Signal, within: Duration) {
        if self.is_running()
            && let Ok(pid) = i32::try_from(self.pid())
        {
            // An error is ignored: the child is killed below in any case.
            _ = kill(Pid::from_raw(pid), signal);
        }
        self.end_within(within);
    }

    /// Waits for the child to exit by itself, and kills it after a limit.
    pub fn end_within(&mut self, limit: Duration) {
        // After an error the child is killed as well.
        _ = poll::during(limit, POLL_INTERVAL, || self.status());
        self.kill();
    }

    /// Kills the child and waits until it has exited.
    pub fn kill(&mut self) {
        // Both do nothing for a child that was reaped before.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

impl Drop for OwnedChild {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use skyload::ids::ProcessIdentity;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_tool_that_fails_after_a_ctrl_c_counts_as_interrupted() {
        let mut child = OwnedChild::spawn(&mut shell("exit 1")).unwrap();
        child.wait().unwrap();
        assert!(child.wait_unless(|| true).unwrap_err().is::<Interrupted>());
        assert!(child.wait_unless(|| false).is_ok());
    }

    #[test]
    fn a_child_does_not_outlive_its_guard() {
        let child = OwnedChild::spawn(&mut shell("exec sleep 600")).unwrap();
        let identity = ProcessIdentity::of(child.pid()).unwrap();
        drop(child);
        assert!(!identity.is_alive());
    }

    #[test]
    fn a_child_gets_the_signal_before_it_is_killed() {
        let script = "trap 'exit 7' TERM; echo; while :; do sleep 0.01; done";
        let mut child = OwnedChild::spawn(shell(script).stdout(Stdio::piped())).unwrap();
        let mut output = child.take_output().unwrap();
        io::Read::read_exact(&mut output, &mut [0]).unwrap();
        child.end(Signal::SIGTERM, Duration::from_secs(60));
        assert_eq!(child.wait().unwrap().code(), Some(7));
    }

    #[test]
    fn a_child_that_ignores_the_signal_is_killed() {
        let script = "trap '' TERM; echo; while :; do sleep 0.01; done";
        let mut child = OwnedChild::spawn(shell(script).stdout(Stdio::piped())).unwrap();
        let mut output = child.take_output().unwrap();
        io::Read::read_exact(&mut output, &mut [0]).unwrap();
        child.end(Signal::SIGTERM, Duration::from_millis(1));
        assert!(!child.wait().unwrap().success());
    }
}
