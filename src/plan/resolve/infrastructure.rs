//! What clusters, jobs and services are launched on.

use super::{Resolver, takes_infrastructure};
use crate::config::suggest;
use crate::infrastructure::{CLOUDS, Infrastructure};
use crate::plan::{Machine, ServerTarget};
use crate::scenario::ScenarioId;

/// What was chosen, and why it is nothing where it could have been something.
pub(super) struct Choice {
    pub(super) chosen: Infrastructure,
    pub(super) reason_for_none: Option<String>,
}

impl Choice {
    const fn of(chosen: Infrastructure) -> Self {
        Self { chosen, reason_for_none: None }
    }

    fn none(reason: impl Into<String>) -> Self {
        Self { chosen: Infrastructure::None, reason_for_none: Some(reason.into()) }
    }

    /// The same, unless nothing is launched on an infrastructure of ours: a server that has no
    /// use for it is not given it, and must refuse what a server without one must refuse.
    pub(super) fn unless_idle(self, scenarios: &[ScenarioId]) -> Self {
        match self.chosen {
            Infrastructure::Loopback if !takes_infrastructure(scenarios) => {
                Self { chosen: Infrastructure::None, ..self }
            }
            _ => self,
        }
    }
}

impl Resolver<'_> {
    pub(super) fn infrastructure(&mut self, server: &ServerTarget) -> Choice {
        let (request, machine) = (self.request, self.machine);
        let typed = request.infra.join(" ");
        if request.keep_server && request.copy_credentials {
            self.error(
                "--keep-server: copied credentials are for the time of the run; leave out \
                 --copy-credentials or --keep-server"
                    .to_owned(),
            );
        }
        let (place, list) = match (&typed, &self.settings.infra) {
            (typed, _) if !typed.is_empty() => ("-c", typed.as_str()),
            (_, Some(list)) => ("infra", list.as_str()),
            _ if request.keep_server => {
                return Choice::none("a kept server would lose its nodes (--keep-server)");
            }
            _ => return by_default(server, machine),
        };
        let mut words: Vec<String> = Vec::new();
        for word in list.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty()) {
            let word = canonical(word);
            if !words.contains(&word) {
                words.push(word);
            }
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] => {
                self.error(format!("{place}: `{list}` names no infra"));
                Choice::none(format!("{place} names none"))
            }
            ["none"] => Choice::none(format!("{place} is none")),
            ["loopback"] if request.keep_server => {
                self.error(format!(
                    "{place}: a server that is kept would lose its nodes; leave out --keep-server, \
                     or add `-c none`"
                ));
                Choice::none("--keep-server")
            }
            ["loopback"] => match server {
                ServerTarget::Isolated { .. } => match &machine.loopback_obstacle {
                    None => Choice::of(Infrastructure::Loopback),
                    // A file is for many machines; what is typed is for this one.
                    Some(obstacle) if place == "infra" => Choice::none(obstacle),
                    Some(obstacle) => {
                        self.error(format!("-c loopback: {obstacle}"));
                        Choice::none(obstacle)
                    }
                },
                ServerTarget::System | ServerTarget::Remote(_) => {
                    self.error(format!(
                        "{place}: only a server of our own can be given the loopback \
                         infrastructure; leave out --server, or name an infrastructure that the \
                         server has"
                    ));
                    Choice::none("the server is not isolated")
                }
            },
            clouds => self.clouds(place, clouds, server),
        }
    }

    fn clouds(&mut self, place: &str, clouds: &[&str], server: &ServerTarget) -> Choice {
        for word in clouds {
            let cloud = word.split('/').next().unwrap_or_default();
            if matches!(*word, "none" | "loopback") {
                self.error(format!("{place}: `{word}` cannot be combined with other values"));
            } else if !CLOUDS.contains(&cloud) {
                let known = CLOUDS.into_iter().chain(["loopback", "none"]);
                self.error(format!("{place}: unknown infra `{word}`; {}", suggest(cloud, known)));
            }
        }
        if matches!(server, ServerTarget::Isolated { .. }) && !self.request.copy_credentials {
            self.error(format!(
                "{place}: an isolated server has no credentials for {}\n  hint: --server system \
                 tests your own server, which has; --copy-credentials copies yours into the \
                 isolated one for the time of the run",
                clouds.join(", ")
            ));
        }
        Choice::of(Infrastructure::Clouds(clouds.iter().map(|word| (*word).to_owned()).collect()))
    }
}

/// One spelling for what SkyPilot takes in several.
fn canonical(infra: &str) -> String {
    let (cloud, rest) = match infra.split_once('/') {
        Some((cloud, rest)) => (cloud, format!("/{rest}")),
        None => (infra, String::new()),
    };
    let cloud = match cloud.to_lowercase().as_str() {
        "k8s" => "kubernetes".to_owned(),
        "digitalocean" => "do".to_owned(),
        cloud => cloud.to_owned(),
    };
    cloud + &rest
}

fn by_default(server: &ServerTarget, machine: &Machine) -> Choice {
    match (server, &machine.loopback_obstacle) {
        (ServerTarget::Isolated { .. }, None) => Choice::of(Infrastructure::Loopback),
        (ServerTarget::Isolated { .. }, Some(obstacle)) => Choice::none(obstacle),
        (ServerTarget::System | ServerTarget::Remote(_), _) => {
            Choice::none("launches on a local or remote server need -c")
        }
    }
}
