//! Every role of the program. [`run`] finds out which one is to be played.
//!
//! ```text
//! cli  --asks----->  server, through client
//! cli  --starts-->  server  --starts-->  idle (tracker, queue, web workers)
//!                           --starts-->  executor, spoken to by protocol
//! ```

mod children;
mod cli;
mod client;
mod executor;
mod idle;
mod leaks;
mod local_port;
mod protocol;
mod role;
mod server;
mod server_control;
mod watchdog;

use std::process::ExitCode;

use fake_sky::settings::Settings;

use self::role::Role;

/// Plays the role that this process was started for.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let settings = Settings::from_env()?;
    let arguments: Vec<String> = std::env::args().collect();
    match Role::of(&arguments)? {
        Role::CommandLine => return cli::run(&settings),
        Role::Server(mode) => server::run(mode, &arguments, settings)?,
        Role::StartingExecutor(queue) => executor::import(queue, &settings)?,
        Role::Executor => executor::serve(&settings)?,
        Role::Idle => idle::wait(&settings)?,
        Role::WebWorker => idle::work(&settings)?,
    }
    Ok(ExitCode::SUCCESS)
}
