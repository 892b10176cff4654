//! Flags that have no effect in a plan: usage errors, since the user expects an effect.

use super::infrastructure::Choice;
use super::{Resolver, takes_infrastructure};
use crate::infrastructure::{Infrastructure, LocalInfra};
use crate::plan::ServerTarget;
use crate::scenario::{Mix, Scenario, ScenarioId, ScenarioKind};

impl Resolver<'_> {
    pub(super) fn unused_flags(
        &mut self,
        server: &ServerTarget,
        infrastructure: &Choice,
        scenarios: &[ScenarioId],
        mix: Option<&Mix>,
    ) {
        self.unused_credentials(server, &infrastructure.chosen);
        self.unused_emulation(&infrastructure.chosen);
        // If all scenario names are wrong, it is unknown which scenarios were meant.
        if scenarios.iter().any(|id| id.kind() != ScenarioKind::Probe) {
            self.unused_infra(&infrastructure.chosen, scenarios, mix);
            self.unused_async(infrastructure, scenarios);
            self.unused_users(scenarios);
        }
    }

    fn unused_credentials(&mut self, server: &ServerTarget, chosen: &Infrastructure) {
        if !self.request.copy_credentials {
            return;
        }
        if !matches!(server, ServerTarget::Isolated { .. }) {
            self.error(
                "--copy-credentials: only for an isolated server, other servers have their own; \
                 remove --server or --copy-credentials"
                    .to_owned(),
            );
        } else if !matches!(chosen, Infrastructure::Clouds(_)) {
            self.error(
                "--copy-credentials: this plan launches on no cloud; name one with -c, or remove \
                 --copy-credentials"
                    .to_owned(),
            );
        }
    }

    fn unused_emulation(&mut self, chosen: &Infrastructure) {
        let (aws, kubernetes) = [LocalInfra::EmulatedAws, LocalInfra::EmulatedKubernetes]
            .map(|it| chosen.uses(it))
            .into();
        if self.request.catalog.is_some() && !aws && !kubernetes {
            self.error(
                "--catalog: only for emulated infras; add `-c emulated-aws`, or remove --catalog"
                    .to_owned(),
            );
        }
        if self.request.kubernetes_size.is_some() && !kubernetes {
            self.error(
                "--kubernetes-size: only for `-c emulated-kubernetes`; add it, or remove \
                 --kubernetes-size"
                    .to_owned(),
            );
        }
    }

    fn unused_infra(
        &mut self,
        chosen: &Infrastructure,
        scenarios: &[ScenarioId],
        mix: Option<&Mix>,
    ) {
        let is_named = !self.request.infra.is_empty();
        // A cloud is no error: enabled clouds change the server's responses and its memory even
        // if nothing is launched.
        if is_named
            && *chosen == Infrastructure::local(LocalInfra::Loopback)
            && !takes_infrastructure(scenarios, mix)
        {
            self.error(
                "-c loopback: no selected scenario launches anything; remove it, or add one that \
                 does, such as `-r launch`"
                    .to_owned(),
            );
        }
    }

    fn unused_users(&mut self, scenarios: &[ScenarioId]) {
        if self.request.distinct_users && !scenarios.iter().any(|id| id.kind() == ScenarioKind::Api)
        {
            self.error(
                "--distinct-users: no API scenario is selected, and each process of a CLI \
                 scenario is a SkyPilot user already; remove it, or add one with --api"
                    .to_owned(),
            );
        }
    }

    fn unused_async(&mut self, infrastructure: &Choice, scenarios: &[ScenarioId]) {
        let can_be_async = |id: &ScenarioId| Scenario::of(*id).can_be_async();
        if self.request.run_async && !scenarios.iter().any(can_be_async) {
            let reason = infrastructure.reason_for_none.as_deref();
            self.error(format!(
                "--run-async: no selected CLI scenario launches anything{}; remove it, or add one \
                 that does: `-r launch`, `-r jobs`",
                reason.map_or_else(String::new, |reason| format!(" ({reason})"))
            ));
        }
    }
}
