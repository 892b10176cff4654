//! Merge of a profile from the server's machine (`--server-profile`) into the run, by time.
//!
//! Such a profile has timestamps of the server's clock, begins before the run, may outlast it,
//! and has no phases. The merge converts the timestamps to the local clock, drops what is outside
//! of the run, and assigns snapshots to phases.

use super::Evidence;
use super::summary::{PhaseSpan, phases};
use crate::clock::Timestamp;
use crate::record::profile::{ProcessRecord, ProfileLine};

impl Evidence {
    /// Evidence with the server's profile merged into the run; unchanged if the profile was made
    /// by the run itself. Must be called once only, as timestamps are shifted;
    /// [`Evidence::read`] does so.
    pub fn on_local_clock(mut self) -> Self {
        if !self.has_server_profile() {
            return self;
        }
        let merge = Merge {
            offset: self.clock_offset(),
            began: self.phases_began(),
            ended: self.phases_ended(),
            // Not `last_moment`: the last sample has not been converted, and may be after the run.
            phases: phases(&self.events, self.events.last().map(|logged| logged.at)),
        };
        self.profile = self.profile.into_iter().filter_map(|line| merge.line(line)).collect();
        for request in self.server_requests.iter_mut().flat_map(|record| &mut record.requests) {
            request.created = request.created.map(|at| merge.to_local(at));
            request.finished = request.finished.map(|at| merge.to_local(at));
        }
        if let Some(table) = &mut self.processes {
            let records = std::mem::take(&mut table.processes);
            table.processes = records.into_iter().filter_map(|one| merge.record(one)).collect();
        }
        self
    }
}

/// Times of the run that a profile is merged into.
struct Merge {
    offset: Option<crate::clock::ClockOffset>,
    began: Option<Timestamp>,
    ended: Option<Timestamp>,
    phases: Vec<PhaseSpan>,
}

impl Merge {
    fn to_local(&self, remote: Timestamp) -> Timestamp {
        self.offset.map_or(remote, |offset| offset.to_local(remote))
    }

    fn is_in_run(&self, at: Timestamp) -> bool {
        self.began.is_none_or(|began| at >= began) && self.ended.is_none_or(|ended| at <= ended)
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
            ProfileLine::Requests(requests) => &mut requests.at,
            ProfileLine::Upstream(sample) => &mut sample.at,
            ProfileLine::Executor(reading) => {
                reading.since = reading.since.map(|since| self.to_local(since));
                &mut reading.at
            }
            // Those peaks were reset at other times than the starts of this run's phases.
            ProfileLine::PhasePeaks(_) => return None,
            ProfileLine::ServerGone { at } | ProfileLine::Footer { at, .. } => at,
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
