//! Errors, failures and kills that one of two versions has, and the other has not.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::measured_run::MeasuredRun;
use crate::scenario::ScenarioId;

/// Error of a scenario, with the runs of each version that had it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ErrorComparison {
    /// Scenario with the error.
    pub scenario: ScenarioId,
    /// Type of the error: the server's, such as `ValueError`, or one of skyload's.
    pub error_type: String,
    /// Number of runs of the base with the error.
    pub runs_of_base: usize,
    /// Number of runs of the candidate with the error.
    pub runs_of_candidate: usize,
    /// First message, of the candidate if it has the error.
    pub example: String,
}

impl ErrorComparison {
    /// Whether only the candidate has the error.
    pub const fn is_new(&self) -> bool {
        self.runs_of_base == 0
    }
}

/// Errors of both versions, those of the candidate alone first.
pub(super) fn errors(base: &[&MeasuredRun], candidate: &[&MeasuredRun]) -> Vec<ErrorComparison> {
    let (of_base, of_candidate) = (by_type(base), by_type(candidate));
    let kinds: BTreeSet<_> = of_base.keys().chain(of_candidate.keys()).collect();
    let runs = |of: &ErrorsByType, kind| of.get(kind).map_or(0, |(runs, _)| *runs);
    let compared = kinds.into_iter().map(|kind| {
        let example = of_candidate.get(kind).or_else(|| of_base.get(kind));
        ErrorComparison {
            scenario: kind.0,
            error_type: kind.1.clone(),
            runs_of_base: runs(&of_base, kind),
            runs_of_candidate: runs(&of_candidate, kind),
            example: example.map(|(_, message)| (*message).to_owned()).unwrap_or_default(),
        }
    });
    let mut errors: Vec<ErrorComparison> = compared.collect();
    errors.sort_by_key(|error| !error.is_new());
    errors
}

/// Number of runs with each type of error of each scenario, and its first message.
type ErrorsByType<'a> = BTreeMap<&'a (ScenarioId, String), (usize, &'a str)>;

fn by_type<'a>(runs: &[&'a MeasuredRun]) -> ErrorsByType<'a> {
    let mut errors = ErrorsByType::new();
    for (kind, message) in runs.iter().flat_map(|run| &run.errors) {
        errors.entry(kind).or_insert((0, message)).0 += 1;
    }
    errors
}

/// Runs of each version in which the kernel killed processes at the server's size (`--size`). What
/// is killed is missing in sums and peaks, so that memory seems to be less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KillComparison {
    /// Number of runs of the base with kills.
    pub runs_of_base: usize,
    /// Number of runs of the candidate with kills.
    pub runs_of_candidate: usize,
}

impl KillComparison {
    pub(super) fn of(base: &[&MeasuredRun], candidate: &[&MeasuredRun]) -> Self {
        let with_kills =
            |runs: &[&MeasuredRun]| runs.iter().filter(|run| run.kills_at_size > 0).count();
        Self { runs_of_base: with_kills(base), runs_of_candidate: with_kills(candidate) }
    }

    /// Whether only the candidate has kills.
    pub const fn is_new(self) -> bool {
        self.runs_of_base == 0 && self.runs_of_candidate > 0
    }
}

/// Failures of a run of the candidate that are in no run of the base.
pub(super) struct OfCandidate {
    /// Scenarios and thresholds that failed, and setup or teardown.
    pub(super) failed: Vec<String>,
    /// Thresholds that no run of the base has, so that none could fail by them.
    pub(super) unjudged: Vec<String>,
}

impl OfCandidate {
    pub(super) fn alone(base: &[&MeasuredRun], candidate: &[&MeasuredRun]) -> Self {
        let [before, after] = [base, candidate]
            .map(|runs| runs.iter().flat_map(|run| &run.failed).collect::<BTreeSet<&String>>());
        let judges = |run: &MeasuredRun, failed: &str| run.conditions.judges_by(failed);
        let is_unjudged = |failed: &&String| {
            !base.is_empty()
                && base.iter().all(|run| judges(run, failed) == Some(false))
                && candidate.iter().any(|run| judges(run, failed) == Some(true))
        };
        let alone = after.difference(&before).copied();
        let (unjudged, failed) = alone.partition::<Vec<&String>, _>(is_unjudged);
        let [failed, unjudged] = [failed, unjudged].map(|of| of.into_iter().cloned().collect());
        Self { failed, unjudged }
    }
}
