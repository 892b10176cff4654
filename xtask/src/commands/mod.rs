//! Commands, one module each: each runs what its flags request and shows the result.
//!
//! Shared code is outside of this module and does not depend on commands. Exceptions: `report`
//! shows the results of `load` and `profile`, `runs` finds runs by name, `ab` makes runs
//! as `load` does and compares them as `compare` does, and `bisect` compares versions as `ab` does.

pub(crate) mod ab;
pub(crate) mod bisect;
pub(crate) mod compare;
pub(crate) mod infra;
pub(crate) mod load;
pub(crate) mod profile;
pub(crate) mod profiler;
pub(crate) mod recommend;
pub(crate) mod report;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod test;
