//! Everything about the library that can be shown without a SkyPilot server: with
//! a stateful stand-in for it (`fake-sky`), whose executors are real processes of
//! known memory.

mod browser;
#[path = "../support/changes.rs"]
mod changes;
mod earlier_versions;
mod fuzz;
mod judging;
mod kept;
mod metrics;
mod profiler;
mod schema;
mod structure;
mod traffic;
mod wording;
