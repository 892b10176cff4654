//! How many files the load generator must have open.

use super::Mistakes;
use crate::limits::OpenFiles;
use crate::plan::{Machine, PlannedScenario};
use crate::scenario::ScenarioKind;

impl Mistakes {
    /// What a process may not even raise its limit to would be its own failure, not the
    /// server's.
    pub(super) fn open_files(&mut self, scenarios: &[PlannedScenario], machine: &Machine) {
        /// A runtime, a log, the files of the run.
        const OWN: u64 = 32;
        let Some(OpenFiles { hard, .. }) = machine.limits.open_files else { return };
        let needed = |scenario: &PlannedScenario| {
            let of_user = match scenario.id.kind() {
                ScenarioKind::Api => 1,
                // Both outputs, and what tells of the process's end.
                ScenarioKind::Cli => 3,
                ScenarioKind::Probe => 0,
            };
            OWN + of_user * u64::from(scenario.at_once)
        };
        let Some(most) = scenarios.iter().max_by_key(|scenario| needed(scenario)) else { return };
        if needed(most) > hard {
            self.push(format!(
                "-n: {} users of {} at once need {} open files, and a process may have {hard} \
                 here\n  hint: fewer requests (-n), or raise the hard limit (`ulimit -Hn`, \
                 /etc/security/limits.conf, LimitNOFILE= of a service)",
                most.at_once,
                most.id,
                needed(most)
            ));
        }
    }
}
