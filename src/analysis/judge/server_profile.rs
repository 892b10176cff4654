//! Findings on a profile from the server's machine (`--server-profile`): clock and coverage.

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
                    "the server's clock is {offset}; its profile was shifted by that; peaks of \
                     processes that started before the run may be older than the run"
                ),
            ),
            None => self.add(
                Severity::Inconclusive,
                "the server's clock was not compared with this machine's: which part of its \
                 profile belongs to this run is unknown",
            ),
        }
        if !case.coverage.from_baseline_to_cooldown {
            self.add(
                Severity::Inconclusive,
                format!(
                    "the server's profile does not cover baseline to cooldown: start `cargo xtask \
                     profile` there before the load and end it after; if it went on, merge all of \
                     it, as of a minute after the load or later, with `cargo xtask report {} \
                     --server-profile PATH`",
                    shell::word(&evidence.name)
                ),
            );
        } else if !case.coverage.ended_well {
            self.add(
                Severity::Inconclusive,
                format!(
                    "the server's list of processes is older than the end of the cooldown: merge \
                     a newer one with `cargo xtask report {} --server-profile PATH`",
                    shell::word(&evidence.name)
                ),
            );
        }
        for line in &evidence.profile {
            if let ProfileLine::ServerGone { at } = line {
                let after = began.map_or(0.0, |began| at.since(began).as_secs_f64());
                self.add(
                    Severity::Inconclusive,
                    format!("the profiled main process exited after {after:.1} s"),
                );
            }
        }
    }
}
