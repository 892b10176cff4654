//! Infras on loopback that SkyPilot launches on.
//!
//! * [`slurm`]: a real Slurm cluster of one node.
//! * [`aws`]: AWS's API on loopback.
//! * [`base_dir`]: base folder that node processes can reach.
//! * [`image`]: files that SkyPilot would install on each new node.
//! * [`supervisor`]: separate process that is the ancestor of all node processes and measures
//!   their CPU and memory.
//! * [`processes`] and [`leaked_files`]: cleanup after a killed supervisor.
//! * [`server_programs`]: programs that an API server needs and this machine lacks.
//! * [`setup`]: settings of an API server that launches on an infra; [`site`]: patches of
//!   SkyPilot.
//!
//! Nothing is installed, no user is added, no system file is changed.

mod account;
#[cfg_attr(not(test), expect(dead_code, reason = "wired up with the nodes"))]
mod aws;
mod base_dir;
#[cfg(test)]
#[path = "../../../tests/support/changes.rs"]
mod changes;
mod image;
mod leaked_files;
mod local_infras;
mod obstacles;
mod priority;
mod processes;
mod server_programs;
mod setup;
mod site;
#[cfg(test)]
mod site_tests;
mod skypilot;
mod slurm;
mod supervisor;
#[cfg(test)]
#[path = "../../../tests/support/scripts.rs"]
#[expect(dead_code, reason = "`shell` is for tests of other crates")]
mod testing;

pub use local_infras::LocalInfras;
pub use obstacles::{Obstacles, obstacles, obstacles_of};
pub use priority::NodePriority;
pub use setup::{HomeFile, HomeFolder, ServerSetup};
pub use skypilot::SkyPilot;
pub use slurm::{Lifetime, Loopback, LoopbackOptions, Record, clean_up_after_dead_runs, jobs};
pub use supervisor::{COMMAND as SUPERVISOR_COMMAND, run as supervise};
