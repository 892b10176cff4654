//! Tests of reports and verdicts on made-up runs.
//!
//! `evidence.rs` has a run without any problem. Each test makes one change to it, with the
//! helpers of `changes.rs`, and checks the report.

pub(crate) mod attribution;
mod bisecting;
mod budgets;
pub(crate) mod changes;
mod comparing;
mod comparing_plans;
mod comparing_requests;
pub(crate) mod comparison_answers;
mod emulated;
pub(crate) mod evidence;
mod explaining;
mod figures;
mod fitted_loads;
mod for_ci;
mod growth_rates;
mod held;
pub(crate) mod hour;
pub(crate) mod live;
mod losses;
mod next_arguments;
mod next_shapes;
mod next_steps;
mod page_tables;
pub(crate) mod page_texts;
pub(crate) mod pages;
mod profiles;
mod recommending;
mod references;
mod series;
mod server_profiles;
mod server_sizes;
pub(crate) mod server_views;
mod shapes;
mod stored_references;
pub(crate) mod texts;
pub(crate) mod thinned;
mod verdicts;
mod wedges;
