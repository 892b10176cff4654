//! Reasons why local infras cannot run on this machine, or with this SkyPilot.

use std::collections::BTreeMap;

use host::workspace::Workspace;
use skyload::infrastructure::LocalInfra;

use crate::skypilot::SkyPilot;
use crate::{aws, slurm};

/// Reasons in one line each, by infra.
pub type Obstacles = BTreeMap<LocalInfra, String>;

/// Obstacles that depend on the SkyPilot that launches.
pub struct ObstaclesOfSky {
    /// Reasons why infras cannot run.
    pub obstacles: Obstacles,
    /// Reasons why infras have no nodes.
    pub without_nodes: Obstacles,
}

/// Reasons why infras cannot run on this machine.
pub fn obstacles() -> Obstacles {
    of(LocalInfra::ALL, |infra| match infra {
        LocalInfra::Loopback => slurm::obstacle(),
        LocalInfra::EmulatedAws | LocalInfra::EmulatedKubernetes => None,
    })
}

/// Reasons why infras have no nodes on this machine, of those that run without: nothing can be
/// launched, and their control plane answers.
pub fn without_nodes(workspace: &Workspace) -> Obstacles {
    of([LocalInfra::EmulatedAws], |_| aws::nodes::obstacle(workspace))
}

/// Reason why the tests of emulated AWS's nodes are skipped on this machine; `None` if they run.
pub fn obstacle_to_tests_of_nodes() -> Option<String> {
    aws::nodes::obstacle_in(&std::env::temp_dir())
}

/// Obstacles to `infras` with `sky`, as far as known without running `sky`.
pub fn obstacles_of(
    sky: &SkyPilot,
    infras: impl IntoIterator<Item = LocalInfra> + Clone,
) -> ObstaclesOfSky {
    ObstaclesOfSky {
        obstacles: of(infras.clone(), |infra| match infra {
            LocalInfra::Loopback => slurm::obstacle_of(sky),
            LocalInfra::EmulatedAws | LocalInfra::EmulatedKubernetes => None,
        }),
        without_nodes: of(infras, |infra| match infra {
            LocalInfra::EmulatedAws => aws::nodes::obstacle_of(sky),
            LocalInfra::Loopback | LocalInfra::EmulatedKubernetes => None,
        }),
    }
}

fn of(
    infras: impl IntoIterator<Item = LocalInfra>,
    obstacle: impl Fn(LocalInfra) -> Option<String>,
) -> Obstacles {
    infras.into_iter().filter_map(|infra| Some((infra, obstacle(infra)?))).collect()
}
