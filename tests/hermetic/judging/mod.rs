//! Assembling and judging, over runs that never took place.
//!
//! `evidence.rs` composes a run in which everything went well; each test changes
//! one thing about it, by the words of `changes.rs`, and looks at what follows.

mod budgets;
pub(crate) mod changes;
pub(crate) mod evidence;
mod figures;
mod for_ci;
pub(crate) mod hour;
mod losses;
mod next_steps;
mod paces;
mod page_tables;
pub(crate) mod page_words;
pub(crate) mod pages;
mod profiles;
mod recommending;
mod server_profiles;
pub(crate) mod texts;
mod verdicts;
