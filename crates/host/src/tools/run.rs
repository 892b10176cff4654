//! Running a tool to its end, its output kept off the terminal.

use std::io::{self, BufRead, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use xshell::Cmd;

use super::cure;
use crate::process::child::OwnedChild;
use crate::progress::Step;
use crate::signals::{self, Interrupted};

/// How often it is looked at whether somebody has asked for an end.
const GLANCE: Duration = Duration::from_millis(50);

/// How much of a failed tool's output an error shows: enough for its last
/// message and what led to it.
const LINES_SHOWN: usize = 15;

/// A tool that has ended, well or not.
#[derive(Debug)]
pub struct Finished {
    command: String,
    status: ExitStatus,
    /// What it wrote to both of its outputs, in that order.
    pub output: String,
}

impl Finished {
    /// Whether it exited with 0.
    pub fn succeeded(&self) -> bool {
        self.status.success()
    }

    /// What it wrote, or an error with the end of that and a cure if one is known.
    pub fn into_output(self) -> Result<String> {
        if self.succeeded() { Ok(self.output) } else { Err(self.failure()) }
    }

    /// The error that says how this tool failed.
    pub fn failure(&self) -> anyhow::Error {
        let lines: Vec<&str> = self.output.lines().collect();
        let shown = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
        let mut message = format!("`{}` failed ({})", self.command, self.status);
        for line in shown {
            message.push_str("\n    ");
            message.push_str(line);
        }
        if let Some(cure) = cure::for_output(&self.output) {
            message.push_str("\n  hint: ");
            message.push_str(cure);
        }
        anyhow!(message)
    }
}

/// Runs `command`, showing its newest line of output as what `step` is at.
///
/// It stays in our process group, so that the terminal's Ctrl-C ends it too. Once somebody
/// has asked for an end, it is ended, or not started: that is an [`Interrupted`], and no
/// failure that there may be another way around.
pub fn run(command: Cmd<'_>, step: &Step) -> Result<Finished> {
    run_unless(command, step, signals::end_is_asked_for)
}

fn run_unless(command: Cmd<'_>, step: &Step, interrupted: impl Fn() -> bool) -> Result<Finished> {
    if interrupted() {
        return Err(Interrupted.into());
    }
    let shown = command.to_string();
    let starting = || format!("starting `{shown}`");
    let (reader, writer) = io::pipe().with_context(starting)?;
    let mut command = Command::from(command);
    command.stdin(Stdio::null()).stdout(writer.try_clone().with_context(starting)?).stderr(writer);
    let mut child = OwnedChild::spawn(&mut command).with_context(starting)?;
    // It holds our copies of the pipe's writing end: with one of them open, the
    // reader would wait for ever.
    drop(command);

    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        // A read error ends the listening, never the waiting for the child.
        let mut lines = BufReader::new(reader).split(b'\n').map_while(Result::ok);
        while lines.next().is_some_and(|line| sender.send(line).is_ok()) {}
    });
    let mut output = String::new();
    loop {
        match lines.recv_timeout(GLANCE) {
            Ok(line) => note(&line, &mut output, step),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if interrupted() {
            child.end_with_descendants();
            return Err(Interrupted.into());
        }
    }
    let status =
        child.wait_unless(interrupted).with_context(|| format!("waiting for `{shown}`"))?;
    Ok(Finished { command: shown, status, output })
}

/// Keeps a line of output, and shows it.
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
    fn both_outputs_are_kept_in_order() {
        let finished = run_script("echo one; echo two >&2; echo three");
        assert_eq!(finished.into_output().unwrap(), "one\ntwo\nthree\n");
    }

    #[test]
    fn a_tool_is_ended_when_somebody_asks_for_an_end() {
        let (shell, folder) = (Shell::new().unwrap(), tempfile::tempdir().unwrap());
        let begun = folder.path().join("begun");
        let script = format!(": > {}; exec sleep 600", begun.display());
        let step = Progress::new().step("a script");
        let asked_for = || begun.exists();
        let error = run_unless(cmd!(shell, "sh -c {script}"), &step, asked_for).unwrap_err();
        assert!(error.is::<Interrupted>(), "{error:#}");
        // Nor is another attempt made.
        let error = run_unless(cmd!(shell, "skyload-no-such"), &step, asked_for).unwrap_err();
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
    fn a_failure_that_has_a_known_cure_names_it() {
        let error = run_script("echo 'No space left on device'; exit 1").failure().to_string();
        assert!(error.contains("hint: the disk is full"), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let shell = Shell::new().unwrap();
        let step = Progress::new().step("nothing");
        let error = run(cmd!(shell, "skyload-no-such-program"), &step).unwrap_err();
        assert!(format!("{error:#}").contains("starting `skyload-no-such-program`"));
    }
}
