//! Which scenarios run.

use super::Resolver;
use super::infrastructure::Choice;
use crate::config::suggest;
use crate::infrastructure::Infrastructure;
use crate::scenario::{Scenario, ScenarioId, ScenarioKind};

impl Resolver<'_> {
    /// The scenarios that were chosen, and the health probe.
    pub(super) fn scenarios(&mut self, infrastructure: &Choice) -> Vec<ScenarioId> {
        let (request, settings) = (self.request, self.settings);
        let named = !request.cli.is_empty() || !request.api.is_empty();
        let (cli, api) = if named {
            // As in the original: naming one kind leaves the other out.
            (request.cli.join(" "), request.api.join(" "))
        } else {
            (settings.cli.clone(), settings.api.clone())
        };
        let mut chosen = self.select("--api", ScenarioKind::Api, &api);
        chosen.extend(self.select("-r", ScenarioKind::Cli, &cli));
        if infrastructure.chosen == Infrastructure::None {
            self.leave_out_what_needs_one(&mut chosen, named, &[&cli, &api], infrastructure);
        }
        if chosen.is_empty() && self.errors.is_empty() {
            self.error("no scenario selected; name one with -r or --api".to_owned());
        }
        chosen.push(ScenarioId::ProbeHealth);
        chosen
    }

    /// Without an infrastructure, scenarios that need one are left out; one that
    /// was asked for by its name in a flag must not be passed over.
    fn leave_out_what_needs_one(
        &mut self,
        chosen: &mut Vec<ScenarioId>,
        by_flag: bool,
        lists: &[&str],
        infrastructure: &Choice,
    ) {
        let words: Vec<&str> = lists.iter().flat_map(|list| list.split([',', ' '])).collect();
        let needs_one = |id: &ScenarioId| Scenario::of(*id).needs.takes_infrastructure();
        let asked_for = |id: &&ScenarioId| by_flag && words.contains(&id.name());
        let missed: Vec<String> = chosen
            .iter()
            .filter(|id| needs_one(id))
            .filter(asked_for)
            .map(ToString::to_string)
            .collect();
        if !missed.is_empty() {
            let reason = infrastructure.reason_for_none.as_deref().unwrap_or("-c none");
            self.error(format!(
                "{} cannot run without an infrastructure to launch on: {reason}",
                missed.join(", ")
            ));
        }
        chosen.retain(|id| !needs_one(id));
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
