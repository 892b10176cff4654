//! Plan of `bench client`: counts and durations.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use skyload::units;

use crate::flags::ClientPlanFlags;

/// Plan of `bench client`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ClientPlan {
    /// Number of rounds, each of which measures everything but memory once.
    pub(crate) rounds: u32,
    /// Connections of each HTTP client; users of skyload.
    pub(crate) users: u32,
    /// Duration of one measurement of the CPU time per request.
    #[serde(with = "units::duration")]
    pub(crate) window: Duration,
    /// Arrival rate of the measurement of lateness, per second.
    pub(crate) rate: u32,
    /// Duration of one measurement of lateness.
    #[serde(with = "units::duration")]
    pub(crate) rate_window: Duration,
    /// Duration of the short load, after which memory is compared with that after the long load.
    #[serde(with = "units::duration")]
    pub(crate) short_load: Duration,
    /// Minimum number of iterations of the long load.
    pub(crate) long_load: u64,
    /// Measurement against SkyPilot's SDK; `None` skips it.
    pub(crate) sdk: Option<SdkPlan>,
}

/// Plan of the measurement against SkyPilot's SDK, on a real server.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SdkPlan {
    /// Users of skyload; threads of the process that uses the SDK.
    pub(crate) users: u32,
    /// Half the duration of the load before the first measurement, which starts the executors.
    #[serde(with = "units::duration")]
    pub(crate) warm_up: Duration,
    /// Duration of one measurement.
    #[serde(with = "units::duration")]
    pub(crate) window: Duration,
    /// Number of measurements of each of the two.
    pub(crate) rounds: u32,
}

impl ClientPlan {
    /// Resolves the plan from flags.
    pub(crate) fn resolve(flags: &ClientPlanFlags) -> Self {
        let (seconds, quick) = (Duration::from_secs, flags.quick);
        let sdk = match quick {
            true => SdkPlan { users: 2, warm_up: seconds(5), window: seconds(5), rounds: 1 },
            false => SdkPlan { users: 4, warm_up: seconds(15), window: seconds(20), rounds: 2 },
        };
        Self {
            rounds: flags.rounds.unwrap_or(if quick { 1 } else { 4 }),
            users: 10,
            window: if quick { seconds(1) } else { seconds(5) },
            rate: 1000,
            rate_window: if quick { seconds(2) } else { seconds(10) },
            short_load: Duration::from_millis(500),
            long_load: if quick { 20_000 } else { 200_000 },
            sdk: (!flags.without_server).then_some(sdk),
        }
    }
}

/// Items in the order of a round: every other round has the reverse order, so that a machine that
/// becomes faster or slower favors none of them.
pub(crate) fn in_order<T>(round: u32, mut items: Vec<T>) -> Vec<T> {
    if round % 2 == 1 {
        items.reverse();
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_alternate_in_being_first() {
        let rounds: Vec<_> = (0..4).flat_map(|round| in_order(round, vec!['a', 'b'])).collect();
        assert_eq!(rounds, ['a', 'b', 'b', 'a', 'a', 'b', 'b', 'a']);
    }

    #[test]
    fn without_a_server_the_sdk_is_not_measured() {
        let flags = |without_server| ClientPlanFlags { rounds: None, quick: true, without_server };
        assert_eq!(ClientPlan::resolve(&flags(true)).sdk, None);
        assert!(ClientPlan::resolve(&flags(false)).sdk.is_some());
    }
}
