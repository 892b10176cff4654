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
        let mut untried = Vec::new();
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
                        format!("{metric}: {}, so its budget was not tried", why_unstopped(case)),
                    ),
                    _ => untried.push(untried_name(case, metric)),
                },
                (LimitState::NoConstant, ..) => self.add_about(
                    about,
                    Severity::Note,
                    format!(
                        "{metric}: this SkyPilot has no constant for it, so nothing was checked; \
                         set one with --budget {metric}=SIZE"
                    ),
                ),
                (LimitState::LimitUnknown, ..) => self.add_about(
                    about,
                    Severity::Inconclusive,
                    format!(
                        "{metric}: nobody knows its limit, since SkyPilot's constants are not on \
                         record; set one with --budget {metric}=SIZE"
                    ),
                ),
                (LimitState::NotMeasured, ..) => self.add_about(
                    about,
                    Severity::Inconclusive,
                    format!(
                        "{metric}: nothing was measured to hold against its budget{}",
                        what_it_takes(metric)
                    ),
                ),
            }
        }
        if !untried.is_empty() {
            self.add(
                Severity::Note,
                format!("no such process ran, so its budget was not tried: {}", untried.join(", ")),
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
                    "{skew}: its constants may be others than the budgets of {}; load it with --sky \
                     and the server's version, or set budgets",
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
                "the server is on another machine: its memory was not measured. `cargo xtask profile` \
                 there can, and --server-profile takes what that writes",
            );
            return;
        }
        if case.evidence.has_server_profile() {
            self.of_server_profile(case);
        } else if !coverage.from_baseline_to_cooldown {
            self.add(
                Severity::Inconclusive,
                "the profile does not reach from the baseline to the end of the cooldown",
            );
        } else if !coverage.ended_well {
            self.add(Severity::Inconclusive, "the profiler did not end in good order");
        }
        let longest = coverage.gaps.iter().max_by_key(|gap| gap.length);
        if let Some(longest) = longest {
            self.add(
                Severity::Inconclusive,
                format!(
                    "the profiler was silent for {:.1} s ({} gap(s) longer than {})",
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
                    "the kernel could not keep all that it had to tell of processes ({} time(s)): some \
                     may have come and gone unknown",
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
                    format!("{metric}: it lacks what was in swap: it is a lower bound"),
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
                    format!(
                        "{metric}: {unread} process(es) could not be read: it is a lower bound"
                    ),
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
                (Some(limit), Some(could_be)) if could_be <= limit => {
                    "; the margin of its budget allows for that"
                }
                (Some(_), _) => "; the margin of its budget does not allow for that",
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

/// Metric of a class that nothing ran of, and whether this load could have had any.
fn untried_name(case: &Case<'_>, metric: Metric) -> String {
    let is_local = case.evidence.plan.server == ServerTarget::Isolated { deploy: false };
    match metric {
        Metric::Class(ProcessClass::ServerWorker, _) if is_local => {
            format!("{metric} (only a load with --deploy has any)")
        }
        _ => metric.to_string(),
    }
}

/// What a figure needs that only some runs have, and which this one had not.
const fn what_it_takes(metric: Metric) -> &'static str {
    match metric.row().needs {
        Needs::Nothing => "",
        Needs::IdleAfter => "; it takes one server, at rest after the load",
        Needs::IdleBeforeAndAfter => {
            "; it takes one server at rest before and after the load, with every process of it \
             read before"
        }
    }
}

fn why_unstopped(case: &Case<'_>) -> &'static str {
    if case.evidence.plan.keep_server {
        "the server was kept"
    } else if lost_its_server(case) {
        "the server was lost before it was stopped"
    } else {
        "the server was not stopped as its users stop it"
    }
}
