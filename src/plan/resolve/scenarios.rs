//! Selection of scenarios: `--api`, `--cli`, and the settings of a plan.

use super::Resolver;
use super::infrastructure::Choice;
use crate::config::suggest;
use crate::infrastructure::Infrastructure;
use crate::scenario::{Scenario, ScenarioId, ScenarioKind};

impl Resolver<'_> {
    /// Selected scenarios, and the health probe.
    pub(super) fn scenarios(&mut self, infrastructure: &Choice) -> Vec<ScenarioId> {
        let (request, settings) = (self.request, self.settings);
        let named = !request.cli.is_empty() || !request.api.is_empty();
        let (cli, api) = if named {
            // As upstream: selecting scenarios of one kind deselects those of the other.
            (request.cli.join(" "), request.api.join(" "))
        } else {
            (settings.cli.clone(), settings.api.clone())
        };
        let mut chosen = self.select("--api", ScenarioKind::Api, &api);
        chosen.extend(self.select("-r", ScenarioKind::Cli, &cli));
        if infrastructure.chosen == Infrastructure::None {
            self.remove_those_that_launch(&mut chosen, named, &[&cli, &api], infrastructure);
        }
        // After another error, such as a misspelled scenario, this one would only repeat it.
        if chosen.is_empty() && self.errors.is_empty() {
            self.error("no scenario selected; select one with -r or --api".to_owned());
        }
        chosen.push(ScenarioId::ProbeHealth);
        chosen
    }

    /// Removes scenarios that need an infra. A scenario that a flag names is a usage error; those
    /// selected by `all` or by the plan are removed silently.
    fn remove_those_that_launch(
        &mut self,
        chosen: &mut Vec<ScenarioId>,
        by_flag: bool,
        lists: &[&str],
        infrastructure: &Choice,
    ) {
        let words: Vec<&str> = lists.iter().flat_map(|list| list.split([',', ' '])).collect();
        let needs_infra = |id: &ScenarioId| Scenario::of(*id).needs.takes_infrastructure();
        let is_named = |id: &&ScenarioId| by_flag && words.contains(&id.name());
        let impossible: Vec<String> = chosen
            .iter()
            .filter(|id| needs_infra(id))
            .filter(is_named)
            .map(ToString::to_string)
            .collect();
        if !impossible.is_empty() {
            let reason = infrastructure.reason_for_none.as_deref().unwrap_or("-c none");
            self.error(format!("{} cannot run without an infra: {reason}", impossible.join(", ")));
        }
        chosen.retain(|id| !needs_infra(id));
    }

    /// Scenarios of one kind that a list names, each once and in the order of the scenario table.
    fn select(&mut self, flag: &str, kind: ScenarioKind, list: &str) -> Vec<ScenarioId> {
        let mut chosen = Vec::new();
        for word in list.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "all" => chosen.extend(ScenarioId::of_kind(kind)),
                "none" => {}
                _ => match ScenarioId::of_kind(kind).find(|id| id.name() == word) {
                    Some(id) => chosen.push(id),
                    None => {
                        let mut known: Vec<_> =
                            ScenarioId::of_kind(kind).map(ScenarioId::name).collect();
                        known.push("all");
                        self.error(format!(
                            "{flag}: unknown {} scenario `{word}`; {}",
                            kind.name(),
                            suggest(word, known.iter().copied())
                        ));
                    }
                },
            }
        }
        ScenarioId::of_kind(kind).filter(|id| chosen.contains(id)).collect()
    }
}
