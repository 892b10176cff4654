//! Load tests and memory budgets for the SkyPilot API server.
//!
//! The library has the shared types, the file formats, the load, the profiler and the
//! analysis. It prints nothing, and knows the command line of `load` only:
//! [`record::request`] declares its flags, and error messages name them.
//!
//! Modules in reading order:
//!
//! * [`units`], [`fact`], [`hash`], [`ids`], [`clock`], [`class`], [`process`], [`listeners`],
//!   [`server_command`], [`env`], [`shell`], [`target`], [`credentials`], [`poll`], [`usage`]:
//!   shared types and helpers.
//! * [`scenario`] and [`infrastructure`]: steps of each scenario, the infra that they need,
//!   and expected responses.
//! * [`shape`]: load over time: bursts, closed loops, arrival rates, stages.
//! * [`metric`]: table of all metrics, with their budgets and places in reports.
//! * [`limits`]: limits of the machine: control groups, CPUs, open files; [`machine_size`]: CPUs
//!   and memory that a server is given.
//! * [`config`] and [`plan`]: resolution of flags and `skyload.toml` to a plan.
//! * [`record`]: files of a run, through which its processes exchange data.
//! * [`api`], [`resources`] and [`traffic`]: the load.
//! * [`profiler`]: measurement of the server's processes from outside.
//! * [`analysis`]: report and verdict of a run; [`schema`]: JSON schema of the report.
//! * [`live`]: state of a run in progress, for a page to look at meanwhile.
//! * [`comparison`]: verdict on two SkyPilots, from runs of each.
//! * [`render`]: output formats of a report and of a comparison.
//! * [`explanation`]: what the requests behind a run's largest peaks allocate.
//! * [`recommend`]: recommended constants, and a patch for SkyPilot.

#[cfg(test)]
#[path = "../tests/support/changes.rs"]
mod changes;

pub mod analysis;
pub mod api;
pub mod class;
pub mod clock;
pub mod comparison;
pub mod config;
pub mod credentials;
pub mod env;
pub mod explanation;
pub mod fact;
pub mod hash;
pub mod ids;
pub mod infrastructure;
pub mod limits;
pub mod listeners;
pub mod live;
pub mod machine_size;
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
pub mod shape;
pub mod shell;
pub mod suggest;
pub mod target;
pub mod traffic;
pub mod units;
pub mod usage;
