//! State of a run: what it does at a time.

use crate::record::profile::Phase;

/// State of a run: what it does at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunState {
    /// Start of the server, until it is idle.
    StartingServer,
    /// Phase of the run.
    Phase(Phase),
    /// Stop of the server.
    StoppingServer,
    /// End of the run; the report is being made, or is there.
    Ended,
}

impl RunState {
    /// Name, that of the phase in a phase.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::StartingServer => "starting the server",
            Self::Phase(phase) => phase.name(),
            Self::StoppingServer => "stopping the server",
            Self::Ended => "ended",
        }
    }
}
