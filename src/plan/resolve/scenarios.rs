//! Selection of scenarios: `--api`, `--cli`, and the settings of a plan.

use std::collections::BTreeMap;

use super::Resolver;
use super::infrastructure::Choice;
use crate::config::suggest;
use crate::infrastructure::LocalInfra;
use crate::plan::{LeftOut, ServerTarget};
use crate::record::request::LoadRequest;
use crate::scenario::{Feature, Need, Scenario, ScenarioId, ScenarioKind};

/// Selected scenarios.
pub(super) struct Selection {
    /// Scenarios of the plan, and the health probe.
    pub(super) scenarios: Vec<ScenarioId>,
    /// Scenarios of the lists that no infra of the run supports.
    pub(super) left_out: Vec<LeftOut>,
}

impl Resolver<'_> {
    /// Selected scenarios. One that no infra of the run supports is a usage error if a flag names
    /// it, and is left out if it is selected by `all` or by the plan.
    pub(super) fn scenarios(
        &mut self,
        server: &ServerTarget,
        infrastructure: &Choice,
        has_script: bool,
    ) -> Selection {
        let (request, settings) = (self.request, self.settings);
        let named = self.names_scenarios();
        let (cli, api) = if named {
            // As upstream: selecting scenarios of one kind deselects those of the other.
            (request.cli.join(" "), request.api.join(" "))
        } else {
            (settings.cli.clone(), settings.api.clone())
        };
        let mut chosen = self.select("--api", ScenarioKind::Api, &api);
        chosen.extend(self.select("-r", ScenarioKind::Cli, &cli));
        if has_script {
            chosen.push(ScenarioId::CliScript);
        }
        let infras = infrastructure.chosen.names();
        let is_supported = |id: &ScenarioId| {
            let scenario = Scenario::of(*id);
            !scenario.takes_infra()
                || scenario.needs == Need::OptionalInfrastructure
                || infras.iter().any(|infra| infrastructure.lacking(scenario, infra).is_none())
        };
        let (mut scenarios, unsupported): (Vec<_>, Vec<_>) =
            chosen.into_iter().partition(is_supported);
        let words = |kind| if kind == ScenarioKind::Cli { &cli } else { &api };
        let is_named = |id: &ScenarioId| {
            named && words(id.kind()).split([',', ' ']).any(|word| word == id.name())
        };
        let impossible: Vec<_> = unsupported.iter().copied().filter(is_named).collect();
        self.impossible(&impossible, server, infrastructure);
        // After another error, such as a misspelled scenario, this one would only repeat it.
        if scenarios.is_empty() && self.errors.is_empty() {
            self.error("no scenario selected; select one with -r, --api or --script".to_owned());
        }
        scenarios.push(ScenarioId::ProbeHealth);
        let left_out = unsupported.into_iter().map(|id| {
            let needs = lacking(id, infrastructure).name().to_owned();
            LeftOut { id, needs }
        });
        Selection { scenarios, left_out: left_out.collect() }
    }

    /// Whether flags name the scenarios.
    pub(super) fn names_scenarios(&self) -> bool {
        let LoadRequest { cli, api, script, .. } = self.request;
        !cli.is_empty() || !api.is_empty() || script.is_some()
    }

    /// Adds an error for each feature that scenarios need and no infra of the run has.
    fn impossible(&mut self, ids: &[ScenarioId], server: &ServerTarget, infrastructure: &Choice) {
        let mut features: BTreeMap<Feature, Vec<String>> = BTreeMap::new();
        for id in ids {
            features.entry(lacking(*id, infrastructure)).or_default().push(id.to_string());
        }
        let infras = infrastructure.chosen.names();
        for (feature, ids) in features {
            let (ids, reason) = (ids.join(", "), infrastructure.reason_for_none.as_deref());
            let missing = match infras.is_empty() {
                true => {
                    format!("{ids} cannot run without an infra: {}", reason.unwrap_or("-c none"))
                }
                false => {
                    let why: String = match feature {
                        Feature::Nodes => infrastructure
                            .reasons_without_nodes()
                            .map(|reason| format!(" ({reason})"))
                            .collect(),
                        _ => String::new(),
                    };
                    let (name, infras) = (feature.name(), infras.join(", "));
                    format!("{ids}: expected {name}, got {infras}{why}")
                }
            };
            self.error(match feature {
                Feature::None => missing,
                Feature::Nodes | Feature::Cloud | Feature::Stop => {
                    format!("{missing}\n  hint: {}", with(feature, server))
                }
            });
        }
    }

    /// Scenarios of one kind that a list names, each once and in the order of the scenario table.
    fn select(&mut self, flag: &str, kind: ScenarioKind, list: &str) -> Vec<ScenarioId> {
        let mut chosen = Vec::new();
        let listed = || ScenarioId::of_kind(kind).filter(|id| id.is_listed());
        for word in list.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "all" => chosen.extend(listed().filter(|id| id.is_in_all())),
                "none" => {}
                _ => match listed().find(|id| id.name() == word) {
                    Some(id) => chosen.push(id),
                    None => {
                        let mut known: Vec<_> = listed().map(ScenarioId::name).collect();
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

/// Feature that a scenario requires and that the infras lack.
fn lacking(id: ScenarioId, infrastructure: &Choice) -> Feature {
    let (scenario, infras) = (Scenario::of(id), infrastructure.chosen.names());
    let lacking = infras.iter().find_map(|infra| infrastructure.lacking(scenario, infra));
    lacking.unwrap_or(scenario.requires)
}

/// Step towards an infra with a feature, as an imperative.
fn with(feature: Feature, server: &ServerTarget) -> String {
    match server {
        ServerTarget::Isolated { .. } => {
            let infras = LocalInfra::ALL.into_iter().filter(|local| feature.is_on(local.infra()));
            let flags: Vec<String> =
                infras.map(|infra| format!("-c {}", infra.argument())).collect();
            format!("use {}", flags.join(" or "))
        }
        ServerTarget::System | ServerTarget::Remote(_) => {
            format!("name {} that the server has enabled, such as -c aws", feature.name())
        }
    }
}
