//! Tests of the library without a SkyPilot server. A stateful stand-in (`fake-sky`) takes the
//! server's place; its executors are real processes of known memory.

mod browser;
#[path = "../support/changes.rs"]
mod changes;
mod earlier_versions;
mod fuzz;
mod judging;
mod metrics;
mod profiler;
mod run_files;
mod schema;
mod structure;
mod traffic;
mod wording;
