//! What the load generator itself could not do. That says nothing of the server.

use std::error::Error;
use std::io;

use nix::errno::Errno;

use super::Failure;

/// What the load generator itself could not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientFault {
    /// It has as many files and connections open as it may.
    OpenFiles,
    /// It gets no memory.
    Memory,
    /// The machine has no port left for another connection.
    Ports,
    /// It may start no process more.
    Processes,
    /// A process could not be started for another reason.
    Start,
    /// A fault of its own.
    Skyload,
}

impl ClientFault {
    const ALL: [Self; 6] =
        [Self::OpenFiles, Self::Memory, Self::Ports, Self::Processes, Self::Start, Self::Skyload];

    /// The type of error under which failures of this kind are counted. No error of a
    /// server has it: those are named by Python.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenFiles => "load-generator-out-of-open-files",
            Self::Memory => "load-generator-out-of-memory",
            Self::Ports => "load-generator-out-of-ports",
            Self::Processes => "load-generator-out-of-processes",
            Self::Start => "sky-not-started",
            Self::Skyload => "skyload-fault",
        }
    }

    /// What to do about it.
    pub const fn cure(self) -> &'static str {
        match self {
            Self::OpenFiles => "raise the hard limit (ulimit -Hn) or use fewer users (-n)",
            Self::Memory => "use fewer users (-n), or a machine with more memory",
            Self::Ports => {
                "use fewer users (-n), or widen net.ipv4.ip_local_port_range: every \
                 connection takes a port, for a minute after its end, too"
            }
            Self::Processes => {
                "raise the limit on processes (ulimit -u, pids.max) or use fewer users (-n)"
            }
            Self::Start => "see load.log, and whether `--sky` names a program that can be run",
            Self::Skyload => "see load.log, and report it",
        }
    }

    /// What an error of the operating system says of whoever made the call.
    pub fn of_error(error: &io::Error) -> Option<Self> {
        match Errno::from_raw(error.raw_os_error()?) {
            Errno::EMFILE | Errno::ENFILE => Some(Self::OpenFiles),
            Errno::ENOMEM | Errno::ENOBUFS => Some(Self::Memory),
            Errno::EADDRNOTAVAIL => Some(Self::Ports),
            _ => None,
        }
    }

    /// What an error's causes say of whoever made the call: the operating system's error is the
    /// innermost of them.
    pub fn among_causes(error: &dyn Error) -> Option<Self> {
        let causes = std::iter::successors(error.source(), |&cause| Error::source(cause));
        causes.filter_map(|cause| cause.downcast_ref()).find_map(Self::of_error)
    }

    /// Why a process could not be started, by the operating system's error: nobody but us is to
    /// blame.
    pub fn of_start(error: &io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EAGAIN) => Self::Processes,
            _ => Self::of_error(error).unwrap_or(Self::Start),
        }
    }
}

impl Failure {
    /// Whether it is the load generator's own, and which.
    pub fn client_fault(&self) -> Option<ClientFault> {
        let mut faults = ClientFault::ALL.into_iter();
        faults.find(|fault| self.status.is_none() && fault.name() == self.error_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_operating_system_are_told_from_those_of_the_server() {
        let of = |errno: Errno| ClientFault::of_error(&io::Error::from(errno));
        assert_eq!(of(Errno::EMFILE), Some(ClientFault::OpenFiles));
        assert_eq!(of(Errno::ENFILE), Some(ClientFault::OpenFiles));
        assert_eq!(of(Errno::ENOMEM), Some(ClientFault::Memory));
        assert_eq!(of(Errno::EADDRNOTAVAIL), Some(ClientFault::Ports));
        assert_eq!(of(Errno::ECONNREFUSED), None);
        assert_eq!(of(Errno::ECONNRESET), None);
        let of = |errno: Errno| ClientFault::of_start(&io::Error::from(errno));
        assert_eq!(of(Errno::EAGAIN), ClientFault::Processes);
        assert_eq!(of(Errno::ENOENT), ClientFault::Start);
    }
}
