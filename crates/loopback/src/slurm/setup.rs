//! Settings of an API server that launches on the loopback Slurm cluster.

use anyhow::Result;
use skyload::infrastructure::LOOPBACK;

use super::configs;
use super::layout::Layout;
use super::packages::Packages;
use super::ports::SlurmPorts;
use crate::client::{self, NODE_CLIENTS};
use crate::image::Image;
use crate::priority::NodePriority;
use crate::setup::{HomeFile, ServerSetup};

/// Modifications for Slurm, next to the one of [`NodePriority`] and to those of every local infra.
const MODIFICATIONS: [&str; 5] = [
    "nodes: SkyPilot's runtime is prebuilt, not installed from the internet",
    "nodes: one skylet port per cluster, on loopback instead of all interfaces",
    "nodes: `sky logs` waits 10 min for a job's first output, instead of 5 s",
    "nodes: a job's driver may take 10 min to start before the job fails, instead of 1 min",
    "API server: Slurm counts as a cloud that can open ports (nothing to open on loopback)",
];

/// Settings of an API server that launches on the cluster.
pub(super) fn server_setup(
    layout: &Layout,
    packages: &Packages,
    ports: &SlurmPorts,
    image: &Image,
    priority: NodePriority,
) -> Result<ServerSetup> {
    let modifications = [priority.modification()].into_iter().chain(MODIFICATIONS);
    Ok(ServerSetup {
        config: configs::sky_config(layout),
        home_files: vec![HomeFile {
            path: ".slurm/config".into(),
            content: configs::slurm_hosts(layout, ports),
            mode: 0o600,
        }],
        programs: match missing(packages)?.is_empty() {
            true => Vec::new(),
            false => vec![layout.client().programs()],
        },
        ..ServerSetup::new(LOOPBACK.to_owned(), layout.client().site(), modifications)
            .with_wheels(image.wheels())
    })
}

/// Programs that the API server needs and that are only in the unpacked packages.
pub(super) fn missing(packages: &Packages) -> Result<Vec<&'static str>> {
    match packages.is_unpacked() {
        true => client::missing(&NODE_CLIENTS),
        false => Ok(Vec::new()),
    }
}
