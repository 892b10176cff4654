//! Ports of a loopback Slurm cluster, chosen at each start.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result};
use host::ports::{DAEMONS, is_free_on};
use serde::{Deserialize, Serialize};

/// First port of the range for skylets, which need one port for each SkyPilot cluster.
const SKYLETS: u16 = 24_000;
/// Distance between the first ports that different processes choose.
const SKYLETS_APART: u16 = 500;

/// Ports of a loopback Slurm cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SlurmPorts {
    pub(crate) ssh: u16,
    pub(crate) slurmctld: u16,
    pub(crate) slurmd: u16,
    /// First port for skylets.
    pub(crate) skylets: u16,
}

impl SlurmPorts {
    pub(crate) fn find_free() -> Result<Self> {
        let mut free =
            DAEMONS.ports().into_iter().filter(|port| is_free_on(Ipv4Addr::UNSPECIFIED, *port));
        let mut next = || free.next().context("finding a free port");
        // By pid, so that clusters of several state directories rarely share a range.
        let apart = u16::try_from(std::process::id() % 10).unwrap_or(0) * SKYLETS_APART;
        Ok(Self { ssh: next()?, slurmctld: next()?, slurmd: next()?, skylets: SKYLETS + apart })
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn ports_are_free_and_differ() {
        let taken = SlurmPorts::find_free().unwrap();
        let _held = TcpListener::bind((Ipv4Addr::LOCALHOST, taken.ssh)).unwrap();
        let found = SlurmPorts::find_free().unwrap();
        assert_ne!(found.ssh, taken.ssh);
        assert_ne!(found.ssh, found.slurmctld);
        assert_ne!(found.slurmctld, found.slurmd);
    }
}
