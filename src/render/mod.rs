//! A finished report, written for its readers. Nothing is computed here.
//!
//! [`text`] is for a terminal, [`html`] for a browser, [`markdown`] for a pull request,
//! [`junit`] and [`github`] for CI; all of them end with the [`next_step`].

mod format;
pub mod github;
pub mod html;
pub mod junit;
pub mod markdown;
mod next_step;
pub mod table;
mod tables;
pub mod text;

pub use next_step::{NextStep, next_step};
