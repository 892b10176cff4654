//! What measuring cost.

use std::io::{self, Write};

use crate::render::tables::overhead::Cost;

/// Says nothing where nobody noted a cost.
pub(super) fn render(costs: impl Iterator<Item = Cost>, out: &mut impl Write) -> io::Result<()> {
    let mut costs = costs.peekable();
    if costs.peek().is_some() {
        writeln!(out, "\nOVERHEAD")?;
    }
    for (whose, cost) in costs {
        writeln!(out, "  {whose}: {cost}")?;
    }
    Ok(())
}
