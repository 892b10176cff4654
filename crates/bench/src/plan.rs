//! How much is measured: from flags, and checked against this machine's memory.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use skyload::plan::UsageErrors;
use skyload::units::{self, ByteSize, as_gib};

use crate::flags::PlanFlags;

/// What an idle worker holds: little, so that many fit.
pub(crate) const WORKER_MIB: u64 = 20;

/// What a spike takes on top of that.
pub(crate) const SPIKE_MIB: u64 = 300;

/// How long all of a spike is held at the least; a busy machine wakes it later.
pub(crate) const SPIKE_LASTS: Duration = Duration::from_millis(41);

/// How many of each the figures of docs/peaks.md rest on.
const SPIKES: u32 = 60;
const BRIEF: u32 = 120;

/// How much is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Plan {
    /// Numbers of worker processes at which the cost is measured.
    pub(crate) workers: Vec<u32>,
    pub(crate) rounds: u32,
    /// How long each candidate is measured at each number of workers, in each round.
    #[serde(with = "units::duration")]
    pub(crate) window: Duration,
    pub(crate) spikes_per_round: u32,
    pub(crate) brief_per_round: u32,
    /// `None` leaves out the effect on a real server.
    pub(crate) server: Option<ServerPlan>,
    /// Sizes and moments follow from it.
    pub(crate) seed: u64,
}

/// How the effect on a real server is measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ServerPlan {
    /// Windows with the profiler, and as many without.
    pub(crate) pairs: u32,
    #[serde(with = "units::duration")]
    pub(crate) window: Duration,
    /// Twice so long the users ask before anything is measured.
    #[serde(with = "units::duration")]
    pub(crate) warm_up: Duration,
    /// Users, each of whom sends a request when the last one is answered.
    pub(crate) users: u32,
}

impl Plan {
    /// What was asked for, if this machine can hold it.
    pub(crate) fn resolve(flags: &PlanFlags) -> Result<Self> {
        let mut workers = match (flags.workers.is_empty(), flags.quick) {
            (false, _) => flags.workers.clone(),
            (true, true) => vec![10, 30],
            (true, false) => vec![30, 100, 300],
        };
        workers.sort_unstable();
        workers.dedup();
        let rounds = flags.rounds.unwrap_or(if flags.quick { 1 } else { 3 });
        let each_round = |whole: u32| whole.div_ceil(if flags.quick { 10 } else { rounds });
        let seconds = Duration::from_secs;
        let server = match flags.quick {
            true => ServerPlan { pairs: 2, window: seconds(4), warm_up: seconds(5), users: 2 },
            false => ServerPlan { pairs: 4, window: seconds(10), warm_up: seconds(15), users: 2 },
        };
        let plan = Self {
            workers,
            rounds,
            window: seconds(if flags.quick { 2 } else { 5 }),
            spikes_per_round: each_round(SPIKES),
            brief_per_round: each_round(BRIEF),
            server: (!flags.without_server).then_some(server),
            seed: 0x5eed,
        };
        plan.check(ByteSize(flags.usable), ByteSize(flags.floor))?;
        Ok(plan)
    }

    fn check(&self, usable: ByteSize, floor: ByteSize) -> Result<()> {
        let most = self.workers.last().copied().unwrap_or_default();
        let processes = u64::from(most.max(self.spikes_per_round));
        let needed = ByteSize::mib(processes * WORKER_MIB + SPIKE_MIB);
        ensure!(
            needed <= usable,
            UsageErrors(vec![format!(
                "--workers: {most} processes of {WORKER_MIB} MiB and a spike need {:.1} GiB; {:.1} \
                 GiB can be used here, and {:.1} GiB stay free",
                as_gib(needed),
                as_gib(usable),
                as_gib(floor)
            )])
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(workers: &[u32], rounds: Option<u32>, usable: ByteSize) -> PlanFlags {
        PlanFlags {
            workers: workers.to_vec(),
            rounds,
            quick: false,
            without_server: true,
            usable: usable.as_u64(),
            floor: ByteSize::gib(1).as_u64(),
        }
    }

    #[test]
    fn the_rounds_together_make_up_all_spikes() {
        for rounds in [1, 3, 7] {
            let plan = Plan::resolve(&flags(&[], Some(rounds), ByteSize::gib(7))).unwrap();
            assert!(plan.spikes_per_round * rounds >= SPIKES);
            assert!(plan.brief_per_round * rounds >= BRIEF);
        }
    }

    #[test]
    fn workers_are_measured_in_order_and_each_number_once() {
        let plan = Plan::resolve(&flags(&[100, 30, 100], None, ByteSize::gib(7))).unwrap();
        assert_eq!(plan.workers, [30, 100]);
    }

    #[test]
    fn more_workers_than_memory_holds_are_refused_in_numbers() {
        let error = Plan::resolve(&flags(&[300], None, ByteSize::gib(3))).unwrap_err();
        assert!(error.is::<UsageErrors>());
        let error = error.to_string();
        assert!(error.starts_with("--workers: 300 processes of 20 MiB"), "{error}");
        assert!(error.contains("need 6.2 GiB; 3.0 GiB can be used here"), "{error}");
    }
}
