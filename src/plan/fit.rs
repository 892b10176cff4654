//! What a plan leaves out so that its load takes no longer than it should.
//!
//! A newcomer's first verdict must not depend on the day. On a slower machine the same
//! scenarios run with fewer iterations, then with fewer users, and never without one of
//! them.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LoadPlan;
use crate::units;

/// The time that a load was to take, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fit {
    /// Time that the load was to take at the most.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub within: Duration,
    /// Estimate for the load as it was asked for.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub wanted: Duration,
    /// Estimate for the load as it is planned.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub planned: Duration,
    /// What was left out.
    pub left_out: Reduction,
}

/// Steps by which a load is made smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Reduction {
    /// Each user has one iteration.
    pub one_iteration: bool,
    /// Times that the number of users was halved.
    pub halvings: u32,
}

impl Reduction {
    /// Nothing is left out.
    pub const NONE: Self = Self { one_iteration: false, halvings: 0 };

    /// Each user has one iteration.
    fn without_repetitions(self) -> Self {
        Self { one_iteration: true, ..self }
    }

    /// Half of the users are left.
    fn with_half_the_users(self) -> Self {
        Self { halvings: self.halvings.saturating_add(1), ..self }
    }

    /// Whether nothing is left out.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Iterations of each user that are left of `asked`.
    pub(super) const fn iterations(self, asked: u32) -> u32 {
        if self.one_iteration { 1 } else { asked }
    }

    /// Users that are left of `asked`: at least one.
    pub(super) fn users(self, asked: u32) -> u32 {
        asked.div_ceil(1_u32.checked_shl(self.halvings).unwrap_or(u32::MAX)).max(1)
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

/// The largest plan whose load takes at most `within`, by its own estimate; the smallest that
/// is of any use where none does. `plan` makes one that is smaller by so much.
pub(super) fn choose<E>(
    within: Duration,
    mut plan: impl FnMut(Reduction) -> Result<LoadPlan, E>,
) -> Result<LoadPlan, E> {
    let mut planned = plan(Reduction::NONE)?;
    let Some(wanted) = planned.load_time() else { return Ok(planned) };
    let (mut left_out, mut time) = (Reduction::NONE, wanted);
    // Repetitions go first, then users.
    let mut step: fn(Reduction) -> Reduction = Reduction::without_repetitions;
    while time > within {
        let smaller = plan(step(left_out))?;
        let is_smaller = smaller.scenarios != planned.scenarios;
        let takes = smaller.load_time().unwrap_or(time);
        if is_smaller && takes < time {
            (left_out, planned, time) = (step(left_out), smaller, takes);
        } else if step(left_out).halvings > left_out.halvings {
            // What is left takes its time however few do it.
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
    fn what_is_left_out_is_said_in_words() {
        let left_out = |halvings| Reduction { one_iteration: true, halvings }.to_string();
        let users = Reduction { one_iteration: false, halvings: 1 };
        assert_eq!(users.to_string(), "half of the users");
        assert_eq!(left_out(0), "all iterations but the first");
        assert_eq!(left_out(1), "all iterations but the first and half of the users");
        assert_eq!(left_out(2), "all iterations but the first and all but one of 4 users");
    }
}
