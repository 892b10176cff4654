//! Roles of the program. [`run`] selects the role of this process and runs it.
//!
//! ```text
//! cli  --requests-->  server, through client
//! cli  --starts---->  server  --starts-->  idle (tracker, queue manager, web workers)
//!                             --starts-->  executor, which takes orders (protocol)
//! ```

mod children;
mod cli;
mod client;
mod executor;
mod idle;
mod interrupts;
mod leaks;
mod local_port;
mod protocol;
mod role;
mod server;
mod server_control;
mod traces;
mod watchdog;

use std::process::ExitCode;

use fake_sky::settings::Settings;

use self::role::Role;

/// Runs the role for which this process was started.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let settings = Settings::from_env()?;
    let arguments: Vec<String> = std::env::args().collect();
    match Role::of(&arguments)? {
        Role::CommandLine => return cli::run(&settings),
        Role::Server(mode) => server::run(mode, &arguments, settings)?,
        Role::StartingExecutor(queue) => executor::import(queue, &settings)?,
        Role::Executor => executor::serve(&settings)?,
        Role::Idle => idle::wait(&settings)?,
        Role::WebWorker => idle::run_web_worker(&settings)?,
    }
    Ok(ExitCode::SUCCESS)
}
