//! Load generator against the stand-in server.
//!
//! The driver of a scenario runs in the test's process here, and in a process of its own in
//! a load. The driver does not depend on this.

#![cfg(target_os = "linux")]

mod activity;
mod barrier;
mod cancelled_launches;
mod cli;
mod clouds;
mod exhaustion;
mod expected_errors;
mod held;
mod launching;
mod limits;
mod logins;
mod mixes;
mod probe;
mod responses;
mod retries;
mod script;
mod scripts;
mod sequence;
mod sessions;
mod shapes;
mod shared_job;
mod test_run;
mod transport;

use test_run::TestRun;
