//! The commands of `sky` that ask the server: the same calls, in the same
//! order, as SkyPilot's own client makes.
//!
//! Each command is a function of [`tables`] (what only shows something),
//! [`clusters`], [`managed_jobs`] or [`services`]; they speak through
//! [`connection`] and return the exit code of the process.

mod clusters;
mod connection;
mod managed_jobs;
mod services;
mod tables;
mod task;

use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;

pub(crate) use self::clusters::{Down, Exec, Launch, Logs, Queue};
pub(crate) use self::connection::{api_info, api_status};
pub(crate) use self::managed_jobs::{Cancel, JobsLaunch, JobsLogs};
pub(crate) use self::services::{ServeDown, ServeUp};
pub(crate) use self::tables::{Check, ServiceNames};

use self::connection::Connection;

/// A command of the client.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Whether it waits for nothing, as no `sky status` does: for tests of what
    /// a request is worth that outlives its process.
    Status {
        detached: bool,
    },
    JobsQueue,
    ServeStatus(ServiceNames),
    Check(Check),
    Launch(Launch),
    Exec(Exec),
    Logs(Logs),
    Queue(Queue),
    Down(Down),
    JobsLaunch(JobsLaunch),
    JobsLogs(JobsLogs),
    JobsCancel(Cancel),
    ServeUp(ServeUp),
    ServeDown(ServeDown),
}

/// Runs a command.
pub(crate) fn run(ask: &Ask, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut server = Connection::open(ask.words(), out)?;
    let code = match ask {
        Ask::Status { detached } => tables::status(&mut server, *detached),
        Ask::JobsQueue => tables::jobs_queue(&mut server),
        Ask::ServeStatus(names) => tables::serve_status(&mut server, names),
        Ask::Check(check) => tables::check(&mut server, check),
        Ask::Launch(launch) => clusters::launch(&mut server, launch),
        Ask::Exec(exec) => clusters::exec(&mut server, exec),
        Ask::Logs(logs) => clusters::logs(&mut server, logs),
        Ask::Queue(queue) => clusters::queue(&mut server, queue),
        Ask::Down(down) => clusters::down(&mut server, down),
        Ask::JobsLaunch(launch) => managed_jobs::launch(&mut server, launch),
        Ask::JobsLogs(logs) => managed_jobs::logs(&mut server, logs),
        Ask::JobsCancel(cancel) => managed_jobs::cancel(&mut server, cancel),
        Ask::ServeUp(up) => services::up(&mut server, up),
        Ask::ServeDown(down) => services::down(&mut server, down),
    };
    code.map(ExitCode::from)
}

impl Ask {
    fn words(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::JobsQueue => "jobs queue",
            Self::ServeStatus(_) => "serve status",
            Self::Check(_) => "check",
            Self::Launch(_) => "launch",
            Self::Exec(_) => "exec",
            Self::Logs(_) => "logs",
            Self::Queue(_) => "queue",
            Self::Down(_) => "down",
            Self::JobsLaunch(_) => "jobs launch",
            Self::JobsLogs(_) => "jobs logs",
            Self::JobsCancel(_) => "jobs cancel",
            Self::ServeUp(_) => "serve up",
            Self::ServeDown(_) => "serve down",
        }
    }
}

/// Nobody is there to be asked: without `-y`, SkyPilot gives up.
fn confirmed(yes: bool) -> anyhow::Result<()> {
    if !yes {
        bail!("Aborted!");
    }
    Ok(())
}
