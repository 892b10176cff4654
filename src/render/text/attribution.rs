//! Executors' memory by the requests that they ran, in the text report.

use std::io::{self, Write};

use super::{INDENT, one_line};
use crate::analysis::Attribution;
use crate::render::tables::attribution;

/// Writes the largest peak of each class of executors with its cause.
pub(super) fn causes(attribution: Option<&Attribution>, out: &mut impl Write) -> io::Result<()> {
    let lines = attribution.into_iter().flat_map(attribution::lines_of_causes);
    lines.into_iter().try_for_each(|line| writeln!(out, "{INDENT}{line}"))
}

/// Writes the tables: spread over executors, and cost of each kind of request.
pub(super) fn tables(attribution: Option<&Attribution>, out: &mut impl Write) -> io::Result<()> {
    let Some(attribution) = attribution else { return Ok(()) };
    writeln!(out, "\nEXECUTORS: idle RSS and peak, in MiB")?;
    attribution::spread(attribution).text(INDENT, out)?;
    let Some(costs) = attribution::costs(attribution) else { return Ok(()) };
    writeln!(out, "\nCOST PER REQUEST: growth of executors in MiB, CPU time in seconds")?;
    costs.with_texts(one_line).text(INDENT, out)
}
