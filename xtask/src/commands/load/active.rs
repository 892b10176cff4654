//! Active run: what its phases need, and the start and end of each phase.

use anyhow::Result;
use host::progress::Progress;
use skyload::credentials::Credentials;
use skyload::plan::LoadPlan;
use skyload::record::RunDir;
use skyload::record::events::Event;
use skyload::record::profile::{Phase, Window};

use super::monitor::Monitor;
use super::scraper::Scraper;
use crate::nextest::Tests;

/// Run that is being measured.
pub(super) struct ActiveRun<'a> {
    pub(super) plan: &'a LoadPlan,
    pub(super) directory: &'a RunDir,
    pub(super) tests: &'a Tests,
    /// Credentials of clients for the server.
    pub(super) credentials: &'a Credentials,
    pub(super) progress: Progress,
    /// Whether clusters outlive the run unless they are torn down.
    pub(super) nodes_persist: bool,
    /// Reader of the server's own metrics; `None` if the plan has none.
    pub(super) scraper: Option<Scraper>,
    pub(super) monitor: Monitor<'a>,
}

impl ActiveRun<'_> {
    /// Begins a phase: resets peaks if the plan records them per phase, and logs the event. (In
    /// the load, peaks are reset for each group instead.)
    pub(super) fn begin_phase(&mut self, phase: Phase) -> Result<()> {
        self.begin_window(Window::Phase(phase))?;
        self.monitor.events.note(Event::PhaseBegan(phase))
    }

    /// Resets the peaks of the server's processes, if the plan records them per phase.
    pub(super) fn begin_window(&mut self, window: Window) -> Result<()> {
        if self.plan.phase_peaks
            && let Some(profiler) = &mut self.monitor.profiler
            && profiler.is_alive()
        {
            profiler.begin_window(window)?;
        }
        Ok(())
    }

    /// Reads memory at the end of a phase. Without a profiler there is no snapshot, which the
    /// report finds by itself.
    pub(super) fn snapshot(&mut self, phase: Phase) -> Result<()> {
        if let Some(profiler) = &mut self.monitor.profiler
            && profiler.is_alive()
        {
            return profiler.snapshot(phase);
        }
        Ok(())
    }
}
