//! The programs that commands need beside those of everybody: found or installed, each in a
//! folder of its own below the state directory.
//!
//! * [`nextest`] runs the scenarios; [`browser`] is what pages are tried in.

pub(crate) mod browser;
pub(crate) mod nextest;
