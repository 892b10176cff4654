//! End-to-end tests of `cargo xtask` against the stand-in server.
//!
//! Each test has its own state directory, by which all processes that it has started are found:
//! every run asserts that none is left. Phases are short and limits so wide that a busy machine
//! does not exceed them; a test of a limit sets it.

mod ab;
mod attribution;
mod bisecting;
mod cancelled_launches;
mod comparing;
mod console;
mod explaining;
mod for_ci;
mod held;
mod ignored_signals;
mod infra;
mod interrupts;
mod kept_servers;
mod launching;
mod live;
mod logins;
mod lost_servers;
mod neighbours;
mod own_ca;
mod passing;
mod peaks;
mod profiles;
mod recommending;
mod references;
mod remote_servers;
mod repeating;
mod reports;
#[path = "../../../tests/support/repositories.rs"]
mod repositories;
mod runs;
mod scripts;
mod secrets;
mod server_metrics;
mod server_profiles;
mod shapes;
mod shell_environment;
mod sizes;
mod slow_servers;
mod soaks;
mod sources;
mod support;
mod system_servers;
mod trust;
mod unread_outputs;
mod usage;
mod verdicts;
mod whole_server;
mod wording;
