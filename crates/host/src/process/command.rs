//! Commands that run until they exit, a time limit passes or a signal arrives.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use skyload::poll;

use super::child::{OwnedChild, POLL_INTERVAL};
use crate::signals::{self, Interrupted};

/// Outcome of a command, with the combined output.
#[derive(Debug)]
pub enum Ran {
    /// Command exited by itself.
    Ended(ExitStatus, Vec<u8>),
    /// Command was killed because its time limit passed.
    TimedOut(Vec<u8>),
    /// Command was killed because of an interruption.
    Interrupted,
}

/// Runs a command with a time limit and returns its standard output and error, combined.
///
/// The output goes to a file: a process that the command leaves running would keep a pipe open.
/// The command gets a process group of its own, so a terminal's Ctrl-C does not reach it: only
/// `interrupted` ends it early.
pub fn run(command: &mut Command, within: Duration, interrupted: impl Fn() -> bool) -> Result<Ran> {
    let mut output = file()?;
    command.stdin(Stdio::null()).stdout(shared(&output)?).stderr(shared(&output)?).process_group(0);
    let mut child = OwnedChild::spawn(command).context("starting the command")?;
    // `Some(None)`: interrupted; `None`: timed out.
    let outcome = poll::during(within, POLL_INTERVAL, || {
        Ok::<_, anyhow::Error>(match child.status().context("waiting for the command")? {
            Some(status) => Some(Some(status)),
            None => interrupted().then_some(None),
        })
    })?;
    // A command that timed out or was interrupted still runs here.
    child.kill();
    let text = all_of(&mut output)?;
    Ok(match outcome {
        Some(Some(status)) => Ran::Ended(status, text),
        Some(None) => Ran::Interrupted,
        None => Ran::TimedOut(text),
    })
}

/// Runs a tool without a time limit, until it exits or this process is interrupted. The tool
/// stays in this process group, so a terminal's Ctrl-C reaches it too.
pub fn output(command: &mut Command) -> Result<Output> {
    output_unless(command, signals::is_interrupted)
}

fn output_unless(command: &mut Command, interrupted: impl Fn() -> bool) -> Result<Output> {
    // Files: the wait below reads no pipe, and a tool blocks when a pipe is full.
    let (mut stdout, mut stderr) = (file()?, file()?);
    command.stdin(Stdio::null()).stdout(shared(&stdout)?).stderr(shared(&stderr)?);
    if interrupted() {
        return Err(Interrupted.into());
    }
    let status =
        OwnedChild::spawn(command).context("starting the command")?.wait_unless(interrupted)?;
    Ok(Output { status, stdout: all_of(&mut stdout)?, stderr: all_of(&mut stderr)? })
}

fn file() -> Result<File> {
    tempfile::tempfile().context("creating a file for the command's output")
}

fn shared(file: &File) -> Result<File> {
    // The copies share one position in the file, so outputs are appended and not overwritten.
    file.try_clone().context("sharing the file for the command's output")
}

fn all_of(file: &mut File) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    file.rewind()
        .and_then(|()| file.read_to_end(&mut text))
        .context("reading the command's output")?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use skyload::ids::ProcessIdentity;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn both_outputs_and_the_status_are_returned() {
        let ran = run(&mut shell("echo one; echo two >&2; exit 3"), LONG, || false).unwrap();
        let Ran::Ended(status, output) = ran else { panic!("{ran:?}") };
        assert_eq!((status.code(), output.as_slice()), (Some(3), &b"one\ntwo\n"[..]));
    }

    #[test]
    fn a_leaked_process_is_not_waited_for() {
        let ran = run(&mut shell("sleep 60 & echo $!"), LONG, || false).unwrap();
        let Ran::Ended(_, output) = ran else { panic!("{ran:?}") };
        let pid = String::from_utf8(output).unwrap().trim().parse().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL).unwrap();
    }

    #[test]
    fn descendants_of_an_interrupted_tool_are_ended() {
        let folder = tempfile::tempdir().unwrap();
        let started = folder.path().join("pid");
        let script =
            format!("sleep 600 & echo $! > {0}.new; mv {0}.new {0}; wait", started.display());
        let error = output_unless(&mut shell(&script), || started.exists());
        assert!(error.unwrap_err().is::<Interrupted>());
        let pid = std::fs::read_to_string(started).unwrap().trim().parse().unwrap();
        assert_eq!(ProcessIdentity::of(pid).filter(|process| process.is_alive()), None);
    }

    #[test]
    fn a_command_that_hangs_is_killed() {
        let ran = run(&mut shell("echo begun; exec sleep 600"), Duration::from_secs(1), || false);
        assert!(matches!(ran.unwrap(), Ran::TimedOut(output) if output == b"begun\n"));
        let ran = run(&mut shell("exec sleep 600"), LONG, || true).unwrap();
        assert!(matches!(ran, Ran::Interrupted));
    }
}
