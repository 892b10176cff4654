//! Merge of a profile from the server's machine (`--server-profile`) into the run, by time.
//!
//! Such a profile has timestamps of the server's clock, begins before the run, may outlast it,
//! and has no phases. The merge converts the timestamps to the local clock, drops what is outside
//! of the run, and assigns snapshots to phases.
//!
//! A line with the requests of executors is about the time before: those of the run's end are in
//! lines that were written after the run, and the first one may have requests from before it. So
//! requests are chosen one by one, by the server's record of them.

use std::collections::HashMap;

use super::Evidence;
use super::summary::{PhaseSpan, phases};
use crate::clock::{ClockOffset, Timestamp};
use crate::record::profile::{
    EndedRequests, ProcessRecord, ProfileLine, THINNED_TOGETHER, is_daemon,
};

impl Evidence {
    /// Evidence with the server's profile merged into the run; unchanged if the profile was made
    /// by the run itself. Must be called once only, as timestamps are shifted;
    /// [`Evidence::read`] does so.
    pub fn on_local_clock(mut self) -> Self {
        if !self.has_server_profile() {
            return self;
        }
        let offset = self.clock_offset();
        let mut requests = HashMap::new();
        for request in self.server_requests.iter_mut().flat_map(|record| &mut record.requests) {
            request.created = request.created.map(|at| to_local(offset, at));
            request.finished = request.finished.map(|at| to_local(offset, at));
            requests.insert(request.id.clone(), (request.created, request.finished));
        }
        let merge = Merge {
            offset,
            requests,
            began: self.phases_began(),
            ended: self.phases_ended(),
            // Not `last_moment`: the last sample has not been converted, and may be after the run.
            phases: phases(&self.events, self.events.last().map(|logged| logged.at)),
        };
        self.profile = self.profile.into_iter().filter_map(|line| merge.line(line)).collect();
        if let Some(table) = &mut self.processes {
            let records = std::mem::take(&mut table.processes);
            table.processes = records.into_iter().filter_map(|one| merge.record(one)).collect();
        }
        self
    }
}

fn to_local(offset: Option<ClockOffset>, remote: Timestamp) -> Timestamp {
    offset.map_or(remote, |offset| offset.to_local(remote))
}

/// Times of the run that a profile is merged into.
struct Merge {
    offset: Option<ClockOffset>,
    /// Local times at which requests on the server's record were received and ended, by their IDs.
    requests: HashMap<String, (Option<Timestamp>, Option<Timestamp>)>,
    began: Option<Timestamp>,
    ended: Option<Timestamp>,
    phases: Vec<PhaseSpan>,
}

impl Merge {
    fn to_local(&self, remote: Timestamp) -> Timestamp {
        to_local(self.offset, remote)
    }

    fn is_in_run(&self, at: Timestamp) -> bool {
        self.began.is_none_or(|began| at >= began) && self.ended.is_none_or(|ended| at <= ended)
    }

    /// Keeps the requests of the run in a line; false if the line has nothing of the run.
    fn keep_requests(&self, line: &mut EndedRequests) -> bool {
        let at = self.to_local(line.at);
        line.at = at;
        let is_after = self.ended.is_some_and(|ended| at > ended);
        line.executors.retain_mut(|executor| {
            let last = executor.requests.last().map(|request| request.id.clone());
            executor.requests.retain(|request| self.is_of_run(&request.id, at));
            // The mark is that of the last request.
            if executor.requests.last().map(|request| &request.id) != last.as_ref() {
                executor.running_since_mark = None;
            }
            // Of those that are not listed, no times are known.
            if self.is_wholly_after(at) {
                executor.unlisted = None;
            }
            !is_after || !executor.requests.is_empty() || executor.unlisted.is_some()
        });
        self.began.is_none_or(|began| at >= began) && !line.executors.is_empty()
    }

    /// Whether a request in a line of this time is one of the run, as far as is known.
    fn is_of_run(&self, id: &str, line: Timestamp) -> bool {
        match self.requests.get(id).filter(|_| !is_daemon(id)) {
            Some((created, finished)) => {
                let ended_before = finished.zip(self.began).is_some_and(|(at, began)| at < began);
                let began_after = created.zip(self.ended).is_some_and(|(at, ended)| at > ended);
                !ended_before && !began_after
            }
            None => !self.is_wholly_after(line),
        }
    }

    /// Whether a line of this time is about the time after the run alone, apart from the last
    /// requests of executors: such a request ends with the next one.
    fn is_wholly_after(&self, line: Timestamp) -> bool {
        self.ended.is_some_and(|ended| line > ended.plus(THINNED_TOGETHER))
    }

    fn line(&self, mut line: ProfileLine) -> Option<ProfileLine> {
        let at = match &mut line {
            ProfileLine::Header(header) => {
                // The header is from before the run, and is needed all the same.
                header.at = self.to_local(header.at);
                return Some(line);
            }
            ProfileLine::Sample(sample) => &mut sample.at,
            ProfileLine::Readings(readings) => &mut readings.at,
            ProfileLine::Requests(requests) => {
                return self.keep_requests(requests).then_some(line);
            }
            ProfileLine::Upstream(sample) => &mut sample.at,
            ProfileLine::Executor(reading) => {
                reading.since = reading.since.map(|since| self.to_local(since));
                &mut reading.at
            }
            // Those peaks were reset at other times than the starts of this run's phases.
            ProfileLine::PhasePeaks(_) => return None,
            ProfileLine::ServerGone { at } => at,
            ProfileLine::Footer { at, .. } => {
                // That of a profile which ended after the run shows that nothing is missing.
                *at = self.to_local(*at);
                return self.began.is_none_or(|began| *at >= began).then_some(line);
            }
            ProfileLine::Snapshot(snapshot) => {
                snapshot.until = self.to_local(snapshot.until);
                let at = self.to_local(snapshot.at);
                let phase = self.phases.iter().find(|span| span.began <= at && at <= span.ended);
                snapshot.phase = phase?.phase;
                &mut snapshot.at
            }
        };
        *at = self.to_local(*at);
        let at = *at;
        self.is_in_run(at).then_some(line)
    }

    /// Record on the local clock; `None` for a process that did not live during the run.
    fn record(&self, record: ProcessRecord) -> Option<ProcessRecord> {
        let first_seen = self.to_local(record.first_seen);
        let last_read = record.last_read.map(|at| self.to_local(at));
        let exited = record.exited.map(|at| self.to_local(at));
        let ended_before = self.began.is_some_and(|began| last_read.unwrap_or(first_seen) < began);
        let began_after = self.ended.is_some_and(|ended| first_seen > ended);
        let is_in_run = !ended_before && !began_after;
        is_in_run.then_some(ProcessRecord { first_seen, last_read, exited, ..record })
    }
}
