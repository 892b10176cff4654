//! Processes: those that this one starts, and those that it looks for.
//!
//! * [`child`] owns one that was started, and ends it with its guard.
//! * [`command`] runs one to its end, not longer than a limit, and not past a Ctrl-C.
//! * [`scan`] finds on the whole machine what belongs together, and ends it.
//!
//! A process is known by its pid *and* start time, or is a child that nobody has waited for,
//! whose pid is nobody else's; never by its name alone.

pub mod child;
pub mod command;
pub mod scan;
