//! Table of machines and the requests that a server runs at once, in the form of SkyPilot's
//! documentation.

use std::io::{self, Write};

use super::super::{Effects, MachineEffect, Mode, Recommendation};
use super::INDENT;
use crate::render::table::Table;
use crate::units::as_gib;

/// Writes the numbers of requests that servers in deploy mode run at once with the present
/// constants, if they are known.
pub(super) fn write(recommendation: &Recommendation, out: &mut impl Write) -> io::Result<()> {
    let Effects::Known { machines, .. } = &recommendation.effects else { return Ok(()) };
    let deployed = machines.iter().filter(|effect| effect.mode == Mode::Deploy);
    let headings = [
        "CPU / memory",
        "max long requests",
        "max short requests",
        "all at peak, GiB",
        "short that fit at peak",
    ];
    let mut rows = Table::new(&headings, 1);
    deployed.for_each(|effect| rows.row(row(recommendation, effect)));
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nCONCURRENT REQUESTS of a server in deploy mode, present constants")?;
    rows.text(INDENT, out)
}

fn row(recommendation: &Recommendation, effect: &MachineEffect) -> Vec<String> {
    let MachineEffect { machine, mode, before, .. } = effect;
    let unknown = || "-".to_owned();
    let at_peak = recommendation.at_peak(*mode, before);
    let fit = recommendation.short_that_fit(effect, before);
    vec![
        format!("{} / {}Gi", machine.cpus, machine.gibibytes()),
        before.long.to_string(),
        before.short.to_string(),
        at_peak.map_or_else(unknown, |sum| format!("{:.1}", as_gib(sum))),
        fit.map_or_else(unknown, |count| count.to_string()),
    ]
}
