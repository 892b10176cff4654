//! Result of a command on standard output, as JSON or as text.
//!
//! A reader that closes the pipe early (`| head`) is not an error and does not change the exit
//! code. Any other write error is one.

use std::io::{self, ErrorKind, StdoutLock, Write as _, stdout};

use anyhow::{Context as _, Result};
use serde::Serialize;

/// Writes `value` as indented JSON with a final newline; `what` names the result in errors.
pub fn json(what: &str, value: &impl Serialize) -> Result<()> {
    text(what, |out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        writeln!(out)
    })
}

/// Writes a text to standard output; `what` names the text in errors.
pub fn text(
    what: &str,
    write: impl FnOnce(&mut StdoutLock<'static>) -> io::Result<()>,
) -> Result<()> {
    let mut out = stdout().lock();
    // Rust ignores errors when it flushes standard output at exit.
    let written = write(&mut out).and_then(|()| out.flush());
    ignore_broken_pipe(written).with_context(|| format!("writing {what}"))
}

fn ignore_broken_pipe(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_pipe_is_no_error() {
        assert!(ignore_broken_pipe(Err(ErrorKind::BrokenPipe.into())).is_ok());
        assert!(ignore_broken_pipe(Err(ErrorKind::StorageFull.into())).is_err());
    }
}
