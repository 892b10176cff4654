//! A process that this one has started, and that does not outlive its guard.

use std::io;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use skyload::poll;

use super::scan;
use crate::signals::Interrupted;

/// How often it is looked at whether a child has ended.
pub(super) const GLANCE: Duration = Duration::from_millis(20);

/// A child that is killed when its guard is dropped, unless it has ended.
///
/// Nobody else waits for it, so its pid cannot become another's while it is used here.
#[derive(Debug)]
pub struct OwnedChild(Child);

impl OwnedChild {
    /// Starts a command.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        command.spawn().map(Self)
    }

    /// Its pid, also when it has ended.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Its piped input, for the first who asks.
    pub fn take_input(&mut self) -> Option<ChildStdin> {
        self.0.stdin.take()
    }

    /// Its piped output, for the first who asks.
    pub fn take_output(&mut self) -> Option<ChildStdout> {
        self.0.stdout.take()
    }

    /// How it ended; `None` while it runs.
    pub fn status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Whether it is known to run.
    pub fn is_running(&mut self) -> bool {
        matches!(self.status(), Ok(None))
    }

    /// Waits until it has ended, however long that takes.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.0.wait()
    }

    /// Waits until it has ended. Once somebody asks for an end, that is given to it: its
    /// failure would be no news.
    pub fn wait_unless(&mut self, interrupted: impl Fn() -> bool) -> Result<ExitStatus> {
        poll::until(GLANCE, || {
            let status = self.status().context("waiting for it")?;
            match status {
                // A Ctrl-C has reached it as well as us.
                Some(status) if !status.success() && interrupted() => Err(Interrupted.into()),
                None if interrupted() => {
                    self.end_with_descendants();
                    Err(Interrupted.into())
                }
                status => Ok(status),
            }
        })
    }

    /// Ends a tool, which may have files to remove, and then what is left of those that it
    /// has started.
    pub fn end_with_descendants(&mut self) {
        const WITHIN: Duration = Duration::from_secs(3);
        let descendants = scan::descendants(self.pid());
        self.end(Signal::SIGTERM, WITHIN);
        descendants.into_iter().for_each(scan::end);
    }

    /// Asks it to end by a signal, and kills it if it has not within a limit.
    pub fn end(&mut self, signal: Signal, within: Duration) {
        if self.is_running()
            && let Ok(pid) = i32::try_from(self.pid())
        {
            _ = kill(Pid::from_raw(pid), signal);
        }
        self.end_within(within);
    }

    /// Kills it if it has not ended by itself within a limit.
    pub fn end_within(&mut self, limit: Duration) {
        _ = poll::during(limit, GLANCE, || self.status());
        self.kill();
    }

    /// Kills it, and waits for that.
    pub fn kill(&mut self) {
        // Neither has anything to do for one that was waited for.
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
    fn a_tool_that_fails_after_a_ctrl_c_has_not_failed() {
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
    fn a_child_is_asked_before_it_is_killed() {
        let script = "trap 'exit 7' TERM; echo; while :; do sleep 0.01; done";
        let mut child = OwnedChild::spawn(shell(script).stdout(Stdio::piped())).unwrap();
        let mut said = child.take_output().unwrap();
        io::Read::read_exact(&mut said, &mut [0]).unwrap();
        child.end(Signal::SIGTERM, Duration::from_secs(60));
        assert_eq!(child.wait().unwrap().code(), Some(7));
    }

    #[test]
    fn a_child_that_does_not_listen_is_killed() {
        let script = "trap '' TERM; echo; while :; do sleep 0.01; done";
        let mut child = OwnedChild::spawn(shell(script).stdout(Stdio::piped())).unwrap();
        let mut said = child.take_output().unwrap();
        io::Read::read_exact(&mut said, &mut [0]).unwrap();
        child.end(Signal::SIGTERM, Duration::from_millis(1));
        assert!(!child.wait().unwrap().success());
    }
}
