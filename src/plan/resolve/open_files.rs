//! Open files that the load generator needs, checked against the hard limit.

use super::Resolver;
use crate::limits::OpenFiles;
use crate::plan::PlannedScenario;
use crate::scenario::{ScenarioId, ScenarioKind};

impl PlannedScenario {
    /// Minimum number of open files of the scenario's process with all concurrent users active.
    pub(crate) fn open_files(&self) -> u64 {
        /// Files of the async runtime, the log, and files of the run.
        const BASE: u64 = 32;
        let per_user = match self.id.kind() {
            // One connection.
            ScenarioKind::Api | ScenarioKind::Hold => 1,
            // Pipes for both outputs, and a handle that reports the exit of the process.
            ScenarioKind::Cli => 3,
            ScenarioKind::Probe => 0,
        };
        BASE + per_user * u64::from(self.concurrency)
    }
}

impl Resolver<'_> {
    /// Checks the needed open files against the hard limit. (Scenarios raise their soft limit
    /// themselves.) Beyond the limit the load generator fails, which says nothing about the
    /// server.
    pub(super) fn check_open_files(&mut self, scenarios: &[PlannedScenario]) {
        let Some(OpenFiles { hard, .. }) = self.machine.limits.open_files else { return };
        // The limit is per process, and each scenario has its own.
        let Some(most) = scenarios.iter().max_by_key(|scenario| scenario.open_files()) else {
            return;
        };
        if most.open_files() > hard {
            self.error(format!(
                "{}: {} concurrent users of {} need {} open files, the hard limit is {hard}\n  \
                 hint: use fewer users (-n, or --max-in-flight of a rate), or raise the hard limit (`ulimit -Hn`, \
                 /etc/security/limits.conf, LimitNOFILE= of a service)",
                self.users_set_by(most),
                most.concurrency,
                most.id,
                most.open_files()
            ));
        }
    }

    /// Flag or plan key that set the number of a scenario's users.
    fn users_set_by(&self, planned: &PlannedScenario) -> &'static str {
        match planned.id.kind() {
            ScenarioKind::Hold if !self.request.hold.is_empty() => "--hold",
            ScenarioKind::Hold => "hold",
            _ if self.request.users.is_some() => "-n",
            _ if self.request.rate.is_some() => "--max-in-flight",
            _ if self.request.stages.is_some() => "--stages",
            _ if planned.takes_infrastructure() && planned.id != ScenarioId::ApiMix => {
                "infra-users"
            }
            ScenarioKind::Cli if self.settings.cli_users.is_some() => "cli-users",
            ScenarioKind::Api | ScenarioKind::Cli | ScenarioKind::Probe => "users",
        }
    }
}
