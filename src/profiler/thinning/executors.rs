//! Thinning of the readings of executors: two for each request would be gigabytes a day.
//!
//! Readings are written as they come for as long as samples are ([`UNTHINNED`]). After that they are
//! collected for a window of [`THINNED_TOGETHER`], and of each executor those stay that raise its
//! high-water mark, and the largest RSS of each [`PART`], to within [`PART_RISE`]. Each of them
//! stays with what its request is told from: the reading before it, the first and the last reading
//! of the request, and the one before these. The last reading of an executor stays, too.
//!
//! What every request cost is found from all readings, and written in one line for each window. An
//! executor that has exited is forgotten with the window.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::record::profile::{
    EndedRequests, ExecutedRequest, ExecutorReading, ExecutorRequests, PEAK_NOISE, ProfileLine,
    RequestFinder, THINNED_TOGETHER, UNTHINNED, UnlistedRequests,
};
use crate::units::ByteSize;

/// Rise of an executor's high-water mark from which on a reading stays, in bytes. Half of what the
/// report takes for noise, so that the reading in which the peak was reached is told as before.
const RISE: u64 = PEAK_NOISE / 2;

/// Time of which the largest RSS stays, to within [`PART_RISE`]: the largest of its first window,
/// and that of a later one if it is larger by as much than the ones that stayed before.
const PART: Duration = Duration::from_secs(600);

/// Rise of RSS within a part from which on a reading stays, in bytes.
const PART_RISE: u64 = 2 << 20;

/// Maximum number of requests that are listed in a window; the others are summed up. A day of as
/// many takes 30 MB.
const MAX_LISTED: usize = 360;

/// Thinner of the readings of all executors of one profile.
#[derive(Debug, Default)]
pub(in crate::profiler) struct ExecutorThinner {
    began: Option<Timestamp>,
    /// Start of the current window; `None` while every reading is written.
    window: Option<Timestamp>,
    /// Start of the current part.
    part: Option<Timestamp>,
    executors: BTreeMap<ProcessIdentity, Executor>,
}

/// Readings of one executor.
#[derive(Debug, Default)]
struct Executor {
    finder: RequestFinder,
    /// Requests that ended in the current window.
    ended: Vec<ExecutedRequest>,
    /// Readings of the current window, and before them those of earlier ones that may have to stay
    /// with a later one.
    held: Vec<Held>,
    /// Number of readings in `held` that are from before the current window.
    earlier: usize,
    /// Largest high-water mark of all readings.
    peak: ByteSize,
    /// Largest high-water mark of readings that stay.
    kept_peak: ByteSize,
    /// Largest RSS in the current part of readings that stay.
    part_rss: Option<ByteSize>,
    /// Whether the executor has exited: it has no more readings.
    has_exited: bool,
}

#[derive(Debug)]
struct Held {
    reading: ExecutorReading,
    state: State,
    /// Whether the reading stays only because it ends a request that does. Otherwise the end of the
    /// request that it begins would stay, too, and so on for as long as requests follow at once.
    only_ends: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    LeftOut,
    /// Stays, and is written when the window ends.
    Kept,
    Written,
}

impl ExecutorThinner {
    /// Ends the window if it is over at the time of a sample, and returns the lines that are to be
    /// written.
    pub(in crate::profiler) fn advance(&mut self, at: Timestamp) -> Vec<ProfileLine> {
        let began = *self.began.get_or_insert(at);
        if at.since(began) < UNTHINNED {
            return Vec::new();
        }
        if at.since(*self.window.get_or_insert(at)) < THINNED_TOGETHER {
            return Vec::new();
        }
        self.window = Some(at);
        let lines = self.end_window(at, false);
        if at.since(*self.part.get_or_insert(at)) >= PART {
            self.part = Some(at);
            self.executors.values_mut().for_each(|executor| executor.part_rss = None);
        }
        lines
    }

    /// Adds a reading, and returns it if it is to be written now.
    pub(in crate::profiler) fn add(&mut self, reading: ExecutorReading) -> Option<ExecutorReading> {
        let is_thinned = self.window.is_some();
        self.executors.entry(reading.process).or_default().add(reading, is_thinned)
    }

    /// Ends the readings of executors that have exited. What is still to be written of them is when
    /// the window ends.
    pub(in crate::profiler) fn end(&mut self, exited: &[ProcessIdentity]) {
        for process in exited {
            if self.window.is_none() {
                // All readings are written.
                self.executors.remove(process);
            } else if let Some(executor) = self.executors.get_mut(process) {
                executor.has_exited = true;
            }
        }
    }

    /// Ends the profile, and returns the lines that are still to be written.
    pub(in crate::profiler) fn finish(&mut self, at: Timestamp) -> Vec<ProfileLine> {
        match self.window {
            Some(_) => self.end_window(at, true),
            None => Vec::new(),
        }
    }

    fn end_window(&mut self, at: Timestamp, is_last: bool) -> Vec<ProfileLine> {
        let mut lines = Vec::new();
        let mut executors = Vec::new();
        for (process, executor) in &mut self.executors {
            let is_over = is_last || executor.has_exited;
            // An executor without readings in this window has nothing new to write.
            if executor.held.len() == executor.earlier && !is_over {
                continue;
            }
            lines.extend(executor.end_window(is_over).map(ProfileLine::Executor));
            let mut requests = std::mem::take(&mut executor.ended);
            let mut running_since_mark = None;
            if is_over && let Some((last, mark)) = std::mem::take(&mut executor.finder).finish() {
                requests.push(last);
                running_since_mark = mark;
            }
            executors.push(ExecutorRequests {
                pid: process.pid,
                started: process.started,
                peak: executor.peak,
                requests,
                running_since_mark,
                unlisted: None,
            });
        }
        self.executors.retain(|_, executor| !executor.has_exited);
        limit(&mut executors);
        if !executors.is_empty() {
            lines.push(ProfileLine::Requests(EndedRequests { at, executors }));
        }
        lines
    }
}

impl Executor {
    fn add(&mut self, mut reading: ExecutorReading, is_thinned: bool) -> Option<ExecutorReading> {
        let ended = self.finder.add(&reading);
        self.peak = self.peak.max(reading.memory.peak);
        if is_thinned {
            self.ended.extend(ended);
            reading.thinned = true;
            self.held.push(Held { reading, state: State::LeftOut, only_ends: false });
            return None;
        }
        self.kept_peak = self.peak;
        let written = reading.clone();
        self.held.push(Held { reading: written, state: State::Written, only_ends: false });
        self.forget();
        Some(reading)
    }

    /// Decides which readings of the window stay, and returns those that are to be written. The
    /// last one of the executor stays.
    fn end_window(&mut self, is_over: bool) -> impl Iterator<Item = ExecutorReading> + use<> {
        let new = self.earlier..self.held.len();
        let largest = new.clone().max_by_key(|&index| self.held[index].reading.memory.rss);
        let largest = largest.filter(|&index| {
            let rss = self.held[index].reading.memory.rss;
            let is_extreme = self
                .part_rss
                .is_none_or(|before| rss.as_u64() >= before.as_u64().saturating_add(PART_RISE));
            if is_extreme {
                self.part_rss = Some(rss);
            }
            is_extreme
        });
        let last = self.held.len().checked_sub(1).filter(|_| is_over);
        for index in new {
            let peak = self.held[index].reading.memory.peak;
            let rises = peak.as_u64() >= self.kept_peak.as_u64().saturating_add(RISE);
            if rises {
                self.kept_peak = peak;
            }
            if rises || largest == Some(index) {
                self.keep(index);
            } else if self.ends_kept_request(index) {
                self.mark(index);
                self.held[index].only_ends = true;
            }
        }
        if let Some(last) = last {
            self.keep(last);
        }
        let to_write = self.held.iter_mut().filter(|held| held.state == State::Kept);
        let written: Vec<ExecutorReading> = to_write
            .map(|held| {
                held.state = State::Written;
                held.reading.clone()
            })
            .collect();
        self.forget();
        written.into_iter()
    }

    /// Keeps a reading and the one before it, each with the start of its request.
    fn keep(&mut self, index: usize) {
        for index in index.saturating_sub(1)..=index {
            self.mark(index);
            if self.request(index).is_some() {
                let start = self.start(index);
                self.mark(start);
                self.mark(start.saturating_sub(1));
            }
        }
    }

    fn mark(&mut self, index: usize) {
        let held = &mut self.held[index];
        held.only_ends = false;
        if held.state == State::LeftOut {
            held.state = State::Kept;
        }
    }

    /// Whether the request of the reading before has ended, and its start stays for its own sake.
    fn ends_kept_request(&self, index: usize) -> bool {
        index.checked_sub(1).is_some_and(|before| {
            let request = self.request(before);
            let start = &self.held[self.start(before)];
            request.is_some()
                && request != self.request(index)
                && start.state != State::LeftOut
                && !start.only_ends
        })
    }

    fn request(&self, index: usize) -> Option<&str> {
        self.held[index].reading.output.request()
    }

    /// Index of the first reading of the request that ran at a reading.
    fn start(&self, index: usize) -> usize {
        let request = self.request(index);
        (0..index)
            .rev()
            .take_while(|&before| self.request(before) == request)
            .last()
            .unwrap_or(index)
    }

    /// Forgets all readings but those that may have to stay with a later one: the last, the first
    /// of its request, and the one before that.
    fn forget(&mut self) {
        if let Some(last) = self.held.len().checked_sub(1) {
            let start = self.start(last);
            let stay = match self.request(last) {
                Some(_) => [start.saturating_sub(1), start, last],
                None => [last; 3],
            };
            let mut index = 0;
            self.held.retain(|_| {
                let stays = stay.contains(&index);
                index += 1;
                stays
            });
        }
        self.earlier = self.held.len();
    }
}

/// Order in which requests are listed: first those that have not ended, whose executors may have
/// grown since, then those with the most growth.
type Rank = (bool, Option<ByteSize>);

/// Ranks of the requests of an executor.
fn ranks(executor: &ExecutorRequests) -> Vec<Rank> {
    let ended = executor.requests.len() - usize::from(executor.running_since_mark.is_some());
    let requests = executor.requests.iter().enumerate();
    requests.map(|(index, request)| (index >= ended, request.growth)).collect()
}

/// Sums up the requests with the least growth, beyond [`MAX_LISTED`].
fn limit(executors: &mut [ExecutorRequests]) {
    let mut all: Vec<Rank> = executors.iter().flat_map(ranks).collect();
    if all.len() <= MAX_LISTED {
        return;
    }
    all.sort_unstable_by_key(|rank| Reverse(*rank));
    let limit = all[MAX_LISTED];
    // Of equal ones, the first stay.
    let mut equal = MAX_LISTED - all.partition_point(|one| *one > limit);
    for executor in executors {
        let stays: Vec<bool> = ranks(executor)
            .into_iter()
            .map(|rank| {
                let is_equal = rank == limit && equal > 0;
                equal -= usize::from(is_equal);
                rank > limit || is_equal
            })
            .collect();
        // The mark is that of the last request.
        if stays.last() == Some(&false) {
            executor.running_since_mark = None;
        }
        let mut stays = stays.into_iter();
        let unlisted = executor.requests.extract_if(.., |_| stays.next() == Some(false));
        executor.unlisted = unlisted.fold(None, |sum, request| {
            let mut sum: UnlistedRequests = sum.unwrap_or_default();
            sum.add(&request);
            Some(sum)
        });
    }
}

#[cfg(test)]
mod tests;
