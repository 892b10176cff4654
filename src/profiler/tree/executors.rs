//! Readings of executors, which attribute their memory to requests.
//!
//! A reading is noted when the request of an executor has changed, or its memory by more than
//! noise. The request is read from the kernel when the memory has changed, also by less, since the
//! next request may have begun. It is read every 0.4 seconds while a request runs that changes
//! none, and every five seconds while none runs: a request of an executor that has run others may
//! change no memory. An executor that runs a daemon of the server costs nothing.
//!
//! When the request has changed, the high-water mark is read at once. Growth of the request that
//! has ended is then not mistaken for growth of the next one.

use std::time::Duration;

use super::Tree;
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::profiler::source::{Memory, ProcessSource};
use crate::record::profile::{ExecutorMemory, ExecutorReading, Output, PEAK_NOISE, is_daemon};
use crate::units::ByteSize;

/// Rise of a high-water mark from which on a reading is noted, in bytes. Smaller ones are within
/// the error of the kernel's counters.
const RISE: u64 = PEAK_NOISE / 2;

/// Change of RSS from which on a reading is noted, in bytes. Files in `/proc` differ by some
/// 100 kB per CPU.
const CHANGE: u64 = 2 << 20;

/// Change of RSS or of the high-water mark since the last reading from which on the request is read,
/// in bytes: as far apart are two files in `/proc` of 2 CPUs that show the same.
const SMALLEST_CHANGE: u64 = 256 << 10;

/// Minimum time between two noted readings of an executor with the same request, unless its
/// high-water mark is about to be reset.
const INTERVAL: Duration = Duration::from_millis(250);

/// Time after which an executor that ran no request is asked for one, although its memory has not
/// changed. Most executors of a server run none.
const ASK_INTERVAL: Duration = Duration::from_secs(5);

/// Time after which an executor that ran a request is asked whether it has ended, although its
/// memory has not changed, as while a launch waits for a node.
const ASK_RUNNING_INTERVAL: Duration = Duration::from_millis(400);

/// Minimum time between two noted readings of an executor whose request cannot be read: they
/// attribute no memory, and show only why.
const UNREAD_INTERVAL: Duration = Duration::from_secs(10);

/// Last readings of one executor.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Memory at the last reading.
    last: Option<ExecutorMemory>,
    /// Time of the last reading of the high-water mark.
    mark_read: Option<Timestamp>,
    /// Time of the last reading of the request.
    asked: Option<Timestamp>,
    /// Last noted reading.
    noted: Option<Noted>,
}

#[derive(Debug)]
struct Noted {
    at: Timestamp,
    memory: ExecutorMemory,
    output: Output,
    /// Whether the high-water mark is about to be reset.
    precedes_reset: bool,
}

impl Noted {
    /// Whether the memory has changed since by more than noise. (A lower mark shows that the peak
    /// was reset.)
    fn differs(&self, now: ExecutorMemory) -> bool {
        change(self.memory.peak, now.peak) >= RISE || change(self.memory.rss, now.rss) >= CHANGE
    }

    /// Whether a request ran that ends. A daemon runs for as long as the server.
    fn runs_request(&self) -> bool {
        self.output.request().is_some_and(|id| !is_daemon(id))
    }

    /// Time after which the executor is asked again, although its memory has not changed; `None` if
    /// it is not.
    fn ask_interval(&self) -> Option<Duration> {
        match &self.output {
            Output::NoRequest => Some(ASK_INTERVAL),
            Output::Request(_) => self.runs_request().then_some(ASK_RUNNING_INTERVAL),
            Output::Unread(_) => None,
        }
    }
}

/// Difference of two sizes, in bytes.
const fn change(before: ByteSize, now: ByteSize) -> u64 {
    before.as_u64().abs_diff(now.as_u64())
}

impl Watch {
    /// Whether the memory has changed since the last reading, be it by less than is noted.
    fn memory_has_changed(&self, now: ExecutorMemory) -> bool {
        self.last.is_some_and(|last| {
            change(last.peak, now.peak) >= SMALLEST_CHANGE
                || change(last.rss, now.rss) >= SMALLEST_CHANGE
        })
    }

    /// Whether the request must be read again.
    fn looks(&self, at: Timestamp, now: ExecutorMemory, is_starting: bool) -> bool {
        match &self.noted {
            Some(noted) => {
                noted.differs(now)
                    || noted.ask_interval().is_some_and(|interval| {
                        self.memory_has_changed(now) || self.is_ask_due(at, interval)
                    })
            }
            // The title may be read later than the first request begins.
            None if is_starting => self.last.is_some_and(|last| now.peak > last.peak),
            None => true,
        }
    }

    fn is_ask_due(&self, at: Timestamp, interval: Duration) -> bool {
        self.asked.is_none_or(|asked| at.since(asked) >= interval)
    }

    /// Whether any reading was noted.
    pub(super) const fn has_readings(&self) -> bool {
        self.noted.is_some()
    }

    fn has_changed(&self, output: &Output) -> bool {
        self.noted.as_ref().is_none_or(|noted| noted.output != *output)
    }

    /// Whether a reading is noted.
    fn notes(
        &self,
        at: Timestamp,
        output: &Output,
        now: ExecutorMemory,
        is_starting: bool,
    ) -> bool {
        match &self.noted {
            Some(noted) if noted.output == *output => {
                let interval = match output {
                    Output::NoRequest => Duration::ZERO,
                    Output::Request(_) if noted.precedes_reset => Duration::ZERO,
                    Output::Request(_) => INTERVAL,
                    Output::Unread(_) => UNREAD_INTERVAL,
                };
                noted.differs(now) && at.since(noted.at) >= interval
            }
            Some(_) => true,
            None => !is_starting || output.request().is_some(),
        }
    }

    fn note(
        &mut self,
        at: Timestamp,
        process: ProcessIdentity,
        output: Output,
        memory: ExecutorMemory,
        cpu: Option<Duration>,
    ) -> ExecutorReading {
        self.noted = Some(Noted { at, memory, output: output.clone(), precedes_reset: false });
        let (before, since) = (self.last, self.mark_read);
        ExecutorReading { at, process, output, memory, before, since, cpu, thinned: false }
    }

    /// Lets the next reading be noted however soon it is after another one, if it differs: the reset
    /// that follows erases the high-water mark, which would then seem to be of a later request.
    pub(super) const fn expect_reset(&mut self) {
        if let Some(noted) = &mut self.noted {
            noted.precedes_reset = true;
        }
    }

    /// Applies a reset of the high-water mark: it is the RSS now. A request that grows the executor
    /// then has grown it from there, and not from the mark before the reset.
    pub(super) fn reset_peak(&mut self) {
        if let Some(last) = &mut self.last {
            last.peak = last.rss;
        }
        if let Some(noted) = &mut self.noted {
            noted.precedes_reset = false;
        }
    }

    fn update(&mut self, memory: Memory, at: Timestamp) {
        self.last = Some(memory.into());
        if memory.high_water_read {
            self.mark_read = Some(at);
        }
    }
}

impl From<Memory> for ExecutorMemory {
    fn from(memory: Memory) -> Self {
        Self { rss: ByteSize(memory.rss), peak: ByteSize(memory.high_water) }
    }
}

impl<S: ProcessSource> Tree<S> {
    /// Readings of executors that were noted since the last call.
    pub(in crate::profiler) fn take_executor_readings(&mut self) -> Vec<ExecutorReading> {
        std::mem::take(&mut self.executor_readings)
    }

    /// Executors with readings that have exited since the last call.
    pub(in crate::profiler) fn take_ended_executors(&mut self) -> Vec<ProcessIdentity> {
        std::mem::take(&mut self.ended_executors)
    }

    /// Watches a member at one reading, if it is an executor.
    pub(super) fn watch(&mut self, index: usize, memory: Memory, at: Timestamp) {
        let member = &mut self.members[index];
        // A cached reading shows no change, and a fork has its parent's output.
        if !member.class.is_executor() || memory.cached || member.is_fork() {
            return;
        }
        let is_starting = member.class == ProcessClass::StartingExecutor;
        let process = member.stat.identity;
        let mut now = memory;
        if member.watch.looks(at, memory.into(), is_starting)
            && let Some(output) = member.handle().and_then(|handle| self.source.output(handle))
        {
            let watch = &mut self.members[index].watch;
            watch.asked = Some(at);
            let has_changed = watch.has_changed(&output);
            if has_changed && !memory.high_water_read {
                self.invalidate(index);
                let Some(memory) = self.read_memory(index) else { return };
                self.members[index].update_memory(memory, at);
                now = memory;
            }
            let watch = &mut self.members[index].watch;
            if watch.notes(at, &output, now.into(), is_starting) {
                let handle = self.members[index].handle().filter(|_| has_changed);
                let cpu = handle.and_then(|handle| self.source.cpu_time_by(handle));
                let watch = &mut self.members[index].watch;
                let reading = watch.note(at, process, output, now.into(), cpu);
                self.executor_readings.push(reading);
            }
        }
        self.members[index].watch.update(now, at);
    }
}
