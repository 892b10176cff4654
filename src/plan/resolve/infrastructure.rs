//! Infra that clusters, jobs and services are launched on: `-c` and the `infra` setting.

use std::collections::{BTreeMap, BTreeSet};

use super::Resolver;
use crate::config::suggest;
use crate::infrastructure::{CLOUDS, Infrastructure, KubernetesSize, LocalInfra};
use crate::plan::{Machine, ServerTarget};
use crate::scenario::{Feature, Scenario};

/// Infra of a plan.
pub(super) struct Choice {
    pub(super) chosen: Infrastructure,
    /// Reason for running without an infra, or without some of those that a file names.
    pub(super) reason_for_none: Option<String>,
    /// Reasons why chosen infras have no nodes.
    without_nodes: BTreeMap<LocalInfra, String>,
}

impl Choice {
    const fn of(chosen: Infrastructure) -> Self {
        Self { chosen, reason_for_none: None, without_nodes: BTreeMap::new() }
    }

    fn none(reason: impl Into<String>) -> Self {
        let reason_for_none = Some(reason.into());
        Self { chosen: Infrastructure::None, reason_for_none, without_nodes: BTreeMap::new() }
    }

    /// Feature that a scenario requires and an infra lacks; `None` if the scenario can run on
    /// the infra.
    pub(super) fn lacking(&self, scenario: &Scenario, infra: &str) -> Option<Feature> {
        let local = LocalInfra::with_infra(infra).filter(|local| self.chosen.uses(*local));
        let has_nodes = local.is_none_or(|local| !self.without_nodes.contains_key(&local));
        match !has_nodes && scenario.needs.takes_infrastructure() {
            true => Some(Feature::Nodes),
            false => scenario.lacking_on(infra),
        }
    }

    /// Reasons why chosen infras have no nodes.
    pub(super) fn reasons_without_nodes(&self) -> impl Iterator<Item = &str> {
        self.without_nodes.values().map(String::as_str)
    }

    /// Choice without local infras that are not `used` by a scenario. Without any, the server returns the
    /// expected errors of a server without an infra. Clouds stay: being enabled, they change the
    /// server's responses and its memory.
    pub(super) fn unless_unused(self, used: &BTreeSet<&str>) -> Self {
        let Infrastructure::Local(mut infras) = self.chosen else { return self };
        infras.retain(|infra| infra.has_cloud_libraries() || used.contains(infra.infra()));
        let chosen = match infras.is_empty() {
            true => Infrastructure::None,
            false => Infrastructure::Local(infras),
        };
        Self { chosen, ..self }
    }
}

impl Resolver<'_> {
    pub(super) fn infrastructure(&mut self, server: &ServerTarget) -> Choice {
        let (request, machine) = (self.request, self.machine);
        let typed = request.infra.join(" ");
        if request.keep_server && request.copy_credentials {
            self.error(
                "--keep-server: copied credentials are removed after the run; remove \
                 --copy-credentials or --keep-server"
                    .to_owned(),
            );
        }
        let (place, list) = match (&typed, &self.settings.infra) {
            (typed, _) if !typed.is_empty() => ("-c", typed.as_str()),
            (_, Some(list)) => ("infra", list.as_str()),
            _ if request.keep_server => {
                // Nodes of the loopback Slurm cluster are removed with the run.
                return Choice::none("a kept server would lose its nodes (--keep-server)");
            }
            _ => return by_default(server, machine),
        };
        let mut words: Vec<String> = Vec::new();
        for word in list.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty()) {
            let word = canonical(word);
            // A repeated infra would multiply its users and shared resources.
            if !words.contains(&word) {
                words.push(word);
            }
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] => {
                self.error(format!("{place}: expected an infra, got `{list}`"));
                Choice::none(format!("{place} names no infra"))
            }
            ["none"] => Choice::none(format!("{place} is none")),
            words if words.iter().all(|word| LocalInfra::with_argument(word).is_some()) => {
                let infras = words.iter().filter_map(|word| LocalInfra::with_argument(word));
                self.local(place, infras.collect(), server)
            }
            clouds => self.clouds(place, clouds, server),
        }
    }

    /// Size of emulated Kubernetes, typed or the default.
    pub(super) fn kubernetes_size(&mut self) -> KubernetesSize {
        let typed = self.request.kubernetes_size.as_deref().map(str::parse);
        match typed.transpose() {
            Ok(size) => size.unwrap_or_default(),
            Err(message) => {
                self.error(format!("--kubernetes-size: {message}"));
                KubernetesSize::default()
            }
        }
    }

    fn local(
        &mut self,
        place: &str,
        infras: BTreeSet<LocalInfra>,
        server: &ServerTarget,
    ) -> Choice {
        if self.request.keep_server {
            self.error(format!(
                "{place}: a kept server would lose its nodes; remove --keep-server, or add `-c \
                 none`"
            ));
            return Choice::none("--keep-server");
        }
        if !matches!(server, ServerTarget::Isolated { .. }) {
            let names: Vec<&str> = infras.iter().map(|infra| infra.name()).collect();
            self.error(format!(
                "{place}: only an isolated server can use {}; remove --server, or name an infra \
                 that the server has enabled",
                names.join(" and ")
            ));
            return Choice::none("the server is not isolated");
        }
        let (machine, is_typed) = (self.machine, place == "-c");
        let mut obstacles = Vec::new();
        for (infra, obstacle) in &machine.obstacles {
            if !infras.contains(infra) {
                continue;
            }
            // A file is for many machines, so an obstacle on this one is no error; a flag is for
            // this machine.
            match is_typed {
                true => self.error(format!("-c {}: {obstacle}", infra.argument())),
                false => obstacles.push(obstacle.clone()),
            }
        }
        let mut usable = infras;
        usable.retain(|infra| is_typed || !machine.obstacles.contains_key(infra));
        if usable.is_empty() {
            return Choice::none(obstacles.join("; "));
        }
        let without_nodes: BTreeMap<LocalInfra, String> = usable
            .iter()
            .filter_map(|infra| Some((*infra, machine.without_nodes.get(infra)?.clone())))
            .collect();
        obstacles.extend(without_nodes.values().cloned());
        let reason_for_none = (!obstacles.is_empty()).then(|| obstacles.join("; "));
        Choice { chosen: Infrastructure::Local(usable), reason_for_none, without_nodes }
    }

    fn clouds(&mut self, place: &str, clouds: &[&str], server: &ServerTarget) -> Choice {
        for word in clouds {
            let cloud = word.split('/').next().unwrap_or_default();
            if *word == "none" {
                self.error(format!("{place}: `{word}` cannot be combined with other values"));
            } else if LocalInfra::with_argument(word).is_some() {
                self.error(format!("{place}: `{word}` cannot be combined with infras of yours"));
            } else if !CLOUDS.contains(&cloud) {
                let local = LocalInfra::ALL.map(LocalInfra::argument);
                let known = CLOUDS.into_iter().chain(local).chain(["none"]);
                self.error(format!("{place}: unknown infra `{word}`; {}", suggest(cloud, known)));
            }
        }
        if matches!(server, ServerTarget::Isolated { .. }) && !self.request.copy_credentials {
            self.error(format!(
                "{place}: the isolated server has no credentials for {}\n  hint: use \
                 --copy-credentials (removed after the run), or --server system for your local \
                 server",
                clouds.join(", ")
            ));
        }
        Choice::of(Infrastructure::Clouds(clouds.iter().map(|word| (*word).to_owned()).collect()))
    }
}

/// Infra in one spelling where SkyPilot accepts several.
fn canonical(infra: &str) -> String {
    let (cloud, rest) = match infra.split_once('/') {
        Some((cloud, rest)) => (cloud, format!("/{rest}")),
        None => (infra, String::new()),
    };
    // Only the cloud: names of regions and Slurm clusters after the slash may be case-sensitive.
    let cloud = match cloud.to_lowercase().as_str() {
        "k8s" => "kubernetes".to_owned(),
        "digitalocean" => "do".to_owned(),
        cloud => cloud.to_owned(),
    };
    cloud + &rest
}

fn by_default(server: &ServerTarget, machine: &Machine) -> Choice {
    match (server, machine.obstacles.get(&LocalInfra::Loopback)) {
        (ServerTarget::Isolated { .. }, None) => {
            Choice::of(Infrastructure::local(LocalInfra::Loopback))
        }
        (ServerTarget::Isolated { .. }, Some(obstacle)) => Choice::none(obstacle),
        (ServerTarget::System | ServerTarget::Remote(_), _) => {
            Choice::none("launches on a local or remote server need -c")
        }
    }
}
