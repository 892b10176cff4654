//! Commands that are waited for: not longer than a limit, and not past a Ctrl-C.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use skyload::ids::ProcessIdentity;
use skyload::poll::{Probe, wait_until};

use crate::processes::{self, add_descendants, look_around, parents};
use crate::signals::{self, Interrupted};

/// How often it is looked at whether a command has ended.
const GLANCE: Duration = Duration::from_millis(20);

/// How a command came to its end.
#[derive(Debug)]
pub(crate) enum Ran {
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
pub(crate) fn run(
    command: &mut Command,
    within: Duration,
    interrupted: impl Fn() -> bool,
) -> Result<Ran> {
    let mut output = file()?;
    command.stdin(Stdio::null()).stdout(shared(&output)?).stderr(shared(&output)?).process_group(0);
    let mut child = command.spawn().context("starting it")?;
    let end = Instant::now() + within;
    let status = loop {
        if let Some(status) = child.try_wait().context("waiting for it")? {
            break Some(status);
        }
        if interrupted() {
            end_now(&mut child);
            return Ok(Ran::Interrupted);
        }
        if Instant::now() >= end {
            end_now(&mut child);
            break None;
        }
        std::thread::sleep(GLANCE);
    };
    let text = all_of(&mut output)?;
    Ok(match status {
        Some(status) => Ran::Ended(status, text),
        None => Ran::TimedOut(text),
    })
}

/// Runs a tool to its end, or to that which somebody asks for: a compiler takes minutes.
/// It stays in our process group, so that a terminal's Ctrl-C ends it, too.
pub(crate) fn output(command: &mut Command) -> Result<Output> {
    output_unless(command, signals::end_is_asked_for)
}

fn output_unless(command: &mut Command, interrupted: impl Fn() -> bool) -> Result<Output> {
    let (mut stdout, mut stderr) = (file()?, file()?);
    command.stdin(Stdio::null()).stdout(shared(&stdout)?).stderr(shared(&stderr)?);
    if interrupted() {
        return Err(Interrupted.into());
    }
    let mut child = command.spawn().context("starting it")?;
    let status = wait_unless(&mut child, &interrupted)?;
    Ok(Output { status, stdout: all_of(&mut stdout)?, stderr: all_of(&mut stderr)? })
}

/// Waits until a child has ended. Once somebody asks for an end, that is given to the
/// child: its failure would be no news.
pub(crate) fn wait_unless(child: &mut Child, interrupted: impl Fn() -> bool) -> Result<ExitStatus> {
    loop {
        let ended = child.try_wait().context("waiting for it")?;
        match ended {
            // A Ctrl-C has reached it as well as us.
            Some(status) if !status.success() && interrupted() => return Err(Interrupted.into()),
            Some(status) => return Ok(status),
            None if interrupted() => {
                end_in_good_order(child);
                return Err(Interrupted.into());
            }
            None => std::thread::sleep(GLANCE),
        }
    }
}

/// Ends a tool, which may have files to remove, and then what is left of those that it has
/// started.
pub(crate) fn end_in_good_order(child: &mut Child) {
    const WITHIN: Duration = Duration::from_secs(3);
    let descendants = descendants(child.id());
    if let Ok(pid) = i32::try_from(child.id()) {
        _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    let ended = wait_until(WITHIN, GLANCE, || match child.try_wait() {
        Ok(None) => Probe::NotYet("it is still there".to_owned()),
        _ => Probe::Ready(()),
    });
    if ended.is_err() {
        end_now(child);
    }
    descendants.into_iter().for_each(processes::end);
}

fn descendants(of: u32) -> Vec<ProcessIdentity> {
    let Ok(system) = look_around() else { return Vec::new() };
    let mut found = HashSet::from([of]);
    add_descendants(&mut found, &parents(&system));
    found.remove(&of);
    found.into_iter().filter_map(ProcessIdentity::of).collect()
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

fn end_now(child: &mut Child) {
    _ = child.kill();
    _ = child.wait();
}

#[cfg(test)]
mod tests {
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
    fn a_tool_that_fails_after_a_ctrl_c_has_not_failed() {
        let mut child = shell("exit 1").spawn().unwrap();
        child.wait().unwrap();
        assert!(wait_unless(&mut child, || true).unwrap_err().is::<Interrupted>());
        assert!(wait_unless(&mut child, || false).is_ok());
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let ran = run(&mut shell("echo begun; exec sleep 600"), Duration::from_secs(1), || false);
        assert!(matches!(ran.unwrap(), Ran::TimedOut(output) if output == b"begun\n"));
        let ran = run(&mut shell("exec sleep 600"), LONG, || true).unwrap();
        assert!(matches!(ran, Ran::Interrupted));
    }
}
