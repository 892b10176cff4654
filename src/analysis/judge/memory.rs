//! Findings on budgets, and on the coverage of the run by the profile.

use super::growth_rates::is_rate;
use super::{About, Case, Findings, Severity, lost_its_server};
use crate::analysis::limits::{CONFIGURED, LimitCheck, LimitState};
use crate::analysis::metrics::{Absence, Measured};
use crate::analysis::{ClassMemory, Exactness, MemoryReport};
use crate::class::ProcessClass;
use crate::metric::{Amount, Metric, Needs, ServerMetric, Unit};
use crate::record::environment::Environment;
use crate::units::{counted, total};

impl Findings {
    pub(super) fn of_budgets(&mut self, case: &Case<'_>) {
        let mut skipped: Vec<String> = Vec::new();
        for check in case.budgets {
            let metric = check.metric;
            let about = About::Metric(metric);
            match (check.state, check.measured, check.limit) {
                // Growth per hour gets its findings in `of_growth_rates`.
                (LimitState::Over | LimitState::NotMeasured, ..) if is_rate(metric) => {}
                (LimitState::Over, Some(measured), Some(limit)) => self.add_about(
                    about,
                    Severity::OverBudget,
                    format!(
                        "{metric}: {}, budget {limit} ({})",
                        measured.beside(limit),
                        check.source
                    ),
                ),
                // A budget that only a lower bound is within gets its finding in `of_coverage`.
                (LimitState::Over | LimitState::Within | LimitState::Undecided, ..) => {}
                (LimitState::Skipped, ..) => match case.sources.measure(metric) {
                    Measured::Absent(Absence::NotStopped) => self.add_about(
                        about,
                        Severity::Note,
                        format!("{metric}: budget skipped, {}", reason_not_stopped(case)),
                    ),
                    // skyload.toml limits web workers too, which only a server in deploy mode has.
                    _ if case.evidence.plan.can_have(metric) => skipped.push(metric.to_string()),
                    _ => {}
                },
                (LimitState::NoConstant, ..) if !case.evidence.plan.can_have(metric) => {}
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
                        conditions(metric)
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

    /// Adds findings on a server whose version differs from the client's: budgets from the
    /// client's constants do not apply to such a server.
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
            self.of_gauges(case);
            return;
        }
        if case.evidence.has_server_profile() {
            self.of_server_profile(case);
        } else if !coverage.from_baseline_to_cooldown {
            self.add(Severity::Inconclusive, "the profile does not cover baseline to cooldown");
        } else if !coverage.ended_well {
            // One of the two is enough: a killed profiler mostly misses the cooldown as well.
            self.add(Severity::Inconclusive, "the profiler did not end cleanly");
        }
        let longest = coverage.gaps.iter().max_by_key(|gap| gap.length);
        if let Some(longest) = longest {
            self.add(
                Severity::Inconclusive,
                format!(
                    "sampling gap of {:.1} s ({} longer than {})",
                    longest.length.as_secs_f64(),
                    counted(coverage.gaps.len(), "gap"),
                    humantime::format_duration(case.evidence.plan.validity.profiler_gap)
                ),
            );
        }
        self.of_unread_exits(case);
        if coverage.dropped_events > 0 {
            self.add(
                Severity::Inconclusive,
                format!(
                    "kernel dropped process events ({}): short-lived processes may be \
                     missing",
                    counted(coverage.dropped_events, "time")
                ),
            );
        }
        self.of_unread_processes(case);
        self.of_swap(case);
        self.of_replaced_workers(case);
    }

    /// Adds a finding on web workers that were replaced: of more than run at a time, the others
    /// have ended. Executors come and go, but web workers stay for as long as the server.
    fn of_replaced_workers(&mut self, case: &Case<'_>) {
        let mut classes = case.memory().into_iter().flat_map(|memory| &memory.classes);
        let workers = classes.find(|memory| memory.class == ProcessClass::ServerWorker);
        let Some(ClassMemory { processes, concurrent, .. }) = workers else { return };
        let replaced = processes.saturating_sub(*concurrent);
        if replaced > 0 {
            self.add(
                Severity::Note,
                format!(
                    "web workers replaced: {replaced} of {processes}, at most {concurrent} at a \
                     time; uvicorn kills one that does not respond within 5 s, with its requests"
                ),
            );
        }
    }

    /// Adds findings on swap: no peak and no sum includes memory in swap. Budgets of classes are
    /// judged with unread exits, since their peaks are lower bounds as well.
    fn of_swap(&mut self, case: &Case<'_>) {
        let Some(swapping) = case.memory().and_then(MemoryReport::swapping) else { return };
        self.add(Severity::Note, swapping);
        for check in case.budgets.iter().filter(|check| check.state == LimitState::Within) {
            let metric = check.metric;
            let is_sum = matches!(metric, Metric::Server(_)) && metric.unit() == Unit::Size;
            if is_sum || is_rate(metric) {
                self.add_about(
                    About::Metric(metric),
                    Severity::Inconclusive,
                    format!("{metric}: lower bound, without memory in swap"),
                );
            }
        }
    }

    /// Adds findings on processes whose PSS could not be read: sums of PSS are lower bounds.
    fn of_unread_processes(&mut self, case: &Case<'_>) {
        let memory = case.memory();
        let growth = memory.and_then(|memory| memory.growth.as_ref());
        let in_any =
            memory.iter().flat_map(|memory| &memory.snapshots).map(|snapshot| snapshot.unread);
        // Growth with processes that were unread before has no amount at all.
        let sums: [(Metric, u32); 2] = [
            (ServerMetric::TreePss.into(), total(in_any)),
            (ServerMetric::Growth.into(), growth.map_or(0, |growth| growth.unread_after)),
        ];
        for (metric, unread) in sums {
            let is_measured =
                |check: &LimitCheck| check.metric == metric && check.measured.is_some();
            if unread > 0 && case.budgets.iter().any(is_measured) {
                self.add_about(
                    About::Metric(metric),
                    Severity::Inconclusive,
                    format!("{metric}: lower bound, {unread} process(es) could not be read"),
                );
            }
        }
    }

    /// Adds findings on peaks that are lower bounds: of processes that exited without a final
    /// reading, were only sampled, or had pages in swap. The run is inconclusive if the estimated
    /// maximum exceeds a budget that the measured peak is within.
    fn of_unread_exits(&mut self, case: &Case<'_>) {
        for memory in case.memory().iter().flat_map(|memory| &memory.classes) {
            let metric = Metric::max_peak(memory.class);
            let possible = match memory.exactness {
                Exactness::Exact => continue,
                Exactness::AtMost(possible) => Some(possible),
                Exactness::Unbounded => None,
            };
            let is_within =
                |check: &&LimitCheck| check.metric == metric && check.state == LimitState::Within;
            let limit = case.budgets.iter().find(is_within).and_then(|check| check.limit);
            let limit = limit.and_then(Amount::as_size);
            let consequence = match (limit, possible) {
                (None, _) => "",
                (Some(limit), Some(possible)) if possible <= limit => ", within budget",
                (Some(_), _) => "; may exceed its budget",
            };
            let severity = match (limit, possible) {
                (Some(limit), possible) if possible.is_none_or(|possible| possible > limit) => {
                    Severity::Inconclusive
                }
                _ => Severity::Note,
            };
            if let Some(doubt) = memory.doubt() {
                self.add_about(About::Metric(metric), severity, format!("{doubt}{consequence}"));
            }
        }
    }
}

/// Clause that names the conditions for measuring a metric; empty without conditions.
const fn conditions(metric: Metric) -> &'static str {
    match metric.row().needs {
        Needs::Nothing => "",
        Needs::IdleAfter => "; needs the same server before and after the load, idle after it",
        Needs::IdleBeforeAndAfter => {
            "; needs the same idle server before and after the load, with all processes readable \
             at baseline"
        }
    }
}

fn reason_not_stopped(case: &Case<'_>) -> &'static str {
    if case.evidence.plan.keep_server {
        "the server was kept running"
    } else if lost_its_server(case) {
        "the server was lost before it was stopped"
    } else {
        "the server was not stopped with `sky api stop`"
    }
}
