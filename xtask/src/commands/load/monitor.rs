//! Keeping an eye on everything that can end a load early.

use std::time::{Duration, Instant};

use anyhow::Result;
use host::signals::Signals;
use skyload::poll;
use skyload::profiler::protocol::Notice;
use skyload::record::events::{Event, StopReason};

use super::events::Events;
use crate::profiler::ProfilerProcess;
use crate::server::{ServerSession, ServerState};

/// How often it is looked at whether there is a reason to end.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How often the server's identity is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Everything that can end a load early.
pub(super) struct Monitor<'a> {
    pub(super) signals: &'a Signals,
    pub(super) server: &'a ServerSession,
    pub(super) profiler: Option<ProfilerProcess>,
    pub(super) events: Events,
    stopped: Option<StopReason>,
    next_look: Instant,
    server_lost: bool,
}

impl<'a> Monitor<'a> {
    pub(super) fn new(
        signals: &'a Signals,
        server: &'a ServerSession,
        profiler: Option<ProfilerProcess>,
        events: Events,
    ) -> Self {
        Self {
            signals,
            server,
            profiler,
            events,
            stopped: None,
            next_look: Instant::now(),
            server_lost: false,
        }
    }

    /// Why the run ends early, as far as has been seen.
    pub(super) const fn stopped(&self) -> Option<StopReason> {
        self.stopped
    }

    /// Whether the server has been seen to be gone.
    pub(super) const fn server_is_lost(&self) -> bool {
        self.server_lost
    }

    /// Why the run is to end early, if it is. What is found is noted once.
    pub(super) fn look(&mut self) -> Result<Option<StopReason>> {
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
        if let Some(profiler) = &mut self.profiler {
            let notices = profiler.take_notices();
            if notices.iter().any(|notice| matches!(notice, Notice::MemoryFloor { .. })) {
                return Ok(Some(StopReason::MemoryFloor));
            }
            if notices.iter().any(|notice| matches!(notice, Notice::ServerGone { .. })) {
                self.next_look = Instant::now();
            }
            if !profiler.is_alive() {
                return Ok(Some(StopReason::ProfilerLost));
            }
        }
        if Instant::now() >= self.next_look {
            self.next_look = Instant::now() + LOOK_EVERY;
            if self.check_server()? {
                return Ok(Some(StopReason::ServerLost));
            }
        }
        Ok(None)
    }

    /// Whether the server was lost; noted when it is first seen.
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

    /// Waits for a measured time, or until there is a reason to end.
    pub(super) fn wait(&mut self, time: Duration) -> Result<Option<StopReason>> {
        poll::during(time, POLL_INTERVAL, || self.look())
    }
}

/// How a part of the run ended.
pub(super) fn in_words(stopped: Option<StopReason>) -> &'static str {
    match stopped {
        None => "done",
        Some(StopReason::Interrupted) => "interrupted",
        Some(StopReason::MemoryFloor) => "stopped to protect the machine",
        Some(StopReason::ServerLost) => "the server is gone",
        Some(StopReason::ProfilerLost) => "the profiler is gone",
    }
}
