//! Commands, one module each: each runs what its flags request and shows the result.
//!
//! Shared code is outside of this module and does not depend on commands. Exceptions: `report`
//! shows the results of `load` and `profile`, `runs` finds runs by name, `ab` and `reference`
//! make runs as `load` does and compare them as `compare` does, `bisect` compares versions as `ab`
//! does, and `explain` starts servers as `load` does.

pub(crate) mod ab;
pub(crate) mod bisect;
pub(crate) mod compare;
pub(crate) mod explain;
pub(crate) mod infra;
pub(crate) mod load;
pub(crate) mod profile;
pub(crate) mod profiler;
pub(crate) mod recommend;
pub(crate) mod reference;
pub(crate) mod report;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod test;
