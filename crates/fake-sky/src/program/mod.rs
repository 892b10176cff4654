//! Every role of the program. [`run`] finds out which one is to be played.
//!
//! ```text
//! cli  --asks----->  server, through client
//! cli  --starts-->  server  --starts-->  bystander (tracker, queue, web workers)
//!                           --starts-->  executor, spoken to by protocol
//! crew --starts-->  worker
//! ```

mod bystander;
mod children;
mod cli;
mod client;
mod crew;
mod executor;
mod keepsakes;
mod memory;
mod protocol;
mod role;
mod server;
mod server_control;
mod watchdog;
mod worker;

use std::process::ExitCode;

use fake_sky::knobs::Knobs;

use self::role::Role;

/// Plays the role that this process was started for.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let knobs = Knobs::from_env()?;
    let arguments: Vec<String> = std::env::args().collect();
    match Role::of(&arguments)? {
        Role::CommandLine => return cli::run(&knobs),
        Role::Server(birth) => server::run(birth, &arguments, knobs)?,
        Role::StartingExecutor(queue) => executor::import(queue, &knobs)?,
        Role::Executor => executor::serve(&knobs)?,
        Role::Bystander => bystander::wait(&knobs)?,
        Role::WebWorker => bystander::work(&knobs)?,
        Role::Crew => crew::lead()?,
        Role::Worker => worker::work()?,
    }
    Ok(ExitCode::SUCCESS)
}
