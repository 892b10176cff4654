//! Classification of SkyPilot's processes, as a pure function.
//!
//! The patterns were observed on servers of releases 0.9 to 0.14.
//! Arguments are compared whole, except for code that is passed to an interpreter: a
//! shell whose script mentions a controller is no controller, and neither is a wrapper
//! with a controller's command line among its arguments ([`server_command`]).

use crate::class::ProcessClass;
use crate::server_command::{self, arguments, python_module};

/// Facts that decide the class of a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) pid: u32,
    /// Arguments as in `/proc/PID/cmdline`, each followed by one NUL or more.
    pub(super) command_line: &'a [u8],
    /// Whether the process is the main process of the server.
    pub(super) is_main: bool,
    /// Class of the parent, if it is in the tree.
    pub(super) parent: Option<ProcessClass>,
    /// Whether the process is a fork without an exec, with its parent's command line.
    pub(super) is_fork: bool,
}

/// TCP ports of the server, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ServerPorts {
    pub(super) api: Option<u16>,
    pub(super) queue: Option<u16>,
}

/// Class of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Classified {
    /// Class until the command line changes.
    Final(ProcessClass),
    /// Class for now: the process is about to exec, to take a title or to open its port.
    Provisional(ProcessClass),
}

/// Classifies a process by its command line and its parent. A provisional
/// `StartingExecutor` may turn out to be something else [`by_ports`].
pub(super) fn classify(subject: &Subject<'_>) -> Classified {
    use ProcessClass::{
        JobsController, LogFollower, Other, ServeController, Server, ServerWorker, StartingExecutor,
    };
    // First: without a server in the tree, the root counts as one, whatever it runs.
    if subject.is_main {
        return Classified::Final(Server);
    }
    // The command line is still the parent's and says nothing about this process.
    if subject.is_fork {
        return Classified::Provisional(by_parent(subject.parent));
    }
    let arguments = || arguments(subject.command_line);
    let module = python_module(arguments());
    // The kernel shows an empty command line in the middle of an exec.
    let Some(first) = arguments().next() else {
        return Classified::Provisional(by_parent(subject.parent));
    };
    if let Some(title) = first.strip_prefix(b"SkyPilot:") {
        return Classified::Final(by_title(title, subject));
    }
    if module == Some(b"sky.jobs.controller") {
        return Classified::Final(JobsController);
    }
    if module == Some(b"sky.serve.service") {
        return Classified::Final(ServeController);
    }
    if arguments().any(|argument| contains(argument, b"multiprocessing.resource_tracker")) {
        return Classified::Final(Other);
    }
    // Executors, the queue and web workers all start with this command line.
    let is_spawned = arguments().any(|argument| contains(argument, b"multiprocessing.spawn"));
    match subject.parent {
        Some(Server | ServerWorker) if is_spawned => Classified::Provisional(StartingExecutor),
        // In consolidation mode the server runs a shell with this code for each client that follows
        // the log of a managed job.
        Some(Server | ServerWorker)
            if arguments().any(|argument| contains(argument, b"sky.jobs")) =>
        {
            Classified::Final(LogFollower)
        }
        // The controller and the load balancer of a service are spawned by `sky.serve.service`.
        Some(ServeController) if is_spawned => Classified::Final(ServeController),
        parent => Classified::Final(by_parent(parent)),
    }
}

/// Classifies a process that the server spawned and that has no title, by the TCP ports
/// on which it listens. Not all processes of the server take a title.
pub(super) fn by_ports(listens_on: &[u16], ports: ServerPorts) -> Classified {
    let is_queue = match ports.queue {
        Some(queue) => listens_on.contains(&queue),
        // Without a known queue port, any port but the API port counts.
        None => listens_on.iter().any(|&port| Some(port) != ports.api),
    };
    if is_queue {
        Classified::Final(ProcessClass::Queue)
    } else if ports.api.is_some_and(|port| listens_on.contains(&port)) {
        // A web worker inherits the listening socket of the API.
        Classified::Final(ProcessClass::ServerWorker)
    } else {
        Classified::Provisional(ProcessClass::StartingExecutor)
    }
}

/// API port in the command line of a server's main process; SkyPilot's default if the
/// command line runs the server without a port.
pub(super) fn api_port_in(command_line: &[u8]) -> Option<u16> {
    const DEFAULT: u16 = 46580;
    let named = server_command::port(arguments(command_line));
    named.or_else(|| runs_server(command_line).then_some(DEFAULT))
}

/// Whether a process with this command line is an API server, provided that it is not a
/// fork with its parent's command line.
pub(super) fn runs_server(command_line: &[u8]) -> bool {
    python_module(arguments(command_line)) == Some(server_command::SERVER)
}

/// First argument of a command line, or the title: a process that sets its title
/// (setproctitle) replaces all arguments by it, padded with NULs.
pub(super) fn first_argument(command_line: &[u8]) -> &[u8] {
    arguments(command_line).next().unwrap_or_default()
}

/// Class by a title such as `executor:short:4711`; older releases number their executors:
/// `long-0`.
fn by_title(title: &[u8], subject: &Subject<'_>) -> ProcessClass {
    let mut parts = title.split(|&byte| byte == b':');
    let (role, kind, owner) = (parts.next(), parts.next(), parts.next());
    let executor = match (role, kind) {
        (Some(b"executor"), Some(kind)) if kind.starts_with(b"short") => {
            ProcessClass::ShortExecutor
        }
        (Some(b"executor"), Some(kind)) if kind.starts_with(b"long") => ProcessClass::LongExecutor,
        // `worker:short`: the dispatchers of old releases.
        _ => return ProcessClass::Other,
    };
    let owner = owner.and_then(|pid| std::str::from_utf8(pid).ok()?.trim().parse::<u32>().ok());
    // A title with another process's pid was inherited by a fork of that process. An
    // executor's own title has another pid only if the server runs in another pid
    // namespace. Then the parent is the server, which has no such title to inherit.
    let is_own = owner == Some(subject.pid) || subject.parent == Some(ProcessClass::Server);
    if is_own { executor } else { by_parent(subject.parent) }
}

/// Class of a process whose command line matches no pattern, by the class of its parent.
fn by_parent(parent: Option<ProcessClass>) -> ProcessClass {
    use ProcessClass::{
        JobsController, LogFollower, LongExecutor, Other, Queue, ServeController, Server,
        ServerWorker, ShortExecutor, StartingExecutor, Subprocess,
    };
    match parent {
        Some(ShortExecutor | LongExecutor | StartingExecutor) => Subprocess,
        Some(JobsController | ServeController | Subprocess) => Subprocess,
        // A follower is a chain of shells, Python and `tee`, which counts as a whole.
        Some(LogFollower) => LogFollower,
        Some(Server | ServerWorker | Queue | Other) | None => Other,
    }
}

fn contains(argument: &[u8], part: &[u8]) -> bool {
    argument.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
