//! The commands, one module each: what was typed is carried out, and what came of it shown.
//!
//! Whatever they share is beside them and knows none of them; but `report` shows what
//! `load` and `profile` have made, and `runs` knows which run a name stands for.

pub(crate) mod infra;
pub(crate) mod load;
pub(crate) mod profile;
pub(crate) mod profiler;
pub(crate) mod recommend;
pub(crate) mod report;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod test;
