//! Selection of scenarios: `--api`, `--cli`, `--hold`, and the settings of a plan.

use std::collections::BTreeMap;

use super::Resolver;
use super::held::Held;
use super::infrastructure::Choice;
use crate::config::suggest;
use crate::infrastructure::LocalInfra;
use crate::plan::planned::parts;
use crate::plan::{LeftOut, ServerTarget};
use crate::record::request::LoadRequest;
use crate::scenario::{Feature, Mix, Need, ScenarioId, ScenarioKind};

/// Selected scenarios.
pub(super) struct Selection {
    /// Scenarios of the plan, and the health probe.
    pub(super) scenarios: Vec<ScenarioId>,
    /// Operations of `api:mix`, if it is among the scenarios.
    pub(super) mix: Option<Mix>,
    /// Scenarios of the lists that no infra of the run supports.
    pub(super) left_out: Vec<LeftOut>,
    /// Numbers of connections that scenarios hold.
    pub(super) held: Held,
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
        let (cli, api, hold) = if named {
            // As upstream: selecting scenarios of one kind deselects those of the others.
            (request.cli.join(" "), request.api.join(" "), request.hold.join(" "))
        } else {
            (settings.cli.clone(), settings.api.clone(), settings.hold.clone())
        };
        let mix = self.mix();
        let mut chosen = self.select("--api", ScenarioKind::Api, &api);
        chosen.extend(mix.iter().map(|_| ScenarioId::ApiMix));
        chosen.extend(self.select("-r", ScenarioKind::Cli, &cli));
        if has_script {
            chosen.push(ScenarioId::CliScript);
        }
        let held = self.held(&hold);
        chosen.extend(held.keys());
        let infras = infrastructure.chosen.names();
        let is_supported = |id: &ScenarioId| {
            let parts = parts(*id, mix.as_ref());
            let is_on = |infra: &String| {
                parts.iter().all(|(part, _)| infrastructure.lacking(part, infra).is_none())
            };
            let takes_infra = parts
                .iter()
                .any(|(part, _)| part.takes_infra() && part.needs != Need::OptionalInfrastructure);
            !takes_infra || infras.iter().any(is_on)
        };
        let (mut scenarios, unsupported): (Vec<_>, Vec<_>) =
            chosen.into_iter().partition(is_supported);
        let words = |kind| match kind {
            ScenarioKind::Cli => &cli,
            ScenarioKind::Hold => &hold,
            ScenarioKind::Api | ScenarioKind::Probe => &api,
        };
        let is_named = |id: &ScenarioId| {
            let name = |word: &str| word.split('=').next() == Some(id.name());
            match id {
                ScenarioId::ApiMix => request.mix.is_some(),
                _ => named && words(id.kind()).split([',', ' ']).any(name),
            }
        };
        let impossible: Vec<_> = unsupported.iter().copied().filter(is_named).collect();
        self.impossible(&impossible, mix.as_ref(), server, infrastructure);
        // After another error, such as a misspelled scenario, this one would only repeat it.
        if scenarios.is_empty() && self.errors.is_empty() {
            self.error(
                "no scenario selected; select one with -r, --api, --mix, --hold or --script"
                    .to_owned(),
            );
        }
        scenarios.push(ScenarioId::ProbeHealth);
        let left_out = unsupported.into_iter().map(|id| {
            let needs = lacking(id, mix.as_ref(), infrastructure).name().to_owned();
            LeftOut { id, needs }
        });
        let left_out = left_out.collect();
        Selection { scenarios, mix, held, left_out }
    }

    /// Whether flags name the scenarios.
    pub(super) fn names_scenarios(&self) -> bool {
        let LoadRequest { cli, api, hold, mix, script, .. } = self.request;
        let lists = [cli, api, hold];
        mix.is_some() || script.is_some() || lists.into_iter().any(|list| !list.is_empty())
    }

    /// Adds an error for each feature that scenarios need and no infra of the run has.
    fn impossible(
        &mut self,
        ids: &[ScenarioId],
        mix: Option<&Mix>,
        server: &ServerTarget,
        infrastructure: &Choice,
    ) {
        let mut features: BTreeMap<Feature, Vec<String>> = BTreeMap::new();
        for id in ids {
            features.entry(lacking(*id, mix, infrastructure)).or_default().push(id.to_string());
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
fn lacking(id: ScenarioId, mix: Option<&Mix>, infrastructure: &Choice) -> Feature {
    let (parts, infras) = (parts(id, mix), infrastructure.chosen.names());
    let on =
        |infra: &String| parts.iter().find_map(|(part, _)| infrastructure.lacking(part, infra));
    let lacking = infras.iter().find_map(on);
    lacking.or_else(|| parts.iter().map(|(part, _)| part.requires).max()).unwrap_or(Feature::None)
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
