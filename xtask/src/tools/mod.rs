//! Programs that commands need beyond the common ones: found, or installed below the state
//! directory.
//!
//! * [`nextest`] runs the scenarios; [`browser`] is for tests of the HTML report.
//! * [`oha`] and [`wrk`] are compared with the load generator; a [`launcher`] starts what was
//!   unpacked from the distribution's packages.

pub(crate) mod browser;
mod launcher;
pub(crate) mod nextest;
pub(crate) mod oha;
pub(crate) mod wrk;
