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
    /// the iteration among those of all users, counted from 0, which alternate between `infras`
    /// infras.
    pub(crate) fn delay(
        &self,
        position: u64,
        infras: usize,
        random: &mut fastrand::Rng,
    ) -> Option<Duration> {
        (!self.is_probe(position, infras)).then(|| self.cancel_after.draw(random))
    }

    /// Whether a launch is a probe. One of each `probe_every` consecutive launches is: the last one,
    /// or an earlier one where the last ones would miss some infras.
    fn is_probe(&self, position: u64, infras: usize) -> bool {
        let distance = u64::from(self.probe_every.max(1));
        let infras = u64::try_from(infras).unwrap_or(u64::MAX).max(1);
        let common = gcd(distance, infras);
        let (block, place) = (position / distance, position % distance);
        // After so many blocks, their last launches are on the same infras again.
        let rounds = block / (infras / common);
        place == distance - 1 - rounds % common
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

/// Greatest common divisor.
fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
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
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;

    /// Positions of the probes among the first launches.
    fn probes(probe_every: u32, infras: u64, launches: u64) -> Vec<u64> {
        let cancellations = Cancellations { probe_every, ..Cancellations::default() };
        let mut random = fastrand::Rng::with_seed(1);
        let infras = usize::try_from(infras).unwrap();
        let mut is_probe = |position| cancellations.delay(position, infras, &mut random).is_none();
        (0..launches).filter(|position| is_probe(*position)).collect()
    }

    #[test]
    fn one_of_so_many_launches_is_a_probe() {
        assert_eq!(probes(3, 1, 10), [2, 5, 8]);
        // Each third launch is on another infra as it is.
        assert_eq!(probes(3, 2, 10), [2, 5, 8]);
        assert_eq!(probes(2, 2, 10), [1, 2, 5, 6, 9]);
    }

    #[rstest]
    #[case::even_on_two(4, 2)]
    #[case::fewer_than_infras(2, 4)]
    #[case::a_multiple(6, 3)]
    #[case::a_common_divisor(6, 4)]
    #[case::no_common_divisor(5, 3)]
    fn all_infras_have_as_many_probes(#[case] probe_every: u32, #[case] infras: u64) {
        let distance = u64::from(probe_every);
        let probes = probes(probe_every, infras, 3 * distance * infras);
        let blocks: Vec<u64> = probes.iter().map(|position| position / distance).collect();
        assert!(blocks.into_iter().eq(0..3 * infras), "one of each {distance}: {probes:?}");
        let mut of_infra = BTreeMap::new();
        probes.iter().for_each(|position| *of_infra.entry(position % infras).or_default() += 1);
        assert_eq!(of_infra, (0..infras).map(|infra| (infra, 3)).collect(), "{probes:?}");
    }
}
