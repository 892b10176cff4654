//! Processes: starting them, waiting for them, finding and ending them.
//!
//! * [`child`] owns a child process and kills it when its guard is dropped.
//! * [`command`] runs a command until it exits, a time limit passes or a signal arrives.
//! * [`scan`] finds related processes on the whole machine and ends them.
//!
//! A process is identified by pid *and* start time, or is a child that was not reaped yet,
//! whose pid cannot be reused; never by name alone.

pub mod child;
pub mod command;
pub mod scan;
