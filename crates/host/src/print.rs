//! What a command answers, on standard output: as JSON or as text.
//!
//! Whoever reads it may stop at any time (`| head`): that is no error, and changes no exit
//! code. Anything else that keeps it from being written is one.

use std::io::{self, ErrorKind, StdoutLock, Write as _, stdout};

use anyhow::{Context as _, Result};
use serde::Serialize;

/// Writes a value as JSON, with the end of a line.
pub fn json(what: &str, value: &impl Serialize) -> Result<()> {
    text(what, |out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        writeln!(out)
    })
}

/// Writes a text.
pub fn text(
    what: &str,
    write: impl FnOnce(&mut StdoutLock<'static>) -> io::Result<()>,
) -> Result<()> {
    let mut out = stdout().lock();
    // What is still held back would be lost in silence.
    let written = write(&mut out).and_then(|()| out.flush());
    unless_unread(written).with_context(|| format!("writing {what}"))
}

fn unless_unread(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reader_that_has_gone_is_no_error() {
        assert!(unless_unread(Err(ErrorKind::BrokenPipe.into())).is_ok());
        assert!(unless_unread(Err(ErrorKind::StorageFull.into())).is_err());
    }
}
