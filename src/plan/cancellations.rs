//! Cancellations of `api:launch_cancel`: when a launch is cancelled, and which ones are not.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shape::Delays;
use crate::units;

/// Cancellations of launches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cancellations {
    /// Time from the submission of a launch to its cancellation.
    pub cancel_after: Delays,
    /// Distance between two probe launches, in iterations: one of so many launches is not
    /// cancelled, and must finish.
    pub probe_every: u32,
    /// Time after which an unfinished request is a suspected wedge.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub stuck_after: Duration,
}

impl Default for Cancellations {
    fn default() -> Self {
        Self {
            cancel_after: Delays::between(1, 30),
            probe_every: 5,
            stuck_after: Duration::from_secs(5 * 60),
        }
    }
}

impl Cancellations {
    /// Distances between two probe launches: with 1 nothing would be cancelled, without a probe no
    /// wedge be seen, and a larger one is most likely a typing error.
    pub(crate) const DISTANCES: RangeInclusive<u32> = 2..=1000;

    /// Delay of an iteration's cancellation; `None` for a probe launch. `position` is the number of
    /// the iteration among those of all users, counted from 0.
    pub(crate) fn delay(&self, position: u64, random: &mut fastrand::Rng) -> Option<Duration> {
        let is_probe = position.saturating_add(1).is_multiple_of(self.probe_every.max(1).into());
        (!is_probe).then(|| self.cancel_after.draw(random))
    }

    /// Longest time from the start of an iteration until its launch has ended or is recorded as a
    /// suspected wedge. The limit counts from the submission, after calls before it.
    pub(crate) fn longest_launch(&self) -> Duration {
        const CALLS_AND_RECORD: Duration = Duration::from_secs(30);
        let longest = self.cancel_after.longest().saturating_add(self.stuck_after);
        longest.saturating_add(CALLS_AND_RECORD)
    }

    /// Longest time of an iteration: a launch, its cancellation and the teardown.
    pub(crate) fn longest_iteration(&self) -> Duration {
        self.longest_launch().saturating_add(self.stuck_after.saturating_mul(2))
    }
}

/// Text of a plan.
impl fmt::Display for Cancellations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cancelled after {}, 1 of {} is a probe and must finish; suspected wedge after {}",
            self.cancel_after,
            self.probe_every,
            humantime::format_duration(self.stuck_after)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_so_many_launches_is_a_probe() {
        let cancellations = Cancellations { probe_every: 3, ..Cancellations::default() };
        let mut random = fastrand::Rng::with_seed(1);
        let mut is_probe = |position| cancellations.delay(position, &mut random).is_none();
        let probes: Vec<u64> = (0..10).filter(|position| is_probe(*position)).collect();
        assert_eq!(probes, [2, 5, 8]);
    }
}
