//! What commands do on the machine that they run on.
//!
//! * [`process`]: those that are started and owned, and those that are looked for.
//! * [`tools`]: programs that are found or installed, in an [`environment`] that is chosen.
//! * [`ports`], [`lock`] and [`workspace`]: what one command has for itself, and where.
//! * [`signals`]: Ctrl-C as a flag; [`progress`]: what a user sees meanwhile;
//!   [`print`]: what the command answers.

#[cfg(test)]
#[path = "../../../tests/support/changes.rs"]
mod changes;
pub mod environment;
pub mod lock;
pub mod ports;
pub mod print;
pub mod process;
pub mod progress;
pub mod signals;
#[cfg(test)]
#[path = "../../../tests/support/scripts.rs"]
mod testing;
pub mod tools;
pub mod workspace;
