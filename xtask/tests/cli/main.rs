//! `cargo xtask` from end to end: the real program against the stand-in server.
//!
//! Each test has a state directory of its own, and everything that is started
//! from there can be found by it: that nothing is left is asserted after every
//! run. Phases are short here, and limits so wide that a busy machine does not
//! run into them; a test that is about a limit sets it.

mod for_ci;
mod ignored_signals;
mod infrastructures;
mod interrupts;
mod kept_servers;
mod launching;
mod logins;
mod lost_servers;
mod neighbours;
mod passing;
mod peaks;
mod profiles;
mod recommending;
mod remote_servers;
mod reports;
mod runs;
mod server_profiles;
mod shell_environment;
mod slow_servers;
mod support;
mod system_servers;
mod trust;
mod unread_outputs;
mod usage;
mod verdicts;
mod whole_server;
