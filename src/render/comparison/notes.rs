//! Lines on the runs of a comparison, for all renderers.

use crate::comparison::{Comparison, Excluded, Looks, Pairing};
use crate::units::counted;

/// Runs that are compared, and how often they were looked at, in one phrase.
pub(in crate::render) fn basis(comparison: &Comparison) -> String {
    let [base, candidate] = [&comparison.base, &comparison.candidate].map(|side| side.runs.len());
    let runs = match comparison.pairing {
        Pairing::InOrder => counted(base, "pair"),
        Pairing::Unpaired => {
            format!("{} and {candidate}, not in pairs", counted(base, "run"))
        }
    };
    match comparison.looks {
        Looks::Once => runs,
        Looks::AfterEachPair { most } => format!("{runs} of at most {most}"),
    }
}

/// Warnings: runs that are left out, and conditions by which a change may not be SkyPilot's.
pub(in crate::render) fn warnings(comparison: &Comparison) -> Vec<String> {
    let sides = [("base", &comparison.base), ("candidate", &comparison.candidate)];
    let excluded = sides.into_iter().flat_map(|(name, side)| {
        let line =
            move |it: &Excluded| format!("left out of the {name}: {}: {}", it.run, it.reason);
        side.excluded.iter().map(line)
    });
    let disturbances = comparison
        .disturbances()
        .map(|it| format!("not equal in all runs: {}", comparison.in_words(it)));
    disturbances.chain(excluded).collect()
}

/// Notes: metrics that should decide and were not measured, and conditions that may differ
/// because of SkyPilot's version.
pub(in crate::render) fn notes(comparison: &Comparison) -> Vec<String> {
    let not_measured = comparison.not_measured.iter();
    let not_measured = not_measured.map(|it| format!("does not decide, not measured: {it}"));
    let of_skypilot = comparison.differences.iter().filter(|it| it.may_be_skypilots);
    let of_skypilot =
        of_skypilot.map(|it| format!("differs, maybe by SkyPilot: {}", comparison.in_words(it)));
    not_measured.chain(of_skypilot).collect()
}
