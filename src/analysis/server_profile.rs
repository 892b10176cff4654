//! A profile that was made on the server's machine, laid upon the run by wall time.
//!
//! It has another clock, begins before the run and may go on after it, and knows
//! nothing of phases. What is left here has our times, is of the run alone, and names
//! its phases.

use super::Evidence;
use super::summary::{PhaseSpan, phases};
use crate::clock::Timestamp;
use crate::record::profile::{ProcessRecord, ProfileLine};

impl Evidence {
    /// The evidence with its server's profile in our time; as it is where that was made
    /// by the run itself. To be done once, as [`Evidence::read`] does.
    pub fn by_our_clock(mut self) -> Self {
        if !self.has_server_profile() {
            return self;
        }
        let upon = Upon {
            offset: self.clock_offset(),
            began: self.phases_began(),
            ended: self.phases_ended(),
            // By the marks alone: the profile's last tick is no moment of the run.
            phases: phases(&self.events, self.events.last().map(|mark| mark.at)),
        };
        self.profile = self.profile.into_iter().filter_map(|line| upon.line(line)).collect();
        if let Some(table) = &mut self.processes {
            let records = std::mem::take(&mut table.processes);
            table.processes = records.into_iter().filter_map(|one| upon.record(one)).collect();
        }
        self
    }
}

/// The run that a profile is laid upon.
struct Upon {
    offset: Option<crate::clock::ClockOffset>,
    began: Option<Timestamp>,
    ended: Option<Timestamp>,
    phases: Vec<PhaseSpan>,
}

impl Upon {
    fn ours(&self, theirs: Timestamp) -> Timestamp {
        self.offset.map_or(theirs, |offset| offset.to_local(theirs))
    }

    fn is_of_run(&self, at: Timestamp) -> bool {
        self.began.is_none_or(|began| at >= began) && self.ended.is_none_or(|ended| at <= ended)
    }

    fn line(&self, mut line: ProfileLine) -> Option<ProfileLine> {
        let at = match &mut line {
            ProfileLine::Header(header) => {
                header.at = self.ours(header.at);
                return Some(line);
            }
            ProfileLine::Sample(tick) => &mut tick.at,
            ProfileLine::Upstream(look) => &mut look.at,
            // Lowered for what nobody here knows.
            ProfileLine::PhasePeaks(_) => return None,
            ProfileLine::ServerGone { at } | ProfileLine::Footer { at, .. } => at,
            ProfileLine::Snapshot(snapshot) => {
                snapshot.until = self.ours(snapshot.until);
                let at = self.ours(snapshot.at);
                let phase = self.phases.iter().find(|span| span.began <= at && at <= span.ended);
                snapshot.phase = phase?.phase;
                &mut snapshot.at
            }
        };
        *at = self.ours(*at);
        let at = *at;
        self.is_of_run(at).then_some(line)
    }

    /// A process that lived while the run did.
    fn record(&self, record: ProcessRecord) -> Option<ProcessRecord> {
        let first_seen = self.ours(record.first_seen);
        let last_read = record.last_read.map(|at| self.ours(at));
        let ended_before = self.began.is_some_and(|began| last_read.unwrap_or(first_seen) < began);
        let began_after = self.ended.is_some_and(|ended| first_seen > ended);
        let is_of_run = !ended_before && !began_after;
        is_of_run.then_some(ProcessRecord { first_seen, last_read, ..record })
    }
}
