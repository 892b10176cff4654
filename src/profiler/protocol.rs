//! Protocol between the profiler and its parent: one JSON value per line, commands on the
//! profiler's standard input, notices on its standard output.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde::{Deserialize, Serialize};

use super::ProfilerError;
use crate::clock::Timestamp;
use crate::record::profile::{Phase, Window};
use crate::units::ByteSize;

/// Command from the parent to the profiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Reads PSS and USS of all processes at the end of a phase.
    Snapshot {
        /// Phase that ends.
        phase: Phase,
    },
    /// Resets the peaks of the server's processes (`clear_refs`), so that the window has
    /// peaks of its own. Ends the window before, if there is one.
    BeginWindow {
        /// Window that begins.
        window: Window,
    },
    /// Writes the samples so far, those that wait to be thinned included. Has no reply.
    Flush,
    /// Takes a last sample, completes the files, and exits.
    Finish,
}

/// Notice from the profiler to its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Notice {
    /// First sample taken.
    Ready,
    /// Snapshot written.
    SnapshotTaken {
        /// Phase of the snapshot.
        phase: Phase,
    },
    /// Peaks reset.
    WindowBegan {
        /// Window that began.
        window: Window,
    },
    /// Exit of the root process. The rest of its tree is still sampled.
    ServerGone {
        /// Time of the sample that noticed the exit.
        at: Timestamp,
    },
    /// Available memory below [`super::ProfilerOptions::memory_floor`]. Sent once.
    MemoryFloor {
        /// Available memory, in bytes: obtainable without swapping, within the memory limit
        /// of the server's control groups.
        available: ByteSize,
    },
    /// Files complete; the profiler exits.
    Finished,
}

/// Writes one command or notice, and flushes it.
///
/// # Errors
///
/// If the receiver has closed its end.
pub fn send<T: Serialize>(mut to: impl Write, message: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

/// Parses one command or notice.
///
/// # Errors
///
/// If the line is not a `T`.
pub fn parse<T: for<'de> Deserialize<'de>>(line: &str) -> serde_json::Result<T> {
    serde_json::from_str(line)
}

/// Reads commands in a thread of its own, so that no sample waits for a read.
/// The channel closes when `commands` ends.
pub(super) fn listen(
    commands: impl Read + Send + 'static,
) -> io::Result<Receiver<Result<Command, ProfilerError>>> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("commands".to_owned()).spawn(move || {
        for line in BufReader::new(commands).lines() {
            let command = match line {
                Ok(line) if line.trim().is_empty() => continue,
                Ok(line) => parse(&line)
                    .map_err(|source| ProfilerError::NotACommand { line: line.clone(), source }),
                Err(error) => Err(ProfilerError::Commands(error)),
            };
            let is_last = command.is_err();
            if sender.send(command).is_err() || is_last {
                return;
            }
        }
    })?;
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_one_line() {
        let mut sent = Vec::new();
        send(&mut sent, &Command::Snapshot { phase: Phase::Load }).unwrap();
        send(&mut sent, &Command::Finish).unwrap();
        let text = String::from_utf8(sent).unwrap();
        assert_eq!(
            text,
            "{\"command\":\"snapshot\",\"phase\":\"load\"}\n{\"command\":\"finish\"}\n"
        );
        assert_eq!(parse::<Command>(text.lines().last().unwrap()).unwrap(), Command::Finish);
    }

    #[test]
    fn malformed_commands_do_not_panic() {
        let mut sent = Vec::new();
        send(&mut sent, &Command::Snapshot { phase: Phase::Load }).unwrap();
        crate::changes::try_changes(&sent, |line| {
            let line = String::from_utf8_lossy(line);
            (_, _) = (parse::<Command>(&line), parse::<Notice>(&line));
        });
    }

    #[test]
    fn the_channel_closes_when_the_commands_end() {
        let receiver = listen(&b"{\"command\":\"finish\"}\n\n"[..]).unwrap();
        assert_eq!(receiver.recv().unwrap().unwrap(), Command::Finish);
        assert!(receiver.recv().is_err());
    }

    #[test]
    fn an_invalid_command_is_quoted_in_the_error() {
        let receiver = listen(&b"stop!\n"[..]).unwrap();
        let error = receiver.recv().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "expected a command of the profiler, got `stop!`");
    }
}
