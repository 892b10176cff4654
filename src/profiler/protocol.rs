//! What the profiler and its parent say to each other: one JSON value a line,
//! commands on the profiler's standard input, notices on its standard output.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde::{Deserialize, Serialize};

use super::ProfilerError;
use crate::clock::Timestamp;
use crate::record::profile::{Phase, Window};
use crate::units::ByteSize;

/// What the parent can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Read the proportional memory of all processes, since a phase ends.
    Snapshot {
        /// The phase.
        phase: Phase,
    },
    /// Lower the high-water marks of the server's processes: what begins is to have peaks
    /// of its own. Ends the window before, if any began.
    BeginWindow {
        /// What begins.
        window: Window,
    },
    /// Take a last look, write everything down, and end.
    Finish,
}

/// What the profiler tells its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Notice {
    /// The first tick was taken.
    Ready,
    /// A snapshot was written down.
    SnapshotTaken {
        /// The phase that it was asked for.
        phase: Phase,
    },
    /// Marks were lowered.
    WindowBegan {
        /// What began.
        window: Window,
    },
    /// The server's main process is not there any more. The rest of its tree is
    /// still watched.
    ServerGone {
        /// When that was noticed.
        at: Timestamp,
    },
    /// Less memory than the floor is available. Said once.
    MemoryFloor {
        /// Memory that could still be had without swapping.
        available: ByteSize,
    },
    /// Everything is written down; the profiler ends.
    Finished,
}

/// Writes one command or notice, so that the other side can read it at once.
///
/// # Errors
///
/// When the other side is gone.
pub fn send<T: Serialize>(mut to: impl Write, message: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

/// Reads one command or notice.
///
/// # Errors
///
/// When the line is neither.
pub fn parse<T: for<'de> Deserialize<'de>>(line: &str) -> serde_json::Result<T> {
    serde_json::from_str(line)
}

/// Reads commands in a thread of its own, so that no tick ever waits for one.
/// The channel closes when the commands end.
pub(super) fn listen(
    commands: impl Read + Send + 'static,
) -> io::Result<Receiver<Result<Command, ProfilerError>>> {
    let (orders, inbox) = mpsc::channel();
    thread::Builder::new().name("commands".to_owned()).spawn(move || {
        for line in BufReader::new(commands).lines() {
            let order = match line {
                Ok(line) if line.trim().is_empty() => continue,
                Ok(line) => parse(&line)
                    .map_err(|source| ProfilerError::NotACommand { line: line.clone(), source }),
                Err(error) => Err(ProfilerError::Commands(error)),
            };
            let is_last = order.is_err();
            if orders.send(order).is_err() || is_last {
                return;
            }
        }
    })?;
    Ok(inbox)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_readable_line_each() {
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
    fn no_command_is_too_odd_to_be_read() {
        let mut sent = Vec::new();
        send(&mut sent, &Command::Snapshot { phase: Phase::Load }).unwrap();
        crate::changes::try_changes(&sent, |line| {
            let line = String::from_utf8_lossy(line);
            (_, _) = (parse::<Command>(&line), parse::<Notice>(&line));
        });
    }

    #[test]
    fn the_channel_closes_when_the_parent_is_gone() {
        let inbox = listen(&b"{\"command\":\"finish\"}\n\n"[..]).unwrap();
        assert_eq!(inbox.recv().unwrap().unwrap(), Command::Finish);
        assert!(inbox.recv().is_err());
    }

    #[test]
    fn a_line_that_is_no_command_is_named_in_the_error() {
        let inbox = listen(&b"stop!\n"[..]).unwrap();
        let error = inbox.recv().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "`stop!` is not a command of the profiler");
    }
}
