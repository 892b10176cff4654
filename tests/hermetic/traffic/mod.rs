//! Scenarios driven against the stand-in server: what becomes of its answers.
//!
//! The driver runs in the test's own process here and in one of its own in a
//! run; it cannot tell the difference.

#![cfg(target_os = "linux")]

mod answers;
mod cli;
mod exhaustion;
mod launching;
mod limits;
mod probe;
mod refusals;
mod retries;
mod scene;
mod script;
mod sequence;
mod together;
mod transport;

use scene::Scene;
