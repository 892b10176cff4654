//! Faults of the load generator itself, which are no evidence about the server.

use std::error::Error;
use std::io;

use nix::errno::Errno;

use super::Failure;

/// Fault of the load generator itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientFault {
    /// Limit of open files and connections reached.
    OpenFiles,
    /// Memory allocation failed.
    Memory,
    /// Local ports for outgoing connections used up.
    Ports,
    /// Limit of processes reached.
    Processes,
    /// Process not started for another reason.
    Start,
    /// Bug in skyload.
    Skyload,
}

impl ClientFault {
    const ALL: [Self; 6] =
        [Self::OpenFiles, Self::Memory, Self::Ports, Self::Processes, Self::Start, Self::Skyload];

    /// Error type under which failures of this kind are counted. A server's errors never have
    /// one of these types, since they are named after Python classes.
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

    /// Hint for the user, starting with an imperative.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::OpenFiles => "raise the hard limit (ulimit -Hn) or use fewer users (-n)",
            Self::Memory => "use fewer users (-n), or a machine with more memory",
            Self::Ports => {
                "use fewer users (-n), or widen net.ipv4.ip_local_port_range: a connection \
                 occupies a port until a minute after its end"
            }
            Self::Processes => {
                "raise the limit on processes (ulimit -u, pids.max) or use fewer users (-n)"
            }
            Self::Start => "see load.log, and check that `--sky` is an executable program",
            Self::Skyload => "see load.log, and report this bug",
        }
    }

    /// Fault of the load generator that an error of the operating system shows; `None` for
    /// errors that a server may have caused.
    pub fn of_error(error: &io::Error) -> Option<Self> {
        match Errno::from_raw(error.raw_os_error()?) {
            Errno::EMFILE | Errno::ENFILE => Some(Self::OpenFiles),
            Errno::ENOMEM | Errno::ENOBUFS => Some(Self::Memory),
            // connect(2) fails with this if all ports of the ephemeral range are in use.
            Errno::EADDRNOTAVAIL => Some(Self::Ports),
            _ => None,
        }
    }

    /// Fault of the load generator among the causes of an error. The operating system's error
    /// is the innermost cause.
    pub fn among_causes(error: &dyn Error) -> Option<Self> {
        let causes = std::iter::successors(error.source(), |&cause| Error::source(cause));
        causes.filter_map(|cause| cause.downcast_ref()).find_map(Self::of_error)
    }

    /// Fault of the load generator that prevented the start of a process.
    pub fn of_start(error: &io::Error) -> Self {
        // fork(2) fails with EAGAIN at the limit of processes (RLIMIT_NPROC, pids.max).
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EAGAIN) => Self::Processes,
            _ => Self::of_error(error).unwrap_or(Self::Start),
        }
    }
}

impl Failure {
    /// Fault of the load generator that caused the failure, if any.
    pub fn client_fault(&self) -> Option<ClientFault> {
        // With an HTTP status, the error type is a server's, whatever its name.
        let mut faults = ClientFault::ALL.into_iter();
        faults.find(|fault| self.status.is_none() && fault.name() == self.error_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_operating_system_are_distinguished_from_those_of_the_server() {
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
