//! A run while it is measured: what each of its phases needs, and what each begins and ends
//! with.

use anyhow::Result;
use host::progress::Progress;
use skyload::credentials::Credentials;
use skyload::plan::LoadPlan;
use skyload::record::RunDir;
use skyload::record::events::Event;
use skyload::record::profile::{Phase, Window};

use super::monitor::Monitor;
use crate::nextest::Tests;

/// A run while it is measured.
pub(super) struct ActiveRun<'a> {
    pub(super) plan: &'a LoadPlan,
    pub(super) directory: &'a RunDir,
    pub(super) tests: &'a Tests,
    /// How clients tell the server who they are.
    pub(super) credentials: &'a Credentials,
    pub(super) progress: Progress,
    /// Whether what the run launches on is there when the run is gone.
    pub(super) nodes_stay: bool,
    pub(super) watch: Monitor<'a>,
}

impl ActiveRun<'_> {
    /// Notes that a phase begins, which has peaks of its own where the plan wants that. The
    /// load's are those of its groups.
    pub(super) fn begin_phase(&mut self, phase: Phase) -> Result<()> {
        self.begin_window(Window::Phase(phase))?;
        self.watch.events.note(Event::PhaseBegan(phase))
    }

    /// Has the peaks of the server's processes reset, where the plan wants that.
    pub(super) fn begin_window(&mut self, window: Window) -> Result<()> {
        if self.plan.phase_peaks
            && let Some(profiler) = &mut self.watch.profiler
            && profiler.is_alive()
        {
            profiler.begin_window(window)?;
        }
        Ok(())
    }

    /// Has memory read at the end of a phase. A profiler that is lost has been noted; a lost
    /// snapshot shows in the coverage.
    pub(super) fn snapshot(&mut self, phase: Phase) -> Result<()> {
        if let Some(profiler) = &mut self.watch.profiler
            && profiler.is_alive()
        {
            return profiler.snapshot(phase);
        }
        Ok(())
    }
}
