//! Findings on a server that was not idle, or a busy machine, when figures of an idle server were
//! measured.

use super::{About, Case, Findings, Severity};
use crate::metric::{Metric, Needs, ServerMetric};
use crate::record::events::{BusyProcess, Event, Unsettled};
use crate::record::profile::Phase;

impl Findings {
    /// Adds findings on servers that did not settle. Growth and zombies are defined for an idle
    /// server: with executors that still start they are not valid. A machine that is busy with
    /// other processes does not change them and gets a note.
    pub(super) fn of_idleness(&mut self, case: &Case<'_>) {
        // Events before the first phase are of the time before the baseline.
        let mut phase = None;
        for logged in &case.evidence.events {
            match &logged.event {
                Event::PhaseBegan(began) => phase = Some(*began),
                Event::NotSettled(reason) => self.of_unsettled_server(case, phase, *reason),
                Event::BusyBeside(others) => self.of_other_processes(phase, others),
                _ => {}
            }
        }
    }

    /// Adds a note on other processes that used the CPUs: they affect latencies, not memory.
    fn of_other_processes(&mut self, phase: Option<Phase>, others: &[BusyProcess]) {
        const NAMED: usize = 3;
        let names: Vec<String> = others.iter().take(NAMED).map(ToString::to_string).collect();
        let more = match others.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        self.add(
            Severity::Note,
            format!(
                "other processes kept the machine busy {}: {}{more}; latencies include waiting \
                 for them, peaks do not depend on it",
                when(phase),
                names.join(", ")
            ),
        );
    }

    fn of_unsettled_server(&mut self, case: &Case<'_>, phase: Option<Phase>, reason: Unsettled) {
        let when = when(phase);
        self.add(
            Severity::Note,
            format!(
                "server not settled {when} ({reason}); latency and growth may include other work"
            ),
        );
        // Recorded by earlier builds only: the machine was busy, not necessarily the server.
        if matches!(reason, Unsettled::Busy(_)) {
            return;
        }
        for statistic in ServerMetric::ALL {
            let metric = Metric::Server(*statistic);
            let is_affected = match statistic.row().needs {
                Needs::Nothing => false,
                Needs::IdleAfter => phase.is_some(),
                Needs::IdleBeforeAndAfter => true,
            };
            let is_checked = case.budgets.iter().any(|check| {
                check.metric == metric && check.limit.is_some() && check.measured.is_some()
            });
            if is_affected && is_checked {
                self.add_about(
                    About::Metric(metric),
                    Severity::Inconclusive,
                    format!("{metric}: not valid, the server was not idle {when}"),
                );
            }
        }
    }
}

const fn when(phase: Option<Phase>) -> &'static str {
    if phase.is_none() { "before the baseline" } else { "after the load" }
}
