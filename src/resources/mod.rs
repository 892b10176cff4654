//! Shared resources: a cluster, a managed job, a service. Set up before the load, torn down
//! and verified as removed after it.
//!
//! The coordinator calls [`set_up`] and [`tear_down`]; scenarios read the
//! [`ResourceLog`](crate::record::resources::ResourceLog) that both write. The teardown covers
//! *everything* that the run has created, resources of single iterations included: all names
//! begin with the run's tag.

mod attempts;
mod check;
mod launched;
mod owners;
mod requests;
mod running;
mod set_up;
mod tear_down;

pub use check::{Disabled, find_disabled, has_clouds};
pub use requests::Requests;
pub use set_up::set_up;
pub use tear_down::{TeardownMode, tear_down};
