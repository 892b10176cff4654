//! Ends of an `ab` before its last pair, for other reasons than that every deciding metric is
//! decided.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ab::AbRecord;
use super::schedule::{Next, Place, Role, next};
use super::verdict::ComparisonVerdict;
use crate::analysis::Verdict;
use crate::units::counted;

/// Reason for which an `ab` made no further run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum EarlyEnd {
    /// `--max-time`, in which no further pair fitted.
    MaxTime,
    /// Place in a pair at which every run was unusable.
    NoUsableRun {
        /// Place.
        place: Place,
        /// Number of runs at the place.
        attempts: usize,
        /// Whether scenarios failed in each of them.
        always_failed: bool,
        /// Reason for which the last of them could not be compared.
        last: String,
    },
}

impl EarlyEnd {
    /// Place of an `ab` without a usable run; `None` if there is no such place.
    pub fn without_usable_run(record: &AbRecord) -> Option<Self> {
        let Next::Stuck(place) = next(&record.done, record.pairs) else { return None };
        let attempts = || record.done.iter().filter(|run| run.place == place);
        Some(Self::NoUsableRun {
            place,
            attempts: attempts().count(),
            always_failed: attempts().all(|run| run.verdict == Verdict::ScenarioFailed),
            last: attempts().filter_map(|run| run.unusable.clone()).next_back().unwrap_or_default(),
        })
    }

    /// Verdict of an `ab` that ended so, whose complete pairs have a verdict. A place without a
    /// usable run decides nothing, unless the candidate failed there each time, and
    /// `fails_alone` in something that never fails in the base.
    pub(super) fn verdict(
        &self,
        of_pairs: ComparisonVerdict,
        fails_alone: bool,
    ) -> ComparisonVerdict {
        use ComparisonVerdict::{Better, Same, ScenarioFailed, Undecided};
        match (self, of_pairs) {
            (Self::NoUsableRun { .. }, _) if fails_alone && self.candidate_fails() => {
                ScenarioFailed
            }
            (Self::NoUsableRun { .. }, Better | Same) => Undecided,
            (_, verdict) => verdict,
        }
    }

    /// Whether scenarios failed in each run of the candidate at a place without a usable run.
    const fn candidate_fails(&self) -> bool {
        matches!(
            self,
            Self::NoUsableRun {
                place: Place { role: Role::Candidate, .. },
                always_failed: true,
                ..
            }
        )
    }
}

impl fmt::Display for EarlyEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxTime => f.write_str("no further pair fits into --max-time"),
            Self::NoUsableRun { place, attempts, always_failed, last } => {
                write!(f, "no usable run of the {}", place.role.name())?;
                if let Some(pair) = place.pair {
                    write!(f, " for pair {pair}")?;
                }
                write!(f, " in {}", counted(*attempts, "attempt"))?;
                if *always_failed {
                    f.write_str(", in each of which scenarios failed")?;
                }
                write!(f, "; the last one: {last}")
            }
        }
    }
}
