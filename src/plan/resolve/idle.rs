//! Flags that would change nothing in this plan. Whoever typed one believes that it
//! does, so it is refused and not passed over.

use super::infrastructure::Choice;
use super::{Resolver, takes_infrastructure};
use crate::infrastructure::Infrastructure;
use crate::plan::ServerTarget;
use crate::scenario::{Scenario, ScenarioId, ScenarioKind, Work};

impl Resolver<'_> {
    pub(super) fn idle_flags(
        &mut self,
        server: &ServerTarget,
        infrastructure: &Choice,
        scenarios: &[ScenarioId],
    ) {
        self.idle_credentials(server, &infrastructure.chosen);
        // Where no scenario was understood, nobody knows what it would have launched.
        if scenarios.iter().any(|id| id.kind() != ScenarioKind::Probe) {
            self.idle_infrastructure(&infrastructure.chosen, scenarios);
            self.idle_async(infrastructure, scenarios);
        }
    }

    fn idle_credentials(&mut self, server: &ServerTarget, chosen: &Infrastructure) {
        if !self.request.copy_credentials {
            return;
        }
        if !matches!(server, ServerTarget::Isolated { .. }) {
            self.error(
                "--copy-credentials: only an isolated server is given copies, any other has its \
                 own; leave out --server or --copy-credentials"
                    .to_owned(),
            );
        } else if !matches!(chosen, Infrastructure::Clouds(_)) {
            self.error(
                "--copy-credentials: this plan launches on no cloud whose credentials could be \
                 copied; name one with -c, or leave the flag out"
                    .to_owned(),
            );
        }
    }

    fn idle_infrastructure(&mut self, chosen: &Infrastructure, scenarios: &[ScenarioId]) {
        let is_named = !self.request.infra.is_empty();
        // A cloud changes what the server answers and holds, also where nothing is launched.
        if is_named && *chosen == Infrastructure::Loopback && !takes_infrastructure(scenarios) {
            self.error(
                "-c loopback: no scenario of this plan needs an infrastructure; leave -c out, or \
                 name one that does with -r or --api, such as `-r launch`"
                    .to_owned(),
            );
        }
    }

    fn idle_async(&mut self, infrastructure: &Choice, scenarios: &[ScenarioId]) {
        let can_be_async = |id: &ScenarioId| matches!(&Scenario::of(*id).work, Work::Cli(command) if command.can_be_async);
        if self.request.run_async && !scenarios.iter().any(can_be_async) {
            let reason = infrastructure.reason_for_none.as_deref();
            self.error(format!(
                "--run-async: no CLI scenario of this plan launches anything{}; leave it out, or \
                 name one with -r: launch, jobs",
                reason.map_or_else(String::new, |reason| format!(" ({reason})"))
            ));
        }
    }
}
