//! An executor: a process that holds known memory and takes known time.
//!
//! Two lives in one pid, as with the real ones: at first it imports and looks
//! like any process that Python has spawned ([`import`]); then it has its title
//! and runs requests ([`serve`]). Taking a title is another `exec`.

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
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::dup2_stdout;

use super::protocol::{DONE, Order, Queue, READY};
use super::role::{self, Role};
use super::{leaks, watchdog};

/// How long a spike of memory lasts: less than two samples of most profilers.
const SPIKE: Duration = Duration::from_millis(40);

/// Looks like a process that imports SkyPilot, then becomes the executor.
pub(crate) fn import(queue: Queue, settings: &Settings) -> anyhow::Result<()> {
    title::set_process_name("python");
    watchdog::start(settings)?;
    thread::sleep(settings.import);

    let title = format!("SkyPilot:executor:{}:{}", queue.name(), std::process::id());
    let (name, value) = Role::Executor.variable();
    let error = title::titled(&title).env(name, value).exec();
    Err(error).context("becoming an executor")
}

/// Runs requests until told to exit.
pub(crate) fn serve(settings: &Settings) -> anyhow::Result<()> {
    // Before there is a second thread: threads inherit the mask. A blocked
    // signal never arrives, and SkyPilot's executors ignore this one.
    let mut ignored = SigSet::empty();
    ignored.add(Signal::SIGTERM);
    ignored.thread_block()?;
    title::set_process_name("SkyPilot:executor");
    watchdog::start(settings)?;

    let _memory = memory::fill_to(settings.executor_mib);
    let server = UnixStream::from(stdin().as_fd().try_clone_to_owned()?);
    let mut kept = None;
    if matches!(obey(server, settings, &mut kept)?, End::Told) {
        return Ok(());
    }
    // Its executors stay, with all their memory, until the watchdog ends them.
    loop {
        thread::park();
    }
}

/// Why there are no more orders.
enum End {
    /// The last one was to exit.
    Told,
    /// The server has died; it may not even have heard that this one is ready.
    Orphaned,
}

/// Runs what the server orders; what it keeps of that outlives the server.
fn obey(
    server: UnixStream,
    settings: &Settings,
    kept: &mut Option<Vec<u8>>,
) -> anyhow::Result<End> {
    let orders = BufReader::new(server.try_clone()?).lines();
    if say(&server, READY).is_err() {
        return Ok(End::Orphaned);
    }
    // A reset connection is the end of the server too.
    for line in orders.map_while(Result::ok) {
        match line.parse()? {
            Order::Run { request, service } => {
                let log = RequestLog::open(&request)?;
                run(service, settings.spike_mib);
                if kept.is_none() {
                    *kept = Some(leaks::take(settings)?);
                }
                log.close()?;
                if say(&server, DONE).is_err() {
                    break;
                }
            }
            Order::Exit => return Ok(End::Told),
        }
    }
    Ok(End::Orphaned)
}

fn run(service: Duration, spike_mib: usize) {
    if spike_mib == 0 {
        return thread::sleep(service);
    }
    let spike = memory::touched(spike_mib << 20);
    thread::sleep(SPIKE);
    drop(spike);
    thread::sleep(service.saturating_sub(SPIKE));
}

/// Fails when the server is gone.
fn say(mut server: &UnixStream, word: &str) -> io::Result<()> {
    writeln!(server, "{word}")
}

/// While a request runs, stdout leads to its log; else to the server's.
struct RequestLog {
    server_log: std::os::fd::OwnedFd,
}

impl RequestLog {
    fn open(request: &str) -> anyhow::Result<Self> {
        let server_log = stdout().as_fd().try_clone_to_owned()?;
        writeln!(stdout(), "Running request {request} with pid {}", std::process::id())?;
        let home = role::read("HOME").unwrap_or_default();
        let directory = PathBuf::from(home).join(".sky/api_server/request_logs");
        // The directory is made by the server, which has to be asked elsewhere
        // when it could not: a request does not fail for its log.
        if let Ok(log) = File::create(directory.join(format!("{request}.log"))) {
            dup2_stdout(&log)?;
        }
        Ok(Self { server_log })
    }

    fn close(self) -> anyhow::Result<()> {
        dup2_stdout(&self.server_log).context("handing stdout back to the server's log")
    }
}
