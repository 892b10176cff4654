//! Reasons why local infras cannot run on this machine, or with this SkyPilot.

use std::collections::BTreeMap;

use skyload::infrastructure::LocalInfra;

use crate::skypilot::SkyPilot;
use crate::{aws, slurm};

/// Reasons in one line each, of the infras that cannot run.
pub type Obstacles = BTreeMap<LocalInfra, String>;

/// Obstacles on this machine.
pub fn obstacles() -> Obstacles {
    of(LocalInfra::ALL, |infra| match infra {
        LocalInfra::Loopback => slurm::obstacle(),
        LocalInfra::EmulatedAws => aws::obstacle(),
        LocalInfra::EmulatedKubernetes => None,
    })
}

/// Obstacles to launching on `infras` with `sky`, as far as known without running `sky`.
pub fn obstacles_of(sky: &SkyPilot, infras: impl IntoIterator<Item = LocalInfra>) -> Obstacles {
    of(infras, |infra| match infra {
        LocalInfra::Loopback => slurm::obstacle_of(sky),
        LocalInfra::EmulatedAws => aws::obstacle_of(sky),
        LocalInfra::EmulatedKubernetes => None,
    })
}

fn of(
    infras: impl IntoIterator<Item = LocalInfra>,
    obstacle: impl Fn(LocalInfra) -> Option<String>,
) -> Obstacles {
    infras.into_iter().filter_map(|infra| Some((infra, obstacle(infra)?))).collect()
}
