//! Work of nodes that are on this machine: how much there is, and whether it must be done before
//! the next users start.

use super::Speed;
use crate::infrastructure::{Infrastructure, LocalInfra};

/// Whether the work of cluster nodes competes with the server for CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeCpu {
    /// Nodes on other machines, or with enough CPU left at idle priority.
    Separate,
    /// Local nodes on a busy or single-CPU machine, or those that the server waits for: their
    /// work counts in the ramp, too.
    Competing,
}

impl NodeCpu {
    /// Competition of a load's nodes on a machine of `speed`.
    pub(super) fn of(infrastructure: &Infrastructure, speed: Option<Speed>) -> Self {
        // SkyPilot takes a cluster in the cloud for broken if `ray status` on its node does not
        // end in time, which nodes at idle priority do not do beside a load of many executors.
        let is_waited_for = infrastructure.uses(LocalInfra::EmulatedAws);
        let is_delayed = |speed: Speed| is_waited_for || !speed.leaves_cpu_for_nodes();
        match infrastructure.is_local() && speed.is_some_and(is_delayed) {
            true => Self::Competing,
            false => Self::Separate,
        }
    }

    /// Share of the nodes' work that counts.
    pub(super) const fn share(self) -> f64 {
        match self {
            Self::Separate => 0.0,
            Self::Competing => 1.0,
        }
    }
}

/// Work on nodes as a multiple of the scenario table's, which is that of the loopback Slurm
/// cluster: the mean of the infras, which are values of SkyPilot's `--infra`.
pub(super) fn node_work(infras: &[impl AsRef<str>]) -> f64 {
    let count = u32::try_from(infras.len()).unwrap_or(u32::MAX).max(1);
    let work = infras.iter().map(|infra| match LocalInfra::with_infra(infra.as_ref()) {
        Some(LocalInfra::Loopback) => 1.0,
        // A node starts Ray, too.
        Some(LocalInfra::EmulatedAws) => 2.0,
        // Nodes of emulated Kubernetes do nothing, others are on other machines.
        Some(LocalInfra::EmulatedKubernetes) | None => 0.0,
    });
    work.sum::<f64>() / f64::from(count)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::limits::Cpus;

    fn speed(cpus: usize) -> Speed {
        let import = Duration::from_secs(2);
        let cpus = Cpus { allowed: cpus, quota: None };
        Speed { cpus, import, elapsed: import, concurrency: 2, others: None }
    }

    #[rstest]
    #[case::cpu_left_at_idle_priority(
        Infrastructure::local(LocalInfra::Loopback),
        2,
        NodeCpu::Separate
    )]
    #[case::one_cpu(Infrastructure::local(LocalInfra::Loopback), 1, NodeCpu::Competing)]
    #[case::the_server_waits(Infrastructure::local(LocalInfra::EmulatedAws), 2, NodeCpu::Competing)]
    #[case::on_other_machines(Infrastructure::Clouds(vec!["aws".to_owned()]), 1, NodeCpu::Separate)]
    fn local_nodes_compete_where_they_are_slow_or_waited_for(
        #[case] infrastructure: Infrastructure,
        #[case] cpus: usize,
        #[case] expected: NodeCpu,
    ) {
        assert_eq!(NodeCpu::of(&infrastructure, Some(speed(cpus))), expected);
    }
}
