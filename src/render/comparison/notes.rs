//! Lines on the runs of a comparison, for all renderers.

use crate::comparison::{
    AttributionComparison, Comparison, ComparisonVerdict, KillComparison, Looks, Pairing, Role,
};
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

/// Number of packages up to which all renderers show each.
pub(in crate::render) const FEW_PACKAGES: usize = 10;

/// Number of packages that differ, with the first names; `None` if none do.
pub(in crate::render) fn packages(comparison: &Comparison) -> Option<String> {
    const NAMED: usize = 5;
    let packages = comparison.packages.as_ref()?;
    let count = match packages.len() {
        0 => return None,
        1 => "1 package differs".to_owned(),
        several => format!("{several} packages differ"),
    };
    let names: Vec<&str> = packages.iter().take(NAMED).map(|package| &*package.name).collect();
    let names = names.join(", ");
    Some(match packages.len().saturating_sub(NAMED) {
        0 => format!("{count}: {names}"),
        more => format!("{count}: {names} and {more} more"),
    })
}

/// Warnings: runs that are left out, with what failed in them, and conditions by which a change may not be SkyPilot's.
pub(in crate::render) fn warnings(comparison: &Comparison) -> Vec<String> {
    let sides = [("base", &comparison.base), ("candidate", &comparison.candidate)];
    let excluded = sides.into_iter().flat_map(|(name, side)| {
        side.excluded.iter().map(move |it| format!("left out of the {name}: {it}"))
    });
    let disturbances = comparison
        .disturbances()
        .map(|it| format!("not equal in all runs: {}", comparison.in_words(it)));
    disturbances.chain(excluded).collect()
}

/// Notes: metrics that should decide and were not measured, conditions that may differ because of
/// SkyPilot's version, failed thresholds that the base lacks, kills at the server's size, and packages
/// and requests that are unknown.
pub(in crate::render) fn notes(comparison: &Comparison) -> Vec<String> {
    // Without runs nothing was measured, and nothing is known.
    if [&comparison.base, &comparison.candidate].iter().any(|side| side.runs.is_empty()) {
        return Vec::new();
    }
    let not_measured = comparison.not_measured.iter();
    let not_measured = not_measured.map(|it| format!("does not decide, not measured: {it}"));
    let of_skypilot = comparison.differences.iter().filter(|it| it.may_be_skypilots);
    let of_skypilot =
        of_skypilot.map(|it| format!("differs, maybe by SkyPilot: {}", comparison.in_words(it)));
    let unknown = comparison.packages.is_none().then(|| {
        "packages not compared: those of the base or the candidate are unknown".to_owned()
    });
    let unjudged = comparison.unjudged.iter();
    let unjudged =
        unjudged.map(|it| format!("threshold that the base lacks, failed in the candidate: {it}"));
    let of_metrics = not_measured.chain(of_skypilot);
    let of_failures = unjudged.chain(kills(comparison));
    of_metrics.chain(of_failures).chain(unknown).chain(unread_executors(comparison)).collect()
}

/// Note on kills at the server's size, unless the verdict's reason names them.
fn kills(comparison: &Comparison) -> Option<String> {
    let KillComparison { runs_of_base, runs_of_candidate } = comparison.kills;
    let is_named = comparison.kills.is_new() && comparison.verdict == ComparisonVerdict::Worse;
    (runs_of_base + runs_of_candidate > 0 && !is_named).then(|| {
        format!(
            "the kernel killed processes at the server's size in {} of the base and {} of the \
             candidate: their memory is missing",
            counted(runs_of_base, "run"),
            counted(runs_of_candidate, "run")
        )
    })
}

/// Note that requests are not compared because only one version has readings of executors.
fn unread_executors(comparison: &Comparison) -> Option<String> {
    let AttributionComparison { runs_of_base, runs_of_candidate, .. } = comparison.attribution;
    let version = match (runs_of_base, runs_of_candidate) {
        (0, 1..) => Role::Base,
        (1.., 0) => Role::Candidate,
        _ => return None,
    };
    let version = version.name();
    Some(format!("cost per request not compared: no run of the {version} read executors"))
}
