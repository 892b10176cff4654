//! Client commands of `sky`: the same calls in the same order as SkyPilot's client.
//!
//! Each command is a function in [`tables`] (commands that only list something),
//! [`clusters`] or [`managed_jobs`]. It calls the server through [`connection`] and returns
//! the exit code of the process.

mod clusters;
mod connection;
mod managed_jobs;
mod tables;
mod task;

use std::io::Write;
use std::process::ExitCode;

pub(crate) use self::clusters::{Cancel, Down, Exec, Launch, Logs, Queue};
pub(crate) use self::connection::{api_info, api_status};
pub(crate) use self::managed_jobs::{JobsLaunch, JobsLogs};
pub(crate) use self::tables::{Clouds, Gpus, ServiceNames};

use self::connection::Connection;

/// Client command.
#[derive(Debug)]
pub(crate) enum ClientCommand {
    /// `sky status`. `detached` does not wait for the requests, which SkyPilot's command has
    /// no option for: tests use it for requests that outlive their client process.
    Status {
        detached: bool,
    },
    JobsQueue,
    ServeStatus(ServiceNames),
    Launch(Launch),
    Logs(Logs),
    Check(Clouds),
    JobsLaunch(JobsLaunch),
    JobsLogs(JobsLogs),
    Exec(Exec),
    Queue(Queue),
    Cancel(Cancel),
    Down(Down),
    ShowGpus(Gpus),
    CostReport,
}

/// Runs a command, and returns its exit code.
pub(crate) fn run(command: &ClientCommand, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut server = Connection::open(command.name(), out)?;
    let code = match command {
        ClientCommand::Status { detached } => tables::status(&mut server, *detached),
        ClientCommand::JobsQueue => tables::jobs_queue(&mut server),
        ClientCommand::ServeStatus(names) => tables::serve_status(&mut server, names),
        ClientCommand::Launch(launch) => clusters::launch(&mut server, launch),
        ClientCommand::Logs(logs) => clusters::logs(&mut server, logs),
        ClientCommand::Check(clouds) => tables::check(&mut server, clouds),
        ClientCommand::JobsLaunch(launch) => managed_jobs::launch(&mut server, launch),
        ClientCommand::JobsLogs(logs) => managed_jobs::logs(&mut server, logs),
        ClientCommand::Exec(exec) => clusters::exec(&mut server, exec),
        ClientCommand::Queue(queue) => clusters::queue(&mut server, queue),
        ClientCommand::Cancel(cancel) => clusters::cancel(&mut server, cancel),
        ClientCommand::Down(down) => clusters::down(&mut server, down),
        ClientCommand::ShowGpus(gpus) => tables::show_gpus(&mut server, gpus),
        ClientCommand::CostReport => tables::cost_report(&mut server),
    };
    code.map(ExitCode::from)
}

impl ClientCommand {
    fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::JobsQueue => "jobs queue",
            Self::ServeStatus(_) => "serve status",
            Self::Launch(_) => "launch",
            Self::Logs(_) => "logs",
            Self::Check(_) => "check",
            Self::JobsLaunch(_) => "jobs launch",
            Self::JobsLogs(_) => "jobs logs",
            Self::Exec(_) => "exec",
            Self::Queue(_) => "queue",
            Self::Cancel(_) => "cancel",
            Self::Down(_) => "down",
            Self::ShowGpus(_) => "show-gpus",
            Self::CostReport => "cost-report",
        }
    }
}
