//! Runs of each version that are compared, and those that are left out.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decision::Pairing;
use crate::analysis::Report;
use crate::ids::RunId;
use crate::record::environment::short_commit;

/// Runs of one of the two SkyPilots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Side {
    /// Versions of SkyPilot, with the commit where it is known: one, or else the runs do not
    /// belong together.
    pub sky: Vec<String>,
    /// Runs that are compared, in the order of their pairs.
    pub runs: Vec<RunId>,
    /// Inconclusive runs, and the partners of such, which are left out.
    pub excluded: Vec<Excluded>,
}

/// Run that is left out of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Excluded {
    /// Run.
    pub run: RunId,
    /// Reason, in one clause.
    pub reason: String,
}

impl Side {
    /// Side with the reports that are compared. An inconclusive run takes its partner with it.
    pub(super) fn of<'a>(
        reports: &'a [Report],
        partners: &[Report],
        pairing: Pairing,
    ) -> (Self, Vec<&'a Report>) {
        let (mut used, mut excluded) = (Vec::new(), Vec::new());
        for (index, report) in reports.iter().enumerate() {
            let partner = partners.get(index).filter(|_| pairing == Pairing::InOrder);
            let of_partner = || {
                let partner = partner?;
                unusable(partner).map(|_| format!("its partner {} is left out", partner.run))
            };
            match unusable(report).or_else(of_partner) {
                None => used.push(report),
                Some(reason) => excluded.push(Excluded { run: report.run.clone(), reason }),
            }
        }
        let sky: BTreeSet<String> = reports.iter().filter_map(sky_of).collect();
        let runs = used.iter().map(|report| report.run.clone()).collect();
        (Self { sky: sky.into_iter().collect(), runs, excluded }, used)
    }

    /// Versions of SkyPilot in one phrase.
    pub fn name(&self) -> String {
        if self.sky.is_empty() { "unknown".to_owned() } else { self.sky.join(" and ") }
    }
}

/// SkyPilot under test in a run.
pub(super) fn sky_of(report: &Report) -> Option<String> {
    let sky = &report.environment.as_ref()?.sky;
    Some(match &sky.commit {
        Some(commit) => format!("{} ({})", sky.version, short_commit(commit)),
        None => sky.version.clone(),
    })
}

/// Reason to leave a run out: its measurements are invalid or incomplete.
pub fn unusable(report: &Report) -> Option<String> {
    let doubts = report.doubts();
    let first = doubts.first().map(|doubt| format!("inconclusive: {doubt}"));
    first.or_else(|| {
        report.environment.is_none().then(|| "no record of the SkyPilot under test".to_owned())
    })
}
