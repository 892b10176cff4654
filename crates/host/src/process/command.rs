//! Commands that are waited for: not longer than a limit, and not past a Ctrl-C.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use skyload::poll;

use super::child::{GLANCE, OwnedChild};
use crate::signals::{self, Interrupted};

/// How a command came to its end.
#[derive(Debug)]
pub enum Ran {
    /// By itself.
    Ended(ExitStatus, Vec<u8>),
    /// Its limit ran out, so it was ended.
    TimedOut(Vec<u8>),
    /// It was ended since somebody asked for an end.
    Interrupted,
}

/// Runs a command, and returns what it wrote to both of its outputs.
///
/// They go to a file, not to a pipe: a process that the command leaves behind would
/// hold that open. In a process group of its own, so that a Ctrl-C does not cut it off
/// half-way unless `interrupted` says so.
pub fn run(command: &mut Command, within: Duration, interrupted: impl Fn() -> bool) -> Result<Ran> {
    let mut output = file()?;
    command.stdin(Stdio::null()).stdout(shared(&output)?).stderr(shared(&output)?).process_group(0);
    let mut child = OwnedChild::spawn(command).context("starting it")?;
    // Its status, or none where it is not waited for any longer.
    let seen = poll::during(within, GLANCE, || {
        Ok::<_, anyhow::Error>(match child.status().context("waiting for it")? {
            Some(status) => Some(Some(status)),
            None => interrupted().then_some(None),
        })
    })?;
    child.kill();
    let text = all_of(&mut output)?;
    Ok(match seen {
        Some(Some(status)) => Ran::Ended(status, text),
        Some(None) => Ran::Interrupted,
        None => Ran::TimedOut(text),
    })
}

/// Runs a tool to its end, or to that which somebody asks for: a compiler takes minutes.
/// It stays in our process group, so that a terminal's Ctrl-C ends it, too.
pub fn output(command: &mut Command) -> Result<Output> {
    output_unless(command, signals::end_is_asked_for)
}

fn output_unless(command: &mut Command, interrupted: impl Fn() -> bool) -> Result<Output> {
    let (mut stdout, mut stderr) = (file()?, file()?);
    command.stdin(Stdio::null()).stdout(shared(&stdout)?).stderr(shared(&stderr)?);
    if interrupted() {
        return Err(Interrupted.into());
    }
    let status = OwnedChild::spawn(command).context("starting it")?.wait_unless(interrupted)?;
    Ok(Output { status, stdout: all_of(&mut stdout)?, stderr: all_of(&mut stderr)? })
}

fn file() -> Result<File> {
    tempfile::tempfile().context("making a file for its output")
}

fn shared(file: &File) -> Result<File> {
    file.try_clone().context("sharing the file of its output")
}

fn all_of(file: &mut File) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut text)).context("reading its output")?;
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
    fn both_outputs_and_the_status_are_kept() {
        let ran = run(&mut shell("echo one; echo two >&2; exit 3"), LONG, || false).unwrap();
        let Ran::Ended(status, output) = ran else { panic!("{ran:?}") };
        assert_eq!((status.code(), output.as_slice()), (Some(3), &b"one\ntwo\n"[..]));
    }

    #[test]
    fn a_process_that_is_left_behind_is_not_waited_for() {
        let ran = run(&mut shell("sleep 60 & echo $!"), LONG, || false).unwrap();
        let Ran::Ended(_, output) = ran else { panic!("{ran:?}") };
        let pid = String::from_utf8(output).unwrap().trim().parse().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL).unwrap();
    }

    #[test]
    fn what_a_tool_has_started_ends_with_it() {
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
    fn a_command_that_hangs_is_ended() {
        let ran = run(&mut shell("echo begun; exec sleep 600"), Duration::from_secs(1), || false);
        assert!(matches!(ran.unwrap(), Ran::TimedOut(output) if output == b"begun\n"));
        let ran = run(&mut shell("exec sleep 600"), LONG, || true).unwrap();
        assert!(matches!(ran, Ran::Interrupted));
    }
}
