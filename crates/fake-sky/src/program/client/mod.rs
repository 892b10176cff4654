//! The commands of `sky` that ask the server: the same calls, in the same
//! order, as SkyPilot's own client makes.
//!
//! Each command is a function of [`tables`] (what only shows something),
//! [`clusters`] or [`managed_jobs`]; they speak through [`connection`] and
//! return the exit code of the process.

mod clusters;
mod connection;
mod managed_jobs;
mod tables;
mod task;

use std::io::Write;
use std::process::ExitCode;

pub(crate) use self::clusters::{Launch, Logs};
pub(crate) use self::connection::{api_info, api_status};
pub(crate) use self::managed_jobs::JobsLaunch;
pub(crate) use self::tables::ServiceNames;

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
    Launch(Launch),
    Logs(Logs),
    JobsLaunch(JobsLaunch),
}

/// Runs a command.
pub(crate) fn run(ask: &Ask, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut server = Connection::open(ask.words(), out)?;
    let code = match ask {
        Ask::Status { detached } => tables::status(&mut server, *detached),
        Ask::JobsQueue => tables::jobs_queue(&mut server),
        Ask::ServeStatus(names) => tables::serve_status(&mut server, names),
        Ask::Launch(launch) => clusters::launch(&mut server, launch),
        Ask::Logs(logs) => clusters::logs(&mut server, logs),
        Ask::JobsLaunch(launch) => managed_jobs::launch(&mut server, launch),
    };
    code.map(ExitCode::from)
}

impl Ask {
    fn words(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::JobsQueue => "jobs queue",
            Self::ServeStatus(_) => "serve status",
            Self::Launch(_) => "launch",
            Self::Logs(_) => "logs",
            Self::JobsLaunch(_) => "jobs launch",
        }
    }
}
