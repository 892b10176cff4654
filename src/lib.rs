//! Load tests and memory budgets for the SkyPilot API server.
//!
//! This library holds the words, the contract between the parts of a run, the
//! measuring and the judging. It prints nothing. One command line it knows, that of `load`:
//! [`record::request`] declares its flags, and what goes wrong is told by their names.
//!
//! In reading order:
//!
//! * [`units`], [`fact`], [`hash`], [`ids`], [`clock`], [`class`], [`process`], [`listeners`],
//!   [`server_command`], [`env`], [`shell`], [`target`], [`credentials`]: the words.
//! * [`scenario`] and [`infrastructure`]: what users do, on what, and which answers are
//!   right.
//! * [`metric`]: what can be measured, limited and shown: one table.
//! * [`limits`]: what the machine puts in the way.
//! * [`config`] and [`plan`]: from what was typed to what will happen.
//! * [`record`]: everything on disk: the files where all parts of a run meet.
//! * [`api`], [`resources`] and [`traffic`]: the load.
//! * [`profiler`]: the server's processes, from outside.
//! * [`analysis`]: what a run amounts to, and the verdict; [`schema`]: its form as JSON.
//! * [`render`]: a report written for its readers.
//! * [`recommend`]: the constants that runs support, and a patch of SkyPilot.

#[cfg(test)]
#[path = "../tests/support/changes.rs"]
mod changes;

pub mod analysis;
pub mod api;
pub mod class;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod env;
pub mod fact;
pub mod hash;
pub mod ids;
pub mod infrastructure;
pub mod limits;
pub mod listeners;
pub mod metric;
pub mod plan;
pub mod poll;
pub mod process;
pub mod profiler;
pub mod recommend;
pub mod record;
pub mod render;
pub mod resources;
pub mod scenario;
pub mod schema;
pub mod server_command;
pub mod shell;
pub mod target;
pub mod traffic;
pub mod units;
pub mod usage;
