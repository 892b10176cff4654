//! Which kind of process this is: SkyPilot's habits in one pure function.
//!
//! What each kind looks like was seen on real servers of releases 0.9 to 0.14.
//! Words of the command line are compared whole, except for code that is passed
//! to an interpreter: a shell whose script mentions a controller is no controller, and
//! neither is a program that passes a controller's words on ([`server_command`]).

use crate::class::ProcessClass;
use crate::server_command::{self, arguments, python_module};

/// What is known of a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) pid: u32,
    /// Its words, each ended by a NUL or more.
    pub(super) command_line: &'a [u8],
    /// It is the main process of the server.
    pub(super) is_main: bool,
    /// Its parent's class, if that is in the tree.
    pub(super) parent: Option<ProcessClass>,
    /// Its command line is its parent's: a copy that has not become anything yet.
    pub(super) is_copy: bool,
}

/// The ports of the server, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ServerPorts {
    pub(super) api: Option<u16>,
    pub(super) queue: Option<u16>,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Classified {
    /// What it is.
    As(ProcessClass),
    /// What it is now, on its way to something else.
    Still(ProcessClass),
}

/// Classes a process by its words and its parent. What is `Still` starting may be
/// found to be something else [`by_ports`].
pub(super) fn classify(subject: &Subject<'_>) -> Classified {
    use ProcessClass::{
        JobsController, LogFollower, Other, ServeController, Server, ServerWorker, StartingExecutor,
    };
    if subject.is_main {
        return Classified::As(Server);
    }
    if subject.is_copy {
        return Classified::Still(below(subject.parent));
    }
    let words = || arguments(subject.command_line);
    let module = python_module(words());
    let Some(first) = words().next() else { return Classified::Still(below(subject.parent)) };
    if let Some(title) = first.strip_prefix(b"SkyPilot:") {
        return Classified::As(by_title(title, subject));
    }
    if module == Some(b"sky.jobs.controller") {
        return Classified::As(JobsController);
    }
    if module == Some(b"sky.serve.service") {
        return Classified::As(ServeController);
    }
    if words().any(|word| contains(word, b"multiprocessing.resource_tracker")) {
        return Classified::As(Other);
    }
    let is_spawned = words().any(|word| contains(word, b"multiprocessing.spawn"));
    match subject.parent {
        Some(Server | ServerWorker) if is_spawned => Classified::Still(StartingExecutor),
        Some(Server | ServerWorker) if words().any(|word| contains(word, b"sky.jobs")) => {
            Classified::As(LogFollower)
        }
        Some(ServeController) if is_spawned => Classified::As(ServeController),
        parent => Classified::As(below(parent)),
    }
}

/// Classes a process that the server spawned and that has no title, by the TCP
/// ports where it waits for connections: not all take one.
pub(super) fn by_ports(listens_on: &[u16], ports: ServerPorts) -> Classified {
    let is_queue = match ports.queue {
        Some(queue) => listens_on.contains(&queue),
        None => listens_on.iter().any(|&port| Some(port) != ports.api),
    };
    if is_queue {
        Classified::As(ProcessClass::Queue)
    } else if ports.api.is_some_and(|port| listens_on.contains(&port)) {
        Classified::As(ProcessClass::ServerWorker)
    } else {
        Classified::Still(ProcessClass::StartingExecutor)
    }
}

/// The API port in the command line of a server's main process; the release's own
/// default when that runs the server without naming one.
pub(super) fn api_port_in(command_line: &[u8]) -> Option<u16> {
    const DEFAULT: u16 = 46580;
    let named = server_command::port(arguments(command_line));
    named.or_else(|| runs_server(command_line).then_some(DEFAULT))
}

/// Whether a process with this command line is an API server, if the words are its own.
pub(super) fn runs_server(command_line: &[u8]) -> bool {
    python_module(arguments(command_line)) == Some(server_command::SERVER)
}

/// The first word of a command line. A title that a process gave itself stands in
/// the place of all words, filled up with NULs.
pub(super) fn first_word(command_line: &[u8]) -> &[u8] {
    arguments(command_line).next().unwrap_or_default()
}

/// `executor:short:4711`; older releases number their executors: `long-0`.
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
    // The title of a copy names another process, whose child it then is. An
    // executor's own title does so only when a pid namespace lies between it and
    // us; its parent is the server, which has no such title to be copied.
    let is_own = owner == Some(subject.pid) || subject.parent == Some(ProcessClass::Server);
    if is_own { executor } else { below(subject.parent) }
}

/// What a command is whose own words say nothing: it depends on who started it.
fn below(parent: Option<ProcessClass>) -> ProcessClass {
    use ProcessClass::{
        JobsController, LogFollower, LongExecutor, Other, Queue, ServeController, Server,
        ServerWorker, ShortExecutor, StartingExecutor, Subprocess,
    };
    match parent {
        Some(ShortExecutor | LongExecutor | StartingExecutor) => Subprocess,
        Some(JobsController | ServeController | Subprocess) => Subprocess,
        Some(LogFollower) => LogFollower,
        Some(Server | ServerWorker | Queue | Other) | None => Other,
    }
}

fn contains(word: &[u8], part: &[u8]) -> bool {
    word.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
