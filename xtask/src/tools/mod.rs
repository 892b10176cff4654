//! Programs that commands need beyond the common ones: found, or installed below the state
//! directory.
//!
//! * [`nextest`] runs the scenarios; [`browser`] is for tests of the HTML report.

pub(crate) mod browser;
pub(crate) mod nextest;
