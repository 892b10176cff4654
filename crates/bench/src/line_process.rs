//! Child process with a line protocol on its standard input and output.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use host::process::child::OwnedChild;
use skyload::profiler::protocol;

/// Time limit for the next line. Generous, for a saturated machine: on an idle one, a
/// psutil sample of hundreds of processes takes a fraction of a second.
const LINE_TIMEOUT: Duration = Duration::from_secs(60);

/// Child process. Each such program exits at the end of its input, so none outlives this
/// process.
pub(crate) struct LineProcess {
    child: OwnedChild,
    input: Option<ChildStdin>,
    /// Lines of the output; disconnected at its end.
    lines: Receiver<std::io::Result<String>>,
}

impl LineProcess {
    /// Starts `command`. Errors call it `name`.
    pub(crate) fn start(mut command: Command, name: &str) -> Result<Self> {
        let starting = || format!("starting the {name}");
        // Ctrl-C at the terminal must only reach this program, which then ends the child.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = OwnedChild::spawn(&mut command).with_context(starting)?;
        let input = child.take_input();
        let output = child.take_output().map(BufReader::new);
        let (sender, lines) = channel();
        let process = Self { child, input, lines };
        let output = output.with_context(starting)?;
        // In a thread, because reading from a pipe has no timeout; receiving has one.
        std::thread::spawn(move || output.lines().try_for_each(|line| sender.send(line)));
        Ok(process)
    }

    /// Process id of the child.
    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Sends one message, as a line of JSON.
    pub(crate) fn send(&mut self, message: &impl serde::Serialize) -> Result<()> {
        let input = self.input.as_mut().context("the child's input is closed")?;
        protocol::send(input, message).context("sending a message to the child")
    }

    /// Next line of the output; `None` at its end.
    pub(crate) fn next_line(&mut self) -> Result<Option<String>> {
        self.next_line_within(LINE_TIMEOUT)
    }

    fn next_line_within(&mut self, timeout: Duration) -> Result<Option<String>> {
        match self.lines.recv_timeout(timeout) {
            Ok(line) => Ok(Some(line.context("reading the child's output")?.trim_end().to_owned())),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                bail!("no output of the child within {}", humantime::format_duration(timeout))
            }
        }
    }

    /// Closes the child's input.
    pub(crate) fn close(&mut self) {
        self.input = None;
    }

    /// Closes the child's input, and waits until the child has exited.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.close();
        let status = self.child.wait().context("waiting for the child's exit")?;
        ensure!(status.success(), "the child failed: {status}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_for_a_silent_process_times_out() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exec sleep 600"]);
        let mut process = LineProcess::start(command, "psutil loop").unwrap();
        let error = process.next_line_within(Duration::from_millis(10)).unwrap_err().to_string();
        assert_eq!(error, "no output of the child within 10ms");
    }
}
