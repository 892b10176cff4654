//! What a command answers, on standard output: as JSON or as text.

use std::io::{self, StdoutLock, Write as _, stdout};

use anyhow::{Context as _, Result};
use serde::Serialize;

/// Writes a value as JSON, with the end of a line.
pub(crate) fn json(what: &str, value: &impl Serialize) -> Result<()> {
    text(what, |out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        writeln!(out)
    })
}

/// Writes a text.
pub(crate) fn text(
    what: &str,
    write: impl FnOnce(&mut StdoutLock<'static>) -> io::Result<()>,
) -> Result<()> {
    write(&mut stdout().lock()).with_context(|| format!("writing {what}"))
}
