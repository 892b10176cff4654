//! Which scenarios run, and with how many users.

use super::{Mistakes, Users};
use crate::config::Profile;
use crate::plan::{LoadRequest, PlannedScenario, ServerTarget};
use crate::scenario::{ScenarioId, ScenarioKind};

impl Mistakes {
    pub(super) fn scenarios(
        &mut self,
        request: &LoadRequest,
        profile: &Profile,
        users: Users,
        server: &ServerTarget,
    ) -> Vec<PlannedScenario> {
        let named = !request.requests.is_empty() || !request.apis.is_empty();
        let (cli, api) = if named {
            // As in the original: naming one kind leaves the other out.
            (request.requests.join(" "), request.apis.join(" "))
        } else {
            (profile.requests.clone(), profile.apis.clone())
        };
        let mut chosen = self.select("--apis", ScenarioKind::Api, &api);
        chosen.extend(self.select("-r", ScenarioKind::Cli, &cli));
        if chosen.is_empty() && self.0.is_empty() {
            self.push("no scenario is left to run; name one with -r or --apis".to_owned());
        }
        if let ServerTarget::Remote(url) = server
            && !url.username().is_empty()
            && chosen.iter().any(|id| id.kind() == ScenarioKind::Cli)
        {
            // The address would be visible to everybody in the process list.
            self.push("-r: CLI scenarios cannot be given a URL with a password in it".to_owned());
        }
        let mut planned: Vec<PlannedScenario> =
            chosen.into_iter().map(|id| users.plan(id)).collect();
        planned.push(users.plan(ScenarioId::ProbeHealth));
        planned
    }

    /// The scenarios of one kind that a list names, without repetition and in
    /// the table's order.
    fn select(&mut self, flag: &str, kind: ScenarioKind, list: &str) -> Vec<ScenarioId> {
        let mut chosen = Vec::new();
        for word in list.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "all" => chosen.extend(ScenarioId::of_kind(kind)),
                "none" => {}
                _ => match ScenarioId::of_kind(kind).find(|id| id.name() == word) {
                    Some(id) => chosen.push(id),
                    None => {
                        let known = || ScenarioId::of_kind(kind).map(ScenarioId::name);
                        self.push(format!(
                            "{flag}: no {} scenario is called `{word}`; choose among {}, all",
                            kind.name(),
                            known().collect::<Vec<_>>().join(", ")
                        ));
                    }
                },
            }
        }
        ScenarioId::of_kind(kind).filter(|id| chosen.contains(id)).collect()
    }
}
