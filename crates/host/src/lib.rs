//! Host-side helpers that skyload's commands share.
//!
//! * [`process`]: child processes, commands with a time limit, and a scan of all processes.
//! * [`tools`]: programs that are found on PATH or installed; [`environment`]: the variables
//!   that each kind of process gets.
//! * [`ports`], [`lock`] and [`workspace`]: ports, locks and directories of one command.
//! * [`signals`]: Ctrl-C as a flag; [`progress`]: steps on standard error; [`print`]: results
//!   on standard output.

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
