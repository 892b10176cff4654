//! The live scenarios: one case each, started all together by `cargo xtask load`.
//!
//! A case drives its scenario, which records its outcome in the run directory,
//! and then asserts that the scenario did not fail. Names matter: the module is
//! the scenario's kind and the case its name (`ScenarioId::of_test`).

#![expect(clippy::print_stdout, reason = "what a test prints goes to nextest's log")]

mod api;
mod cli;
mod probe;
mod support;
