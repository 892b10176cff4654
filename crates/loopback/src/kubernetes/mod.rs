//! Emulated Kubernetes: a cluster's API on loopback that answers SkyPilot's control plane.
//!
//! SkyPilot's real client reads real lists, so executors have its libraries and the lists in
//! memory. There are no nodes: nothing can be launched.
//!
//! * [`objects`]: nodes and pods, as Kubernetes lists them.
//! * [`api`]: process that answers with them.

mod api;
mod objects;

pub use api::{COMMAND, run};
