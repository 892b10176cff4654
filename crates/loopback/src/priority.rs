//! How much of the CPU nodes get.
//!
//! They stand for other machines, so the server under test comes first. Where other
//! processes keep the machine busy, or there is but one CPU, what nobody else wants is
//! nothing, and nodes would never come up.

use serde::{Deserialize, Serialize};
use skyload::plan::Speed;

/// Priority of all processes of the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodePriority {
    /// They get what nobody else wants.
    #[default]
    Idle,
    /// They get a third of what anybody else does.
    Low,
}

impl NodePriority {
    /// The priority that lets nodes come up on a machine of this speed.
    pub fn on(speed: Option<Speed>) -> Self {
        match speed {
            Some(speed) if !speed.leaves_cpu_for_nodes() => Self::Low,
            Some(_) | None => Self::Idle,
        }
    }

    /// Niceness of their sessions, where the kernel groups processes by sessions.
    pub(super) const fn nice(self) -> &'static str {
        match self {
            Self::Idle => "19",
            Self::Low => "5",
        }
    }

    /// The command that starts a program with this priority.
    pub(super) const fn starter(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Idle => ("chrt", &["--idle", "0"]),
            Self::Low => ("nice", &["-n", "5"]),
        }
    }

    /// What is to be known of nodes that are up with it, and would not be started so now.
    pub(super) const fn kept(self) -> &'static str {
        match self {
            Self::Idle => {
                "The nodes that are up get only the CPU that nobody else wants, which is little now; \
                 `cargo xtask infra down` first starts others"
            }
            Self::Low => {
                "The nodes that are up take CPU from the API server, as they were started on a busy \
                 machine; `cargo xtask infra down` first starts others"
            }
        }
    }

    /// What this changes, in one sentence for the report.
    pub(super) const fn change(self) -> &'static str {
        match self {
            Self::Idle => {
                "Nodes are processes on this machine that get the CPU which nobody else wants \
                 (SCHED_IDLE)."
            }
            Self::Low => {
                "Nodes are processes on this machine, at a lower priority than the API server (nice 5): \
                 little CPU is left that nobody else wants."
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
    fn nodes_get_more_than_nothing_where_others_keep_the_machine_busy() {
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
    }
}
