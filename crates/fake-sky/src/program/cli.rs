//! `sky` command line: arguments, and the dispatch to each command.

use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use fake_sky::settings::Settings;
use fake_sky::{COMMIT, VERSION};
use serde_json::{Value, json};

use super::client::{self, ClientCommand};
use super::server_control;

/// Part of SkyPilot's command line that skyload and its tests call.
#[derive(Debug, Parser)]
#[command(name = "sky", disable_version_flag = true, arg_required_else_help = true)]
struct Sky {
    /// Shows the version.
    #[arg(long, short = 'v')]
    version: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// API server commands.
    #[command(subcommand)]
    Api(Api),
    /// Managed jobs.
    #[command(subcommand)]
    Jobs(Jobs),
    /// Services.
    #[command(subcommand)]
    Serve(Serve),
    /// Shows clusters.
    Status(Rest),
    /// Launches a cluster or task.
    Launch(client::Launch),
    /// Tails the log of a job.
    Logs(client::Logs),
    /// Checks which clouds are enabled.
    Check(client::Clouds),
    /// Runs a job on a cluster.
    Exec(client::Exec),
    /// Shows the jobs of a cluster.
    Queue(client::Queue),
    /// Cancels jobs of a cluster.
    Cancel(client::Cancel),
    /// Tears down a cluster.
    Down(client::Down),
    /// Shows GPUs.
    ShowGpus(client::Gpus),
    /// Shows costs.
    CostReport(Rest),
    /// Prints the constants of SkyPilot's config module (no command of `sky`).
    Constants,
}

#[derive(Debug, Subcommand)]
enum Api {
    /// Starts the server unless it is running.
    Start(server_control::Start),
    /// Kills the server on this client's port.
    Stop,
    /// Lists requests.
    Status(Rest),
    /// Shows the server's URL, version and status.
    Info(Rest),
}

#[derive(Debug, Subcommand)]
enum Jobs {
    /// Shows managed jobs.
    Queue(Rest),
    /// Launches a managed job.
    Launch(client::JobsLaunch),
    /// Tails the log of a managed job.
    Logs(client::JobsLogs),
}

#[derive(Debug, Subcommand)]
enum Serve {
    /// Shows services.
    Status(client::ServiceNames),
}

/// Remaining arguments, accepted and ignored.
#[derive(Debug, Args)]
struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs the command of this process's arguments.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let sky = Sky::parse();
    let mut out = stdout();
    if sky.version {
        writeln!(out, "skypilot, version {VERSION}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let command = match sky.command {
        None => return Ok(ExitCode::SUCCESS),
        Some(Command::Constants) => {
            writeln!(out, "{}", constants(settings)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Command::Api(Api::Start(start))) => {
            return server_control::start(&start, settings, &mut out);
        }
        Some(Command::Api(Api::Stop)) => return server_control::stop(settings, &mut out),
        Some(Command::Api(Api::Status(_))) => return client::api_status(&mut out),
        Some(Command::Api(Api::Info(_))) => return client::api_info(&mut out),
        Some(Command::Jobs(Jobs::Queue(_))) => ClientCommand::JobsQueue,
        Some(Command::Jobs(Jobs::Launch(launch))) => ClientCommand::JobsLaunch(launch),
        Some(Command::Jobs(Jobs::Logs(logs))) => ClientCommand::JobsLogs(logs),
        Some(Command::Serve(Serve::Status(names))) => ClientCommand::ServeStatus(names),
        Some(Command::Status(rest)) => ClientCommand::Status {
            detached: rest.arguments.iter().any(|argument| argument == "--async"),
        },
        Some(Command::Launch(launch)) => ClientCommand::Launch(launch),
        Some(Command::Logs(logs)) => ClientCommand::Logs(logs),
        Some(Command::Check(clouds)) => ClientCommand::Check(clouds),
        Some(Command::Exec(exec)) => ClientCommand::Exec(exec),
        Some(Command::Queue(queue)) => ClientCommand::Queue(queue),
        Some(Command::Cancel(cancel)) => ClientCommand::Cancel(cancel),
        Some(Command::Down(down)) => ClientCommand::Down(down),
        Some(Command::ShowGpus(gpus)) => ClientCommand::ShowGpus(gpus),
        Some(Command::CostReport(_)) => ClientCommand::CostReport,
    };
    client::run(&command, &mut out)
}

/// Constants that skyload reads from a real SkyPilot with its Python interpreter.
fn constants(settings: &Settings) -> anyhow::Result<Value> {
    let constants = match &settings.constants {
        Some(given) => serde_json::from_str(given)?,
        None => json!({
            "LONG_WORKER_MEM_GB": 0.4, "SHORT_WORKER_MEM_GB": 0.3, "SERVER_WORKER_MEM_GB": 0.4,
        }),
    };
    Ok(json!({
        "version": VERSION, "commit": COMMIT, "constants": constants, "source": "fake",
        "python": settings.python, "pins_workers": settings.pins_workers,
        "selects_port": settings.selects_port,
    }))
}
