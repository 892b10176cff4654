//! Whether a profile that was made on the server's machine is one of this run.

use super::{Case, Findings, Severity};
use crate::record::profile::ProfileLine;
use crate::shell;

impl Findings {
    pub(super) fn of_server_profile(&mut self, case: &Case<'_>) {
        let evidence = case.evidence;
        let began = evidence.phases_began();
        match evidence.clock_offset() {
            Some(offset) => self.add(
                Severity::Note,
                format!(
                    "the server's clock is {offset}; its profile was shifted by that. Peaks of \
                     processes that lived before the run may be from before it"
                ),
            ),
            None => self.add(
                Severity::Inconclusive,
                "the server's clock was not compared with ours, so nobody knows which part of its \
                 profile is of this run",
            ),
        }
        if !case.coverage.from_baseline_to_cooldown {
            self.add(
                Severity::Inconclusive,
                format!(
                    "the server's profile does not reach from the baseline to the end of the cooldown: \
                     start `cargo xtask profile` there before the load and end it after; if it did go \
                     on, `cargo xtask report {} --server-profile PATH` takes all of it",
                    shell::word(&evidence.name)
                ),
            );
        } else if !case.coverage.ended_well {
            self.add(
                Severity::Inconclusive,
                format!(
                    "the server's list of processes is from before the end of the cooldown: \
                     `cargo xtask report {} --server-profile PATH` takes a newer one",
                    shell::word(&evidence.name)
                ),
            );
        }
        for line in &evidence.profile {
            if let ProfileLine::ServerGone { at } = line {
                let after = began.map_or(0.0, |began| at.since(began).as_secs_f64());
                self.add(
                    Severity::Inconclusive,
                    format!("the main process that was profiled ended after {after:.1} s"),
                );
            }
        }
    }
}
