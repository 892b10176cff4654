//! Runs of each version that are compared, and those that are left out.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decision::Pairing;
use super::excluded::Excluded;
use super::measured_run::MeasuredRun;
use crate::ids::RunId;

/// Runs of one of the two SkyPilots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Side {
    /// Versions of SkyPilot, with the commit where it is known: one, or else the runs do not
    /// belong together.
    pub sky: Vec<String>,
    /// Runs that are compared, in the order of their pairs.
    pub runs: Vec<RunId>,
    /// Runs that are left out: inconclusive ones, and their partners.
    pub excluded: Vec<Excluded>,
}

impl Side {
    /// Side with the runs that are compared. An inconclusive run takes its partner with it.
    pub(super) fn of<'a>(
        runs: &'a [MeasuredRun],
        partners: &[MeasuredRun],
        pairing: Pairing,
    ) -> (Self, Vec<&'a MeasuredRun>) {
        let (mut used, mut excluded) = (Vec::new(), Vec::new());
        for (index, run) in runs.iter().enumerate() {
            let partner = partners.get(index).filter(|_| pairing == Pairing::InOrder);
            let of_partner = || {
                let MeasuredRun { run, unusable, .. } = partner?;
                unusable.as_ref().map(|_| format!("its partner {run} is left out"))
            };
            match run.unusable.clone().or_else(of_partner) {
                None => used.push(run),
                Some(reason) => excluded.push(Excluded::of(run, reason)),
            }
        }
        let sky: BTreeSet<String> =
            runs.iter().filter_map(|run| run.conditions.sky.clone()).collect();
        let runs = used.iter().map(|run| run.run.clone()).collect();
        (Self { sky: sky.into_iter().collect(), runs, excluded }, used)
    }

    /// Adds a run that is left out.
    pub(super) fn leave_out(&mut self, run: &MeasuredRun, reason: String) {
        self.excluded.push(Excluded::of(run, reason));
        let sky = run.conditions.sky.clone().filter(|sky| !self.sky.contains(sky));
        self.sky.extend(sky);
    }

    /// Versions of SkyPilot in one phrase.
    pub fn name(&self) -> String {
        if self.sky.is_empty() { "unknown".to_owned() } else { self.sky.join(" and ") }
    }
}
