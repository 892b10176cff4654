//! Commands of skyload: `cargo xtask`.
//!
//! The main one is `load`; its steps are in `commands/load/mod.rs`.

mod bench;
#[cfg(test)]
#[path = "../../tests/support/changes.rs"]
mod changes;
mod commands;
mod config;
mod flags;
mod github;
mod live;
mod nextest;
mod profiler;
#[cfg(test)]
#[path = "../../tests/support/repositories.rs"]
mod repositories;
mod server;
mod server_profile;
mod sky;
#[cfg(test)]
#[path = "../../tests/support/scripts.rs"]
mod testing;
mod tools;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use host::signals;
use skyload::analysis::Verdict;
use skyload::config::ConfigError;
use skyload::plan::UsageErrors;

use commands::{compare, load, profile, recommend, report, runs, schema, test};
use flags::Command;

/// Exit code of a tool error.
const TOOL_ERROR: u8 = 1;
/// Exit code of a mistake in the command line or the configuration.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    // First of all: this process is part of the server under test, and has to stay small.
    if let Some(code) = loopback::node_ssh(std::env::args_os()) {
        return code;
    }
    let flags = flags::Xtask::parse();
    let result = match flags.command {
        Command::Load(flags) => load::run(*flags).map(Verdict::exit_code),
        Command::Report(flags) => report::run(&flags),
        Command::Recommend(flags) => recommend::run(&flags),
        Command::Ab(flags) => commands::ab::run(*flags),
        Command::Bisect(flags) => commands::bisect::run(*flags),
        Command::Compare(flags) => compare::run(&flags),
        Command::Explain(flags) => commands::explain::run(&flags),
        Command::Reference(flags) => commands::reference::run(flags),
        Command::Runs(flags) => runs::run(&flags).map(|()| 0),
        Command::Schema => schema::run().map(|()| 0),
        Command::Test(flags) => test::run(&flags).map(|()| 0),
        Command::Bench(flags) => bench::run(&flags),
        Command::Infra(flags) => commands::infra::run(&flags).map(|()| 0),
        Command::Nodes(flags) => loopback::supervise(&flags.options).map(|()| 0),
        Command::NodesWatchdog(flags) => loopback::watch_supervisor(&flags.options).map(|()| 0),
        Command::NodeKeeper(flags) => loopback::keep_nodes(&flags.options).map(|()| 0),
        Command::KubernetesApi(flags) => {
            loopback::serve_kubernetes(flags.port, flags.size).map(|()| 0)
        }
        Command::Profile(flags) => profile::run(&flags).map(|()| 0),
        Command::Profiler(flags) => commands::profiler::run(&flags).map(|()| 0),
    };
    ExitCode::from(result.unwrap_or_else(|error| {
        // A closed terminal must not change the exit code.
        _ = writeln!(std::io::stderr(), "error: {error:#}");
        exit_code(&error)
    }))
}

fn exit_code(error: &anyhow::Error) -> u8 {
    let is_config_mistake =
        matches!(error.downcast_ref::<ConfigError>(), Some(ConfigError::Invalid(_)));
    if error.is::<UsageErrors>() || is_config_mistake {
        USAGE
    } else if error.is::<signals::Interrupted>() {
        Verdict::Inconclusive.exit_code()
    } else {
        TOOL_ERROR
    }
}
