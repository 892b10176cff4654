//! How many files the load generator must have open.

use super::Resolver;
use crate::limits::OpenFiles;
use crate::plan::PlannedScenario;
use crate::scenario::{Scenario, ScenarioId, ScenarioKind};

impl PlannedScenario {
    /// Files that its process has open at least, with all users of it at once at work.
    pub(crate) fn open_files(&self) -> u64 {
        /// A runtime, a log, the files of the run.
        const OWN: u64 = 32;
        let of_user = match self.id.kind() {
            // A connection.
            ScenarioKind::Api => 1,
            // Both outputs, and what tells of the process's end.
            ScenarioKind::Cli => 3,
            ScenarioKind::Probe => 0,
        };
        OWN + of_user * u64::from(self.concurrency)
    }
}

impl Resolver<'_> {
    /// What a process may not even raise its limit to would be its own failure, not the
    /// server's.
    pub(super) fn open_files(&mut self, scenarios: &[PlannedScenario]) {
        let Some(OpenFiles { hard, .. }) = self.machine.limits.open_files else { return };
        let Some(most) = scenarios.iter().max_by_key(|scenario| scenario.open_files()) else {
            return;
        };
        if most.open_files() > hard {
            self.error(format!(
                "{}: {} users of {} at once need {} open files, and a process may have {hard} \
                 here\n  hint: fewer requests (-n), or raise the hard limit (`ulimit -Hn`, \
                 /etc/security/limits.conf, LimitNOFILE= of a service)",
                self.users_set_by(most.id),
                most.concurrency,
                most.id,
                most.open_files()
            ));
        }
    }

    /// What set the number of a scenario's users: a flag, or a key of the plan.
    fn users_set_by(&self, id: ScenarioId) -> &'static str {
        match id.kind() {
            _ if self.request.users.is_some() => "-n",
            _ if Scenario::of(id).needs.takes_infrastructure() => "infra-users",
            ScenarioKind::Cli if self.settings.cli_users.is_some() => "cli-users",
            ScenarioKind::Api | ScenarioKind::Cli | ScenarioKind::Probe => "users",
        }
    }
}
