//! Commands that are waited for: not longer than a limit, and not past a Ctrl-C.

use std::io::{Read as _, Seek as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

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
    let mut output = tempfile::tempfile().context("making a file for its output")?;
    command
        .stdin(Stdio::null())
        .stdout(output.try_clone().context("sharing the file of its output")?)
        .stderr(output.try_clone().context("sharing the file of its output")?)
        .process_group(0);
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
    let mut text = Vec::new();
    output.rewind().and_then(|()| output.read_to_end(&mut text)).context("reading its output")?;
    Ok(match status {
        Some(status) => Ran::Ended(status, text),
        None => Ran::TimedOut(text),
    })
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
    fn a_command_that_hangs_is_ended() {
        let ran = run(&mut shell("echo begun; exec sleep 600"), Duration::from_secs(1), || false);
        assert!(matches!(ran.unwrap(), Ran::TimedOut(output) if output == b"begun\n"));
        let ran = run(&mut shell("exec sleep 600"), LONG, || true).unwrap();
        assert!(matches!(ran, Ran::Interrupted));
    }
}
