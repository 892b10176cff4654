//! Flags that would change nothing in this plan. Whoever typed one believes that it
//! does, so it is refused and not passed over.

use super::Mistakes;
use super::infrastructure::Choice;
use crate::infrastructure::Infrastructure;
use crate::plan::{PlannedScenario, ServerTarget, needs_of};
use crate::record::request::LoadRequest;
use crate::scenario::{Scenario, ScenarioKind, Work};

impl Mistakes {
    pub(super) fn idle_flags(
        &mut self,
        request: &LoadRequest,
        server: &ServerTarget,
        infrastructure: &Choice,
        scenarios: &[PlannedScenario],
    ) {
        self.idle_credentials(request, server, &infrastructure.chosen);
        // Where no scenario was understood, nobody knows what it would have launched.
        if scenarios.iter().any(|planned| planned.id.kind() != ScenarioKind::Probe) {
            self.idle_infrastructure(request, &infrastructure.chosen, scenarios);
            self.idle_async(request, infrastructure, scenarios);
        }
    }

    fn idle_credentials(
        &mut self,
        request: &LoadRequest,
        server: &ServerTarget,
        chosen: &Infrastructure,
    ) {
        if !request.copy_credentials {
            return;
        }
        if !matches!(server, ServerTarget::Isolated { .. }) {
            self.push(
                "--copy-credentials: only an isolated server is given copies, any other has its \
                 own; leave out --server or --copy-credentials"
                    .to_owned(),
            );
        } else if !matches!(chosen, Infrastructure::Clouds(_)) {
            self.push(
                "--copy-credentials: this plan launches on no cloud whose credentials could be \
                 copied; name one with -c, or leave the flag out"
                    .to_owned(),
            );
        }
    }

    fn idle_infrastructure(
        &mut self,
        request: &LoadRequest,
        chosen: &Infrastructure,
        scenarios: &[PlannedScenario],
    ) {
        let is_used = needs_of(scenarios).iter().any(|need| need.takes_infrastructure());
        // A cloud changes what the server answers and holds, also where nothing is launched.
        if !request.infra.is_empty() && *chosen == Infrastructure::Loopback && !is_used {
            self.push(
                "-c loopback: no scenario of this plan needs an infrastructure; leave -c out, or \
                 name one that does with -r or --apis, such as `-r launch`"
                    .to_owned(),
            );
        }
    }

    fn idle_async(
        &mut self,
        request: &LoadRequest,
        infrastructure: &Choice,
        scenarios: &[PlannedScenario],
    ) {
        let can_be_async = |planned: &PlannedScenario| matches!(&Scenario::of(planned.id).work, Work::Cli(command) if command.can_be_async);
        if request.run_async && !scenarios.iter().any(can_be_async) {
            let reason = infrastructure.reason_for_none.as_deref();
            self.push(format!(
                "--run-async: no CLI scenario of this plan launches anything{}; leave it out, or \
                 name one with -r: launch, jobs",
                reason.map_or_else(String::new, |reason| format!(" ({reason})"))
            ));
        }
    }
}
