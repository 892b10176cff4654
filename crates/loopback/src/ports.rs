//! Ports of local infras, which tell the infras apart in records.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result};
use host::ports::{DAEMONS, is_free_on};
use serde::{Deserialize, Serialize};
use skyload::infrastructure::{KubernetesSize, LocalInfra};

use crate::slurm::SlurmPorts;

/// Ports of one local infra.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum InfraPorts {
    /// Ports of a loopback Slurm cluster.
    Slurm(SlurmPorts),
    /// Port of emulated AWS. Nodes have none on this machine.
    #[serde(rename_all = "kebab-case")]
    EmulatedAws {
        /// Port of AWS's API.
        aws_api: u16,
    },
    /// Port of emulated Kubernetes.
    #[serde(rename_all = "kebab-case")]
    EmulatedKubernetes {
        /// Port of Kubernetes's API.
        kubernetes_api: u16,
        /// Size of the cluster, which does not change while it runs.
        #[serde(default)]
        size: KubernetesSize,
    },
}

impl InfraPorts {
    /// Infra that has these ports.
    pub(crate) const fn infra(self) -> LocalInfra {
        match self {
            Self::Slurm(_) => LocalInfra::Loopback,
            Self::EmulatedAws { .. } => LocalInfra::EmulatedAws,
            Self::EmulatedKubernetes { .. } => LocalInfra::EmulatedKubernetes,
        }
    }
}

/// Free port for a cloud's API on loopback.
pub(crate) fn find_free_for_an_api() -> Result<u16> {
    let mut ports = DAEMONS.ports().into_iter();
    ports
        .find(|port| is_free_on(Ipv4Addr::LOCALHOST, *port))
        .context("finding a free port for a cloud's API")
}

#[cfg(test)]
impl InfraPorts {
    pub(crate) const fn for_tests() -> Self {
        Self::Slurm(SlurmPorts { ssh: 1, slurmctld: 2, slurmd: 3, skylets: 4 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_in_a_record_tell_the_infra() {
        let slurm = r#"{"ssh": 1, "slurmctld": 2, "slurmd": 3, "skylets": 4}"#;
        let kubernetes = r#"{"kubernetes-api": 1, "size": {"nodes": 2, "pods": 3}}"#;
        for (text, infra) in [
            (slurm, LocalInfra::Loopback),
            (r#"{"aws-api": 1}"#, LocalInfra::EmulatedAws),
            (kubernetes, LocalInfra::EmulatedKubernetes),
        ] {
            let ports: InfraPorts = serde_json::from_str(text).unwrap();
            assert_eq!(ports.infra(), infra);
            assert_eq!(
                serde_json::to_value(ports).unwrap(),
                serde_json::from_str::<serde_json::Value>(text).unwrap()
            );
        }
    }
}
