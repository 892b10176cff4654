//! Renderers of a finished report, of a finished [`comparison`], of a [`bisection`], of an
//! [`explanation`] and of a [`reference`]. They compute no results.
//!
//! [`text`] is for a terminal, [`html`] for a browser, [`markdown`] for a pull request, [`junit`]
//! and [`github`] for CI, [`series`] for other tools. [`next_step`] is the command that text and HTML suggest.

pub mod bisection;
pub mod comparison;
pub mod explanation;
mod format;
pub mod github;
pub mod html;
pub mod junit;
pub mod markdown;
mod next_step;
pub mod reference;
pub mod series;
pub mod table;
mod tables;
pub mod text;

pub use next_step::{NextStep, next_step};
