//! Execution of tools, with their output as progress instead of on the terminal.

use std::io::{self, BufRead, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use xshell::Cmd;

use super::hint;
use crate::process::child::OwnedChild;
use crate::progress::Step;
use crate::signals::{self, Interrupted};

/// Interval at which a wait for a tool's output checks for an interruption.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Number of a failed tool's last lines that an error shows: the message and its context.
const LINES_SHOWN: usize = 15;

/// Tool that has exited, successfully or not.
#[derive(Debug)]
pub struct Finished {
    command: String,
    status: ExitStatus,
    /// Lines of standard output and error, in the order in which they were written.
    pub output: String,
}

impl Finished {
    /// Whether the tool exited with status 0.
    pub fn succeeded(&self) -> bool {
        self.status.success()
    }

    /// Output of a tool that succeeded, else [`Self::failure`].
    pub fn into_output(self) -> Result<String> {
        if self.succeeded() { Ok(self.output) } else { Err(self.failure()) }
    }

    /// Error with the command, its status, the last lines of its output, and a hint if the
    /// failure is known.
    pub fn failure(&self) -> anyhow::Error {
        let lines: Vec<&str> = self.output.lines().collect();
        let shown = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
        let mut message = format!("`{}` failed ({})", self.command, self.status);
        for line in shown {
            message.push_str("\n    ");
            message.push_str(line);
        }
        if let Some(hint) = hint::for_output(&self.output) {
            message.push_str("\n  hint: ");
            message.push_str(hint);
        }
        anyhow!(message)
    }
}

/// Runs `command` until it exits, and shows its newest line of output as the state of `step`.
///
/// The command stays in this process group, so a terminal's Ctrl-C reaches it too. When this
/// process is interrupted, the command is ended, or not started, and the error is
/// [`Interrupted`], so that callers do not try an alternative.
pub fn run(command: Cmd<'_>, step: &Step) -> Result<Finished> {
    run_unless(command, step, signals::is_interrupted)
}

fn run_unless(command: Cmd<'_>, step: &Step, interrupted: impl Fn() -> bool) -> Result<Finished> {
    if interrupted() {
        return Err(Interrupted.into());
    }
    let shown = command.to_string();
    let starting = || format!("starting `{shown}`");
    // One pipe for both outputs, so that their lines keep the order.
    let (reader, writer) = io::pipe().with_context(starting)?;
    let mut command = Command::from(command);
    command.stdin(Stdio::null()).stdout(writer.try_clone().with_context(starting)?).stderr(writer);
    let mut child = OwnedChild::spawn(&mut command).with_context(starting)?;
    // Drops the write ends of the pipe in this process: with one of them open, the reader
    // would never see the end of the output.
    drop(command);

    // Reading a pipe has no time limit: a thread reads, and this one checks for interruptions.
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        // A read error ends this thread; the child is waited for below in any case.
        let mut lines = BufReader::new(reader).split(b'\n').map_while(Result::ok);
        while lines.next().is_some_and(|line| sender.send(line).is_ok()) {}
    });
    let mut output = String::new();
    loop {
        match lines.recv_timeout(POLL_INTERVAL) {
            Ok(line) => note(&line, &mut output, step),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if interrupted() {
            child.end_with_descendants();
            return Err(Interrupted.into());
        }
    }
    // A tool may close its outputs before it exits.
    let status =
        child.wait_unless(interrupted).with_context(|| format!("waiting for `{shown}`"))?;
    Ok(Finished { command: shown, status, output })
}

/// Appends a line to `output` and shows it as the state of `step`.
fn note(line: &[u8], output: &mut String, step: &Step) {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_end();
    if !line.is_empty() {
        step.update(line);
    }
    output.push_str(line);
    output.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;
    use xshell::{Shell, cmd};

    fn run_script(script: &str) -> Finished {
        let shell = Shell::new().unwrap();
        let step = Progress::new().step("a script");
        run(cmd!(shell, "sh -c {script}"), &step).unwrap()
    }

    #[test]
    fn both_outputs_are_returned_in_order() {
        let finished = run_script("echo one; echo two >&2; echo three");
        assert_eq!(finished.into_output().unwrap(), "one\ntwo\nthree\n");
    }

    #[test]
    fn an_interrupted_tool_is_ended() {
        let (shell, folder) = (Shell::new().unwrap(), tempfile::tempdir().unwrap());
        let begun = folder.path().join("begun");
        let script = format!(": > {}; exec sleep 600", begun.display());
        let step = Progress::new().step("a script");
        let interrupted = || begun.exists();
        let error = run_unless(cmd!(shell, "sh -c {script}"), &step, interrupted).unwrap_err();
        assert!(error.is::<Interrupted>(), "{error:#}");
        // A further tool is not even started.
        let error = run_unless(cmd!(shell, "skyload-no-such"), &step, interrupted).unwrap_err();
        assert!(error.is::<Interrupted>(), "{error:#}");
    }

    #[test]
    fn a_failure_shows_the_end_of_the_output() {
        let error = run_script("seq 100; exit 3").into_output().unwrap_err().to_string();
        assert!(error.contains("exit status: 3"), "{error}");
        assert!(error.contains("\n    86\n") && error.ends_with("\n    100"), "{error}");
        assert!(!error.contains("\n    85\n"), "{error}");
    }

    #[test]
    fn a_known_failure_has_a_hint() {
        let error = run_script("echo 'No space left on device'; exit 1").failure().to_string();
        assert!(error.contains("hint: the disk is full"), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let shell = Shell::new().unwrap();
        let step = Progress::new().step("nothing");
        let error = run(cmd!(shell, "skyload-no-such-program"), &step).unwrap_err();
        assert!(format!("{error:#}").contains("starting `skyload-no-such-program`"));
    }
}
