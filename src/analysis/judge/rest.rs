//! Whether the server was at rest when figures were taken that are about that.

use super::{About, Case, Findings, Severity};
use crate::metric::{Metric, Needs, ServerMetric};
use crate::record::events::{BusyProcess, Event, Unsettled};
use crate::record::profile::Phase;

impl Findings {
    /// Growth and zombies are those of a server that has nothing to do: of one whose
    /// workers still start they say nothing. A machine that is busy with other things is
    /// worth knowing of; what the server holds does not hang on that.
    pub(super) fn of_rest(&mut self, case: &Case<'_>) {
        let mut phase = None;
        for mark in &case.evidence.events {
            match &mark.event {
                Event::PhaseBegan(began) => phase = Some(*began),
                Event::NotSettled(why) => self.of_unrest(case, phase, *why),
                Event::BusyBeside(others) => self.of_others(phase, others),
                _ => {}
            }
        }
    }

    /// What other processes take of the CPUs makes the server slower, and its memory no
    /// larger.
    fn of_others(&mut self, phase: Option<Phase>, others: &[BusyProcess]) {
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

    fn of_unrest(&mut self, case: &Case<'_>, phase: Option<Phase>, why: Unsettled) {
        let when = when(phase);
        self.add(
            Severity::Note,
            format!("server not settled {when} ({why}); latency and growth may include other work"),
        );
        if matches!(why, Unsettled::Busy(_)) {
            return;
        }
        for statistic in ServerMetric::ALL {
            let metric = Metric::Server(*statistic);
            let is_concerned = match statistic.row().needs {
                Needs::Nothing => false,
                Needs::IdleAfter => phase.is_some(),
                Needs::IdleBeforeAndAfter => true,
            };
            let is_checked = case.budgets.iter().any(|check| {
                check.metric == metric && check.limit.is_some() && check.measured.is_some()
            });
            if is_concerned && is_checked {
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
