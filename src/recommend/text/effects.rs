//! Effects of a recommendation, as a table.

use std::io::{self, Write};

use super::super::{Effects, MachineEffect, Recommendation, Workers};
use super::INDENT;
use crate::render::table::Table;
use crate::units::{ByteSize, as_gib};

/// Writes the numbers of workers that SkyPilot starts before and after, or why they are unknown.
pub(super) fn write(recommendation: &Recommendation, out: &mut impl Write) -> io::Result<()> {
    let (consolidated, machines) = match &recommendation.effects {
        Effects::NotAsked => return Ok(()),
        Effects::Unknown(reason) => {
            return writeln!(out, "\nWORKERS with the recommended constants: unknown, {reason}");
        }
        Effects::Known { consolidated, machines, .. } => (*consolidated, machines),
    };
    let jobs = if consolidated { "inside of the server" } else { "on a separate machine" };
    writeln!(
        out,
        "\nWORKERS, present -> recommended constants, by SkyPilot's formulas (managed jobs {jobs}, as \
         in the runs)"
    )?;
    let headings =
        ["machine", "mode", "web workers", "long", "short", "controllers", "all at peak, GiB"];
    let mut rows = Table::new(&headings, 2);
    for effect in machines {
        rows.row(effect_row(recommendation, effect));
    }
    rows.text(INDENT, out)?;
    let burst = machines.iter().map(|effect| effect.after.burst).max().unwrap_or(0);
    if burst > 0 {
        writeln!(
            out,
            "  Servers in local mode start up to {burst} more executors of each kind, each for one \
             request; the sums leave them out."
        )?;
    }
    Ok(())
}

fn effect_row(recommendation: &Recommendation, effect: &MachineEffect) -> Vec<String> {
    let MachineEffect { machine, mode, before, after } = effect;
    let count = |of: fn(&Workers) -> u32| arrow(&of(before).to_string(), &of(after).to_string());
    let controllers = |workers: &Workers| {
        workers.controllers.map_or_else(|| "-".to_owned(), |count| count.to_string())
    };
    let at_peak = |workers: &Workers| {
        let sum: Option<ByteSize> = recommendation.at_peak(*mode, workers);
        sum.map_or_else(|| "-".to_owned(), |sum| format!("{:.1}", as_gib(sum)))
    };
    vec![
        machine.to_string(),
        mode.name().to_owned(),
        count(|workers| workers.server),
        count(|workers| workers.long),
        count(|workers| workers.short),
        arrow(&controllers(before), &controllers(after)),
        arrow(&at_peak(before), &at_peak(after)),
    ]
}

/// Cell such as `36 -> 44`, or `36` if nothing changes.
fn arrow(before: &str, after: &str) -> String {
    if before == after { before.to_owned() } else { format!("{before} -> {after}") }
}
