//! A child that is told things, and answers, line by line.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use host::process::child::OwnedChild;
use skyload::profiler::protocol;

/// How long an answer may take, even on a machine that is saturated: a tick of psutil's
/// over hundreds of processes takes a fraction of a second on an idle one.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// The child. It ends with its owner: each of them ends when its input does.
pub(crate) struct LineProcess {
    child: OwnedChild,
    input: Option<ChildStdin>,
    /// Its lines, as they come; closed when it says no more.
    lines: Receiver<std::io::Result<String>>,
}

impl LineProcess {
    /// Starts `command`, which is called `what` in errors.
    pub(crate) fn start(mut command: Command, what: &str) -> Result<Self> {
        let starting = || format!("starting the {what}");
        // A terminal's Ctrl-C is for this program, which then ends the child.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = OwnedChild::spawn(&mut command).with_context(starting)?;
        let input = child.take_input();
        let output = child.take_output().map(BufReader::new);
        let (sender, lines) = channel();
        let process = Self { child, input, lines };
        let output = output.with_context(starting)?;
        // Reading has no limit of time, receiving has.
        std::thread::spawn(move || output.lines().try_for_each(|line| sender.send(line)));
        Ok(process)
    }

    /// The pid of the child.
    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Sends one message, as a line of JSON.
    pub(crate) fn say(&mut self, message: &impl serde::Serialize) -> Result<()> {
        let input = self.input.as_mut().context("its input was closed")?;
        protocol::send(input, message).context("speaking to a process that has ended")
    }

    /// The next line; `None` where no more come.
    pub(crate) fn line(&mut self) -> Result<Option<String>> {
        self.line_within(ANSWER_WITHIN)
    }

    fn line_within(&mut self, limit: Duration) -> Result<Option<String>> {
        match self.lines.recv_timeout(limit) {
            Ok(line) => Ok(Some(line.context("reading what it says")?.trim_end().to_owned())),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                bail!("it said nothing within {}", humantime::format_duration(limit))
            }
        }
    }

    /// Ends its input.
    pub(crate) fn close(&mut self) {
        self.input = None;
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.close();
        let status = self.child.wait().context("waiting for the end of a process")?;
        ensure!(status.success(), "a process ended with {status}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_says_nothing_is_not_waited_for_for_ever() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exec sleep 600"]);
        let mut process = LineProcess::start(command, "psutil loop").unwrap();
        let error = process.line_within(Duration::from_millis(10)).unwrap_err().to_string();
        assert_eq!(error, "it said nothing within 10ms");
    }
}
