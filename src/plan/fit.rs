//! Fit: reduction of a load to a time limit.
//!
//! The default plan should pass on slow machines, too. There all scenarios still run, but with
//! fewer iterations, then with fewer users.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LoadPlan;
use crate::units;

/// Time limit of a load, and the reduction that keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fit {
    /// Time limit of the load (`fit`).
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub within: Duration,
    /// Estimate for the requested load, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub wanted: Duration,
    /// Estimate for the planned load, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub planned: Duration,
    /// Reduction from the requested to the planned load.
    pub left_out: Reduction,
}

/// Reduction of a load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Reduction {
    /// Whether each user has only one iteration.
    pub one_iteration: bool,
    /// Number of times that the number of users was halved.
    pub halvings: u32,
}

impl Reduction {
    /// Reduction of nothing: the requested load.
    pub const NONE: Self = Self { one_iteration: false, halvings: 0 };

    /// Reduction to one iteration per user.
    fn with_one_iteration(self) -> Self {
        Self { one_iteration: true, ..self }
    }

    /// Reduction to half of the users.
    fn with_half_the_users(self) -> Self {
        Self { halvings: self.halvings.saturating_add(1), ..self }
    }

    /// Whether the load is not reduced.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Iterations of each user, out of `requested`.
    pub(super) const fn iterations(self, requested: u32) -> u32 {
        if self.one_iteration { 1 } else { requested }
    }

    /// Users, out of `requested`: at least one.
    pub(super) fn users(self, requested: u32) -> u32 {
        // Shifts of 32 and more have no result; one user is left by then anyway.
        requested.div_ceil(1_u32.checked_shl(self.halvings).unwrap_or(u32::MAX)).max(1)
    }
}

impl fmt::Display for Reduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users = match self.halvings {
            0 => None,
            1 => Some("half of the users".to_owned()),
            halvings => Some(format!("all but one of {} users", 1_u64 << halvings.min(32))),
        };
        let iterations = self.one_iteration.then(|| "all iterations but the first".to_owned());
        let left_out: Vec<String> = iterations.into_iter().chain(users).collect();
        match left_out.is_empty() {
            true => f.write_str("nothing"),
            false => f.write_str(&left_out.join(" and ")),
        }
    }
}

/// Largest plan whose load is estimated to take at most `within`. If no plan fits, the smallest
/// that still shortens the load. `plan` makes the plan for a reduction.
pub(super) fn choose<E>(
    within: Duration,
    mut plan: impl FnMut(Reduction) -> Result<LoadPlan, E>,
) -> Result<LoadPlan, E> {
    let mut planned = plan(Reduction::NONE)?;
    // Without a measured speed there is no estimate, so nothing says how far to reduce.
    let Some(wanted) = planned.load_time() else { return Ok(planned) };
    let (mut left_out, mut time) = (Reduction::NONE, wanted);
    // Iterations are reduced first, then users.
    let mut step: fn(Reduction) -> Reduction = Reduction::with_one_iteration;
    while time > within {
        let smaller = plan(step(left_out))?;
        // In a plan of one iteration the first step changes nothing; users are then reduced next.
        let is_smaller = smaller.scenarios != planned.scenarios;
        let takes = smaller.load_time().unwrap_or(time);
        if is_smaller && takes < time {
            (left_out, planned, time) = (step(left_out), smaller, takes);
        } else if step(left_out).halvings > left_out.halvings {
            // Fewer users no longer shorten the load: its critical path or its ramp is the limit.
            break;
        }
        step = Reduction::with_half_the_users;
    }
    planned.fit = Some(Fit { within, wanted, planned: time, left_out });
    Ok(planned)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::as_asked(Reduction::NONE, (2, 5))]
    #[case::repetitions_first(Reduction { one_iteration: true, halvings: 0 }, (1, 5))]
    #[case::then_users(Reduction { one_iteration: true, halvings: 1 }, (1, 3))]
    #[case::but_never_all_of_them(Reduction { one_iteration: true, halvings: 40 }, (1, 1))]
    fn a_load_is_made_smaller_in_a_stated_order(
        #[case] reduction: Reduction,
        #[case] (iterations, users): (u32, u32),
    ) {
        assert_eq!((reduction.iterations(2), reduction.users(5)), (iterations, users));
    }

    #[test]
    fn a_reduction_is_displayed_as_text() {
        let left_out = |halvings| Reduction { one_iteration: true, halvings }.to_string();
        let users = Reduction { one_iteration: false, halvings: 1 };
        assert_eq!(users.to_string(), "half of the users");
        assert_eq!(left_out(0), "all iterations but the first");
        assert_eq!(left_out(1), "all iterations but the first and half of the users");
        assert_eq!(left_out(2), "all iterations but the first and all but one of 4 users");
    }
}
