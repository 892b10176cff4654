//! Infras on loopback that SkyPilot launches on.
//!
//! * [`slurm`]: a real Slurm cluster of one node.
//! * [`aws`]: AWS's API on loopback, with nodes in namespaces.
//! * [`kubernetes`]: the lists of a Kubernetes cluster, without launches.
//! * [`base_dir`]: base folder that node processes can reach.
//! * [`catalog`]: SkyPilot's catalogs of clouds, for emulated infras.
//! * [`client`]: files of the API server; [`image`]: files that SkyPilot would install on each new node.
//! * [`supervisor`]: separate process that is the ancestor of all node processes and measures
//!   their CPU and memory.
//! * [`start`]: parameters of a start; [`record`]: cleanup record; [`running`]: an infra from its
//!   start to its end.
//! * [`processes`] and [`leaked_files`]: cleanup after a killed supervisor.
//! * [`setup`]: settings of an API server that launches on an infra; [`site`]: patches of
//!   SkyPilot.
//!
//! Nothing is installed, no user is added, no system file is changed.

mod account;
mod aws;
mod base_dir;
mod catalog;
#[cfg(test)]
#[path = "../../../tests/support/changes.rs"]
mod changes;
mod client;
mod image;
mod kubernetes;
mod leaked_files;
mod local_infras;
mod obstacles;
mod ports;
mod priority;
mod processes;
mod record;
mod running;
mod setup;
mod site;
#[cfg(test)]
mod site_tests;
mod skypilot;
mod slurm;
mod start;
mod supervisor;
#[cfg(test)]
#[path = "../../../tests/support/scripts.rs"]
mod testing;

pub use aws::nodes::{KEEPER_COMMAND, keep as keep_nodes, ssh as node_ssh};
pub use kubernetes::{COMMAND as KUBERNETES_API_COMMAND, run as serve_kubernetes};
pub use local_infras::{LocalInfras, clusters};
pub use obstacles::{
    Obstacles, ObstaclesOfSky, obstacle_to_tests_of_nodes, obstacles, obstacles_of, without_nodes,
};
pub use priority::NodePriority;
pub use record::Record;
pub use running::{InfraOptions, Lifetime, clean_up_after_dead_runs};
pub use setup::{HomeFile, HomeFolder, ServerSetup};
pub use site::{AFTER_IMPORT, SERVER_PATCHES_FILE};
pub use skypilot::SkyPilot;
pub use start::Start;
pub use supervisor::{
    COMMAND as SUPERVISOR_COMMAND, WATCHDOG_COMMAND, run as supervise, watch as watch_supervisor,
};
