//! Executor: a process of known memory that runs requests of known duration.
//!
//! Two phases in one process, like in SkyPilot: while it imports, it looks like any process
//! that Python spawned ([`import`]); then it sets its title and runs requests ([`serve`]).
//! The phases are separated by an `exec`, which sets the title.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write, stdin, stdout};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use fake_sky::settings::Settings;
use fake_sky::{memory, title};
use nix::unistd::dup2_stdout;

use super::interrupts::{Ended, Interrupts};
use super::protocol::{DONE, Order, Queue, READY};
use super::role::{self, Role};
use super::{leaks, traces, watchdog};

/// Duration of a memory spike: shorter than the sampling interval of most profilers.
const SPIKE: Duration = Duration::from_millis(40);

/// Waits for the import time, then becomes the executor with its title.
pub(crate) fn import(queue: Queue, settings: &Settings) -> anyhow::Result<()> {
    title::set_process_name("python");
    watchdog::start(settings)?;
    thread::sleep(settings.import);
    traces::of_import(queue.name(), settings.executor_mib)?;

    let title = format!("SkyPilot:executor:{}:{}", queue.name(), std::process::id());
    let (name, value) = Role::Executor.variable();
    let error = title::titled(&title).env(name, value).exec();
    Err(error).context("becoming an executor")
}

/// Runs requests until the server orders the exit.
pub(crate) fn serve(settings: &Settings) -> anyhow::Result<()> {
    // Before the first thread starts, since threads inherit the mask.
    let interrupts = Interrupts::take()?;
    title::set_process_name("SkyPilot:executor");
    watchdog::start(settings)?;

    let _memory = memory::fill_to(settings.executor_mib);
    let server = UnixStream::from(stdin().as_fd().try_clone_to_owned()?);
    let mut leaked = None;
    if matches!(run_orders(server, settings, &interrupts, &mut leaked)?, End::Dismissed) {
        return Ok(());
    }
    // SkyPilot's executors outlive a killed server, with all their memory. Here the
    // watchdog kills them later.
    hang()
}

/// Waits forever.
fn hang() -> ! {
    loop {
        thread::park();
    }
}

/// Reason for the end of orders.
enum End {
    /// Order of the server to exit.
    Dismissed,
    /// Death of the server, possibly before it read that this executor is ready.
    Orphaned,
}

/// Runs the server's orders. Leaked memory goes to `leaked`, to outlive the server.
fn run_orders(
    server: UnixStream,
    settings: &Settings,
    interrupts: &Interrupts,
    leaked: &mut Option<Vec<u8>>,
) -> anyhow::Result<End> {
    let mut was_interrupted = false;
    let queue = own_queue();
    let orders = BufReader::new(server.try_clone()?).lines();
    if send(&server, READY).is_err() {
        return Ok(End::Orphaned);
    }
    // A read error (connection reset) means that the server died, like the end of input.
    for line in orders.map_while(Result::ok) {
        match line.parse()? {
            Order::Run { request, service, mib } => {
                let log = RequestLog::open(&request)?;
                if settings.wedge && was_interrupted {
                    hang();
                }
                let taken = memory::touched(mib << 20);
                was_interrupted |=
                    run(service, settings.spike_mib, interrupts) == Ended::Interrupted;
                drop(taken);
                traces::of_request(&queue, &request, mib)?;
                if leaked.is_none() {
                    *leaked = Some(leaks::create(settings)?);
                }
                leaks::grow(settings);
                log.close()?;
                if send(&server, DONE).is_err() {
                    break;
                }
            }
            Order::Exit => return Ok(End::Dismissed),
        }
    }
    Ok(End::Orphaned)
}

/// Name of the queue in the title of this process, `SkyPilot:executor:QUEUE:PID`.
fn own_queue() -> String {
    let title = std::env::args().next().unwrap_or_default();
    title.split(':').nth(2).unwrap_or_default().to_owned()
}

fn run(service: Duration, spike_mib: usize, interrupts: &Interrupts) -> Ended {
    // SkyPilot swallows the signal in an executor without a request.
    interrupts.discard();
    if spike_mib == 0 {
        return interrupts.wait(service);
    }
    let spike = memory::touched(spike_mib << 20);
    thread::sleep(SPIKE);
    drop(spike);
    interrupts.wait(service.saturating_sub(SPIKE))
}

/// Sends a message to the server; an error if the server is gone.
fn send(mut server: &UnixStream, message: &str) -> io::Result<()> {
    writeln!(server, "{message}")
}

/// Redirection of stdout to a request's log while the request runs, else to the server's.
struct RequestLog {
    server_log: std::os::fd::OwnedFd,
}

impl RequestLog {
    fn open(request: &str) -> anyhow::Result<Self> {
        let server_log = stdout().as_fd().try_clone_to_owned()?;
        writeln!(stdout(), "Running request {request} with pid {}", std::process::id())?;
        let home = role::read("HOME").unwrap_or_default();
        let directory = PathBuf::from(home).join(".sky/api_server/request_logs");
        // The server creates the directory at its start. A missing log is no failure of the
        // request.
        if let Ok(log) = File::create(directory.join(format!("{request}.log"))) {
            dup2_stdout(&log)?;
        }
        Ok(Self { server_log })
    }

    fn close(self) -> anyhow::Result<()> {
        dup2_stdout(&self.server_log).context("redirecting stdout to the server's log")
    }
}
