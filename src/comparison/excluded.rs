//! Runs that are left out of a comparison: why, and what failed in them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::measured_run::MeasuredRun;
use crate::ids::RunId;
use crate::scenario::ScenarioId;

/// Run that is left out of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Excluded {
    /// Run.
    pub run: RunId,
    /// Reason, in one clause.
    pub reason: String,
    /// Scenarios and thresholds that failed in the run, and setup or teardown.
    #[serde(default)]
    pub failed: Vec<String>,
    /// Errors of the run, without effect on the verdict.
    #[serde(default)]
    pub errors: Vec<ExcludedError>,
}

/// Error in a run that is left out of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExcludedError {
    /// Scenario with the error.
    pub scenario: ScenarioId,
    /// Type of the error: the server's, such as `ValueError`, or one of skyload's.
    pub error_type: String,
    /// First message, with the step and the type of the error.
    pub example: String,
}

/// Number of errors that the text of a run names.
const NAMED: usize = 3;

impl Excluded {
    /// Run that is left out for a reason.
    pub(super) fn of(run: &MeasuredRun, reason: String) -> Self {
        let error = |(kind, example): (&(ScenarioId, String), &String)| ExcludedError {
            scenario: kind.0,
            error_type: kind.1.clone(),
            example: example.clone(),
        };
        Self {
            run: run.run.clone(),
            reason,
            failed: run.failed.iter().cloned().collect(),
            errors: run.errors.iter().map(error).collect(),
        }
    }
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, reason, failed, errors } = self;
        write!(f, "{run}: {reason}")?;
        if !failed.is_empty() {
            write!(f, "; failed: {}", failed.join(", "))?;
        }
        if errors.is_empty() {
            return Ok(());
        }
        let named: Vec<String> = errors
            .iter()
            .take(NAMED)
            .map(|error| format!("{}: {}", error.scenario, error.example))
            .collect();
        write!(f, "; errors: {}", named.join(", "))?;
        match errors.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
