//! Live scenarios: one test case each, started concurrently by `cargo xtask load`.
//!
//! A case drives its scenario, which writes its outcome to the run directory, and asserts
//! that the scenario did not fail. The names of cases matter: the module is the kind of the
//! scenario, and the case its name (`ScenarioId::of_test`).

#![expect(clippy::print_stdout, reason = "what a test prints goes to nextest's log")]

mod api;
mod cli;
mod hold;
mod probe;
mod support;
