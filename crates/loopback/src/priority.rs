//! CPU priority of node processes.
//!
//! Nodes stand for other machines, so the server under test has priority. On a busy machine, or
//! with one CPU, idle priority would leave nodes without any CPU, and they would never start.

use serde::{Deserialize, Serialize};
use skyload::plan::Speed;

/// CPU priority of all node processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodePriority {
    /// Idle priority (`SCHED_IDLE`): CPU that no other process uses.
    #[default]
    Idle,
    /// Low priority (nice 5): about a third of the CPU that a process of nice 0 gets.
    Low,
    /// Normal priority (nice 0): as much CPU as any other process.
    Normal,
}

impl NodePriority {
    /// Priority that lets nodes start on a machine of this speed; idle if unknown.
    pub fn on(speed: Option<Speed>) -> Self {
        match speed {
            // Beside other programs a third of a share is too little: SkyPilot's jobs controller
            // then takes more than the 120 s that a follower of a job's log waits for the
            // job's final status.
            Some(speed) if speed.is_shared() => Self::Normal,
            Some(speed) if !speed.leaves_cpu_for_nodes() => Self::Low,
            Some(_) | None => Self::Idle,
        }
    }

    /// Nice value of the nodes' sessions, on kernels that schedule by session (autogroup).
    pub(crate) const fn nice(self) -> &'static str {
        match self {
            Self::Idle => "19",
            Self::Low => "5",
            Self::Normal => "0",
        }
    }

    /// Program and arguments that start another program with this priority.
    pub(crate) const fn prefix(self) -> (&'static str, &'static [&'static str]) {
        match self {
            // 0 is the only priority within SCHED_IDLE.
            Self::Idle => ("chrt", &["--idle", "0"]),
            Self::Low => ("nice", &["-n", "5"]),
            Self::Normal => ("nice", &["-n", "0"]),
        }
    }

    /// Message for the user if running nodes have this priority, but would now be started with
    /// the other one.
    pub(crate) const fn mismatch_note(self) -> &'static str {
        match self {
            Self::Idle => {
                "The running nodes have idle CPU priority and may be slow, since the machine has \
                 little idle CPU now; run `cargo xtask infra down` to have new ones started"
            }
            Self::Low | Self::Normal => {
                "The running nodes take CPU from the API server, since the machine had little idle \
                 CPU at their start; run `cargo xtask infra down` to have new ones started"
            }
        }
    }

    /// Modification for loopback: the difference to nodes on machines of their own.
    pub(crate) const fn modification(self) -> &'static str {
        match self {
            Self::Idle => "nodes are local processes at idle CPU priority (SCHED_IDLE)",
            Self::Low => {
                "nodes are local processes at low CPU priority (nice 5), since the machine has \
                 little idle CPU"
            }
            Self::Normal => {
                "nodes are local processes at normal CPU priority, since other processes keep the \
                 machine busy"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use skyload::limits::Cpus;

    use super::*;

    #[test]
    fn nodes_get_more_than_idle_cpu_on_a_busy_machine() {
        let speed = |elapsed| {
            let import = Duration::from_secs(2);
            let cpus = Cpus { allowed: 2, quota: None };
            let elapsed = Duration::from_secs(elapsed);
            Some(Speed { cpus, import, elapsed, concurrency: 2, others: None })
        };
        assert_eq!(NodePriority::on(speed(2)), NodePriority::Idle);
        assert_eq!(NodePriority::on(speed(4)), NodePriority::Low);
        assert_eq!(NodePriority::on(None), NodePriority::Idle);
        let one = Cpus { allowed: 2, quota: Some(1.0) };
        let one = speed(2).map(|speed| Speed { cpus: one, concurrency: 1, ..speed });
        assert_eq!(NodePriority::on(one), NodePriority::Low);
        let beside = speed(4).map(|speed| Speed { others: Some(1.9), ..speed });
        assert_eq!(NodePriority::on(beside), NodePriority::Normal);
        let outside_of_the_quota = one.map(|speed| Speed { others: Some(1.0), ..speed });
        assert_eq!(NodePriority::on(outside_of_the_quota), NodePriority::Low);
    }
}
