//! What scenarios share: a cluster, a managed job, a service; set up before the
//! load, torn down after it, and looked for afterwards.
//!
//! [`set_up`] and [`tear_down`] are the coordinator's; scenarios read the [`ResourceLog`](crate::record::resources::ResourceLog)
//! that both write. Tearing down covers *everything* that the run has created,
//! whoever created it: all of it carries the run's tag in its name.

mod check;
mod requests;
mod set_up;
mod tear_down;

pub use check::{Disabled, find_disabled, has_clouds};
pub use requests::Requests;
pub use set_up::set_up;
pub use tear_down::{Hurry, tear_down};
