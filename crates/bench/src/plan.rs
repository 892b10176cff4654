//! Plan of the benchmark, resolved from flags and checked against this machine's memory.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use skyload::plan::UsageErrors;
use skyload::units::{self, ByteSize, as_gib};

use crate::flags::PlanFlags;

/// Memory of an idle worker, in MiB. Small, so that many workers fit.
pub(crate) const WORKER_MIB: u64 = 20;

/// Additional memory of a spike, in MiB.
pub(crate) const SPIKE_MIB: u64 = 300;

/// Minimum time that a spike is held in full. On a busy machine it is held longer.
pub(crate) const SPIKE_DURATION: Duration = Duration::from_millis(41);

/// Number of spikes of all rounds, for the figures in docs/peaks.md.
const SPIKES: u32 = 60;
/// Number of brief processes of all rounds, for the figures in docs/peaks.md.
const BRIEF: u32 = 120;

/// Plan of the benchmark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Plan {
    /// Numbers of worker processes at which the overhead is measured.
    pub(crate) workers: Vec<u32>,
    pub(crate) rounds: u32,
    /// Duration of one measurement: a candidate, a number of workers, a round.
    #[serde(with = "units::duration")]
    pub(crate) window: Duration,
    pub(crate) spikes_per_round: u32,
    pub(crate) brief_per_round: u32,
    /// Measurement of the effect on a real server; `None` skips it.
    pub(crate) server: Option<ServerPlan>,
    /// Seed of the sizes and delays of spikes and brief processes.
    pub(crate) seed: u64,
}

/// Plan of the measurement of the effect on a real server.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ServerPlan {
    /// Number of windows with the profiler, which is also the number without it.
    pub(crate) pairs: u32,
    #[serde(with = "units::duration")]
    pub(crate) window: Duration,
    /// Half the duration of the load before the first window.
    #[serde(with = "units::duration")]
    pub(crate) warm_up: Duration,
    /// Concurrent users, each of which sends its next request after the last response.
    pub(crate) users: u32,
}

impl Plan {
    /// Resolves the plan from flags. A usage error if this machine has too little memory.
    pub(crate) fn resolve(flags: &PlanFlags) -> Result<Self> {
        let mut workers = match (flags.workers.is_empty(), flags.quick) {
            (false, _) => flags.workers.clone(),
            (true, true) => vec![10, 30],
            (true, false) => vec![30, 100, 300],
        };
        workers.sort_unstable();
        workers.dedup();
        let rounds = flags.rounds.unwrap_or(if flags.quick { 1 } else { 3 });
        let per_round = |total: u32| total.div_ceil(if flags.quick { 10 } else { rounds });
        let seconds = Duration::from_secs;
        let server = match flags.quick {
            true => ServerPlan { pairs: 2, window: seconds(4), warm_up: seconds(5), users: 2 },
            false => ServerPlan { pairs: 4, window: seconds(10), warm_up: seconds(15), users: 2 },
        };
        let plan = Self {
            workers,
            rounds,
            window: seconds(if flags.quick { 2 } else { 5 }),
            spikes_per_round: per_round(SPIKES),
            brief_per_round: per_round(BRIEF),
            server: (!flags.without_server).then_some(server),
            // Constant, so that runs are comparable.
            seed: 0x5eed,
        };
        plan.check(ByteSize(flags.usable), ByteSize(flags.floor))?;
        Ok(plan)
    }

    fn check(&self, usable: ByteSize, floor: ByteSize) -> Result<()> {
        let most = self.workers.last().copied().unwrap_or_default();
        // After its spike, a process keeps an idle worker's memory until the workload ends.
        let processes = u64::from(most.max(self.spikes_per_round));
        let needed = ByteSize::mib(processes * WORKER_MIB + SPIKE_MIB);
        ensure!(
            needed <= usable,
            UsageErrors(vec![format!(
                "--workers: not enough memory: {most} processes of {WORKER_MIB} MiB and a spike \
                 need {:.1} GiB, {:.1} GiB is usable ({:.1} GiB kept free)",
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
    fn all_rounds_together_have_all_spikes() {
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
    fn more_workers_than_fit_into_memory_are_a_usage_error() {
        let error = Plan::resolve(&flags(&[300], None, ByteSize::gib(3))).unwrap_err();
        assert!(error.is::<UsageErrors>());
        let error = error.to_string();
        assert!(
            error.starts_with("--workers: not enough memory: 300 processes of 20 MiB"),
            "{error}"
        );
        assert!(error.contains("need 6.2 GiB, 3.0 GiB is usable"), "{error}");
    }
}
