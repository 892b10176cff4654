//! Budgets, and whether the profile covers what they are about.

use super::{About, Case, Findings, Severity, lost_its_server};
use crate::analysis::limits::{CONFIGURED, LimitCheck, LimitState};
use crate::analysis::metrics::{Absence, Measured};
use crate::analysis::{Exactness, MemoryReport};
use crate::class::ProcessClass;
use crate::metric::{Amount, Metric, Needs, ServerMetric, Unit};
use crate::plan::ServerTarget;
use crate::record::environment::Environment;
use crate::units::total;

impl Findings {
    pub(super) fn of_budgets(&mut self, case: &Case<'_>) {
        let mut skipped: Vec<String> = Vec::new();
        for check in case.budgets {
            let metric = check.metric;
            let about = About::Metric(metric);
            match (check.state, check.measured, check.limit) {
                (LimitState::Over, Some(measured), Some(limit)) => self.add_about(
                    about,
                    Severity::OverBudget,
                    format!("{metric}: {measured}, budget {limit} ({})", check.source),
                ),
                (LimitState::Over | LimitState::Within, ..) => {}
                (LimitState::Skipped, ..) => match case.sources.measure(metric) {
                    Measured::Absent(Absence::NotStopped) => self.add_about(
                        about,
                        Severity::Note,
                        format!("{metric}: budget skipped, {}", why_unstopped(case)),
                    ),
                    _ if could_have_run(case, metric) => skipped.push(metric.to_string()),
                    _ => {}
                },
                (LimitState::NoConstant, ..) => self.add_about(
                    about,
                    Severity::Note,
                    format!(
                        "{metric}: budget skipped, this SkyPilot has no constant for it; set a \
                         limit with --budget {metric}=SIZE"
                    ),
                ),
                (LimitState::LimitUnknown, ..) => self.add_about(
                    about,
                    Severity::Inconclusive,
                    format!(
                        "{metric}: budget not checked, SkyPilot's constants are not on record; \
                         set a limit with --budget {metric}=SIZE"
                    ),
                ),
                (LimitState::NotMeasured, ..) => self.add_about(
                    about,
                    Severity::Inconclusive,
                    format!(
                        "{metric}: budget not checked, nothing was measured{}",
                        what_it_takes(metric)
                    ),
                ),
            }
        }
        if !skipped.is_empty() {
            self.add(
                Severity::Note,
                format!("budget skipped, no such process: {}", skipped.join(", ")),
            );
        }
    }

    /// Limits that are the constants of another SkyPilot than the server's hold nothing.
    pub(super) fn of_versions(&mut self, case: &Case<'_>) {
        let Some(skew) = case.evidence.environment.as_ref().and_then(Environment::skew) else {
            return;
        };
        let constants: Vec<String> = case
            .budgets
            .iter()
            .filter(|check| check.source != CONFIGURED && check.limit.is_some())
            .map(|check| check.metric.to_string())
            .collect();
        if constants.is_empty() {
            self.add(Severity::Note, skew);
        } else {
            self.add(
                Severity::Inconclusive,
                format!(
                    "{skew}: its constants may differ from the budgets of {}; use --sky with the \
                     server's version, or set budgets",
                    constants.join(", ")
                ),
            );
        }
    }

    pub(super) fn of_coverage(&mut self, case: &Case<'_>) {
        for damage in &case.evidence.damage {
            self.add(Severity::Inconclusive, damage.clone());
        }
        let coverage = case.coverage;
        if !coverage.profiled {
            self.add(
                Severity::Note,
                "remote server: memory not measured; run `cargo xtask profile` on its machine and \
                 pass the result with --server-profile",
            );
            return;
        }
        if case.evidence.has_server_profile() {
            self.of_server_profile(case);
        } else if !coverage.from_baseline_to_cooldown {
            self.add(Severity::Inconclusive, "the profile does not cover baseline to cooldown");
        } else if !coverage.ended_well {
            self.add(Severity::Inconclusive, "the profiler did not end cleanly");
        }
        let longest = coverage.gaps.iter().max_by_key(|gap| gap.length);
        if let Some(longest) = longest {
            self.add(
                Severity::Inconclusive,
                format!(
                    "sampling gap of {:.1} s ({} gap(s) longer than {})",
                    longest.length.as_secs_f64(),
                    coverage.gaps.len(),
                    humantime::format_duration(case.evidence.plan.validity.profiler_gap)
                ),
            );
        }
        self.of_unread_exits(case);
        if coverage.dropped_events > 0 {
            self.add(
                Severity::Inconclusive,
                format!(
                    "kernel dropped process events ({} time(s)): short-lived processes may be \
                     missing",
                    coverage.dropped_events
                ),
            );
        }
        self.of_unread_processes(case);
        self.of_swap(case);
    }

    /// What is in swap is missing in every mark and in every sum. Of classes their own
    /// findings say so.
    fn of_swap(&mut self, case: &Case<'_>) {
        let Some(swapping) = case.memory().and_then(MemoryReport::swapping) else { return };
        self.add(Severity::Note, swapping);
        for check in case.budgets.iter().filter(|check| check.state == LimitState::Within) {
            let metric = check.metric;
            if matches!(metric, Metric::Server(_)) && metric.unit() == Unit::Size {
                self.add_about(
                    About::Metric(metric),
                    Severity::Inconclusive,
                    format!("{metric}: lower bound, without memory in swap"),
                );
            }
        }
    }

    /// A process whose proportional memory could not be read is missing in every sum.
    fn of_unread_processes(&mut self, case: &Case<'_>) {
        let memory = case.memory();
        let after = memory.and_then(|memory| memory.growth.as_ref());
        let in_any =
            memory.iter().flat_map(|memory| &memory.snapshots).map(|snapshot| snapshot.unread);
        let sums: [(Metric, u32); 2] = [
            (ServerMetric::TreePss.into(), total(in_any)),
            (ServerMetric::Growth.into(), after.map_or(0, |growth| growth.unread_after)),
        ];
        for (metric, unread) in sums {
            let has_figure =
                |check: &LimitCheck| check.metric == metric && check.measured.is_some();
            if unread > 0 && case.budgets.iter().any(has_figure) {
                self.add_about(
                    About::Metric(metric),
                    Severity::Inconclusive,
                    format!("{metric}: lower bound, {unread} process(es) could not be read"),
                );
            }
        }
    }

    /// A process that nobody read at its end may have had a higher peak, and so may
    /// every process that was only sampled. That puts a verdict in doubt where the class
    /// has a budget that it may have exceeded.
    fn of_unread_exits(&mut self, case: &Case<'_>) {
        for memory in case.memory().iter().flat_map(|memory| &memory.classes) {
            let metric = Metric::max_peak(memory.class);
            let could_be = match memory.exactness {
                Exactness::Exact => continue,
                Exactness::AtMost(could_be) => Some(could_be),
                Exactness::Unbounded => None,
            };
            let is_kept =
                |check: &&LimitCheck| check.metric == metric && check.state == LimitState::Within;
            let limit = case.budgets.iter().find(is_kept).and_then(|check| check.limit);
            let limit = limit.and_then(Amount::as_size);
            let margin = match (limit, could_be) {
                (None, _) => "",
                (Some(limit), Some(could_be)) if could_be <= limit => ", within budget",
                (Some(_), _) => "; may exceed its budget",
            };
            let severity = match (limit, could_be) {
                (Some(limit), could_be) if could_be.is_none_or(|most| most > limit) => {
                    Severity::Inconclusive
                }
                _ => Severity::Note,
            };
            if let Some(doubt) = memory.doubt() {
                self.add_about(About::Metric(metric), severity, format!("{doubt}{margin}"));
            }
        }
    }
}

/// Whether a server of this run could have had a process of the metric's class: only one in
/// deploy mode has web workers.
fn could_have_run(case: &Case<'_>, metric: Metric) -> bool {
    let is_local = case.evidence.plan.server == ServerTarget::Isolated { deploy: false };
    !(is_local && matches!(metric, Metric::Class(ProcessClass::ServerWorker, _)))
}

/// What a figure needs that only some runs have, and which this one had not.
const fn what_it_takes(metric: Metric) -> &'static str {
    match metric.row().needs {
        Needs::Nothing => "",
        Needs::IdleAfter => "; needs the same server before and after the load, idle after it",
        Needs::IdleBeforeAndAfter => {
            "; needs the same idle server before and after the load, with all processes readable \
             at baseline"
        }
    }
}

fn why_unstopped(case: &Case<'_>) -> &'static str {
    if case.evidence.plan.keep_server {
        "the server was kept running"
    } else if lost_its_server(case) {
        "the server was lost before it was stopped"
    } else {
        "the server was not stopped with `sky api stop`"
    }
}
