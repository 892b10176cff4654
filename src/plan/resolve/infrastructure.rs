//! Infra that clusters, jobs and services are launched on: `-c` and the `infra` setting.

use std::collections::BTreeSet;

use super::Resolver;
use super::assignment::Assigned;
use crate::config::suggest;
use crate::infrastructure::{CLOUDS, Infrastructure, KubernetesSize, LocalInfra};
use crate::plan::{Machine, ServerTarget};

/// Infra of a plan.
pub(super) struct Choice {
    pub(super) chosen: Infrastructure,
    /// Reason for running without an infra.
    pub(super) reason_for_none: Option<String>,
}

impl Choice {
    const fn of(chosen: Infrastructure) -> Self {
        Self { chosen, reason_for_none: None }
    }

    fn none(reason: impl Into<String>) -> Self {
        Self { chosen: Infrastructure::None, reason_for_none: Some(reason.into()) }
    }

    /// Choice without local infras on which no scenario runs. Without any, the server returns the
    /// expected errors of a server without an infra. Clouds stay: being enabled, they change the
    /// server's responses and its memory.
    pub(super) fn unless_unused(self, scenarios: &[Assigned]) -> Self {
        let Infrastructure::Local(mut infras) = self.chosen else { return self };
        infras.retain(|infra| {
            let is_used = |one: &Assigned| one.infras.iter().any(|name| name == infra.infra());
            infra.has_cloud_libraries() || scenarios.iter().any(is_used)
        });
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
        let obstacles = &self.machine.obstacles;
        let obstacle = infras.iter().find_map(|infra| Some((infra, obstacles.get(infra)?)));
        let Some((infra, obstacle)) = obstacle else {
            return Choice::of(Infrastructure::Local(infras));
        };
        // A file is for many machines, so an obstacle on this one is no error; a flag is for this
        // machine.
        if place == "-c" {
            self.error(format!("-c {}: {obstacle}", infra.argument()));
        }
        Choice::none(obstacle)
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
