//! Monitor for reasons to end a run early: Ctrl-C, memory floor, loss of server or profiler, a
//! breach of a threshold.

use std::time::{Duration, Instant};

use anyhow::Result;
use host::progress::Progress;
use host::signals::Signals;
use skyload::poll;
use skyload::profiler::protocol::Notice;
use skyload::record::RunDir;
use skyload::record::events::{Event, StopReason};

use super::events::Events;
use super::kills::KillWatch;
use crate::profiler::ProfilerProcess;
use crate::server::{ServerSession, ServerState};

/// Interval between checks for a reason to end the run early.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Interval between checks whether the server still runs.
const SERVER_CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// Interval between looks for semaphores that the server has made.
const SEMAPHORES_INTERVAL: Duration = Duration::from_secs(5);

/// Monitor for reasons to end a run early.
pub(super) struct Monitor<'a> {
    pub(super) signals: &'a Signals,
    pub(super) server: &'a ServerSession,
    pub(super) profiler: Option<ProfilerProcess>,
    pub(super) events: Events,
    directory: &'a RunDir,
    stopped: Option<StopReason>,
    next_server_check: Instant,
    next_semaphores: Instant,
    /// Whether an error of a look for semaphores was said.
    has_warned: bool,
    progress: Progress,
    server_lost: bool,
    /// Processes that the kernel kills at the server's size.
    pub(super) kills: KillWatch<'a>,
}

impl<'a> Monitor<'a> {
    pub(super) fn new(
        signals: &'a Signals,
        server: &'a ServerSession,
        profiler: Option<ProfilerProcess>,
        events: Events,
        directory: &'a RunDir,
        kills: KillWatch<'a>,
        progress: Progress,
    ) -> Self {
        Self {
            signals,
            server,
            profiler,
            events,
            directory,
            stopped: None,
            next_server_check: Instant::now(),
            next_semaphores: Instant::now(),
            has_warned: false,
            progress,
            server_lost: false,
            kills,
        }
    }

    /// Reason to end early that was found so far.
    pub(super) const fn stopped(&self) -> Option<StopReason> {
        self.stopped
    }

    /// Whether the server was found to be gone or replaced.
    pub(super) const fn server_is_lost(&self) -> bool {
        self.server_lost
    }

    /// Checks for a reason to end early. Once found, the reason stays and is logged once.
    pub(super) fn stop_reason(&mut self) -> Result<Option<StopReason>> {
        self.kills.poll(&mut self.events)?;
        if self.stopped.is_none()
            && let Some(reason) = self.find_reason()?
        {
            self.stopped = Some(reason);
            self.events.note(Event::LoadStopped(reason))?;
        }
        Ok(self.stopped)
    }

    fn find_reason(&mut self) -> Result<Option<StopReason>> {
        if self.signals.interrupted() {
            return Ok(Some(StopReason::Interrupted));
        }
        if self.directory.breach().exists() {
            return Ok(Some(StopReason::Breach));
        }
        if let Some(profiler) = &mut self.profiler {
            // Before the check whether the profiler runs: a notice tells more than its exit does.
            let notices = profiler.take_notices();
            if notices.iter().any(|notice| matches!(notice, Notice::MemoryFloor { .. })) {
                return Ok(Some(StopReason::MemoryFloor));
            }
            if notices.iter().any(|notice| matches!(notice, Notice::ServerGone { .. })) {
                // The profiler only sees that the main process has exited. The check below tells
                // whether the server is gone or replaced.
                self.next_server_check = Instant::now();
            }
            if !profiler.is_alive() {
                return Ok(Some(StopReason::ProfilerLost));
            }
        }
        if Instant::now() >= self.next_server_check {
            self.next_server_check = Instant::now() + SERVER_CHECK_INTERVAL;
            if self.check_server()? {
                return Ok(Some(StopReason::ServerLost));
            }
        }
        if Instant::now() >= self.next_semaphores {
            self.next_semaphores = Instant::now() + SEMAPHORES_INTERVAL;
            self.note_semaphores();
        }
        Ok(None)
    }

    /// Records the server's semaphores for the cleanup. An error is none of the run: it is said once,
    /// and the next look tries again.
    fn note_semaphores(&mut self) {
        if let Err(error) = self.server.note_semaphores()
            && !std::mem::replace(&mut self.has_warned, true)
        {
            self.progress.note(format!(
                "The server's semaphores were not recorded, and stay if it is killed: {error:#}"
            ));
        }
    }

    /// Checks whether the server is gone or replaced, which is logged once.
    pub(super) fn check_server(&mut self) -> Result<bool> {
        if self.server_lost {
            return Ok(true);
        }
        let event = match self.server.state()? {
            ServerState::Alive => return Ok(false),
            ServerState::Gone => Event::ServerGone,
            ServerState::Replaced => Event::ServerReplaced,
        };
        self.server_lost = true;
        self.events.note(event)?;
        Ok(true)
    }

    /// Waits for `time`, or until there is a reason to end early.
    pub(super) fn wait(&mut self, time: Duration) -> Result<Option<StopReason>> {
        poll::during(time, POLL_INTERVAL, || self.stop_reason())
    }
}

/// Result of a step for the progress output.
pub(super) fn step_result(stopped: Option<StopReason>) -> &'static str {
    match stopped {
        None => "done",
        Some(StopReason::Interrupted) => "interrupted",
        Some(StopReason::MemoryFloor) => "stopped, memory floor reached",
        Some(StopReason::ServerLost) => "the server is gone",
        Some(StopReason::ProfilerLost) => "the profiler is gone",
        Some(StopReason::Breach) => "ended by a threshold",
    }
}
