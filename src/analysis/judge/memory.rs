//! Budgets, and whether the profile covers what they are about.

use super::{About, Case, Findings, Severity, lost_its_server};
use crate::analysis::budgets::{BudgetCheck, BudgetState, CONFIGURED};
use crate::analysis::{Exactness, MemoryReport};
use crate::budget::{Amount, BudgetSubject};
use crate::class::ProcessClass;
use crate::plan::ServerTarget;
use crate::record::environment::Environment;
use crate::units::total;

impl Findings {
    pub(super) fn of_budgets(&mut self, case: &Case<'_>) {
        let mut untried = Vec::new();
        for check in case.budgets {
            let subject = check.subject;
            let about = About::Budget(subject);
            match (check.state, check.measured, check.limit) {
                (BudgetState::Over, Some(measured), Some(limit)) => self.add_about(
                    about,
                    Severity::OverBudget,
                    format!("{subject}: {measured}, budget {limit} ({})", check.source),
                ),
                (BudgetState::Over | BudgetState::Within, ..) => {}
                (BudgetState::Skipped, ..) if subject == BudgetSubject::LeakedProcesses => self
                    .add_about(
                        about,
                        Severity::Note,
                        format!("{subject}: {}, so its budget was not tried", why_unstopped(case)),
                    ),
                (BudgetState::Skipped, ..) => untried.push(untried_name(case, subject)),
                (BudgetState::NoConstant, ..) => self.add_about(
                    about,
                    Severity::Note,
                    format!(
                        "{subject}: this SkyPilot has no constant for it, so nothing was checked; \
                         set one with --budget {subject}=SIZE"
                    ),
                ),
                (BudgetState::LimitUnknown, ..) => self.add_about(
                    about,
                    Severity::Inconclusive,
                    format!(
                        "{subject}: nobody knows its limit, since SkyPilot's constants are not on \
                         record; set one with --budget {subject}=SIZE"
                    ),
                ),
                (BudgetState::NotMeasured, ..) => self.add_about(
                    about,
                    Severity::Inconclusive,
                    format!(
                        "{subject}: nothing was measured to hold against its budget{}",
                        what_it_takes(subject)
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
        let constants: Vec<&str> = case
            .budgets
            .iter()
            .filter(|check| check.source != CONFIGURED && check.limit.is_some())
            .map(|check| check.subject.name())
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
                "the profile does not reach from the baseline to the end of the drain",
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
        let Some(swapping) = case.memory.and_then(MemoryReport::swapping) else { return };
        self.add(Severity::Note, swapping);
        for check in case.budgets.iter().filter(|check| check.state == BudgetState::Within) {
            let subject = check.subject;
            let is_sum = matches!(
                subject,
                BudgetSubject::TreeRss | BudgetSubject::TreePss | BudgetSubject::Growth
            );
            if is_sum {
                self.add_about(
                    About::Budget(subject),
                    Severity::Inconclusive,
                    format!("{subject}: it lacks what was in swap: it is a lower bound"),
                );
            }
        }
    }

    /// A process whose proportional memory could not be read is missing in every sum.
    fn of_unread_processes(&mut self, case: &Case<'_>) {
        let memory = case.memory;
        let after = memory.and_then(|memory| memory.growth.as_ref());
        let in_any =
            memory.iter().flat_map(|memory| &memory.snapshots).map(|snapshot| snapshot.unread);
        let sums = [
            (BudgetSubject::TreePss, total(in_any)),
            (BudgetSubject::Growth, after.map_or(0, |growth| growth.unread_after)),
        ];
        for (subject, unread) in sums {
            let has_figure =
                |check: &BudgetCheck| check.subject == subject && check.measured.is_some();
            if unread > 0 && case.budgets.iter().any(has_figure) {
                self.add_about(
                    About::Budget(subject),
                    Severity::Inconclusive,
                    format!(
                        "{subject}: {unread} process(es) could not be read: it is a lower bound"
                    ),
                );
            }
        }
    }

    /// A process that nobody read at its end may have had a higher peak, and so may
    /// every process that was only sampled. That puts a verdict in doubt where the class
    /// has a budget that it may have exceeded.
    fn of_unread_exits(&mut self, case: &Case<'_>) {
        for memory in case.memory.iter().flat_map(|memory| &memory.classes) {
            let class = memory.class;
            let could_be = match memory.exactness {
                Exactness::Exact => continue,
                Exactness::AtMost(could_be) => Some(could_be),
                Exactness::Unbounded => None,
            };
            let is_kept = |check: &&BudgetCheck| {
                check.subject == BudgetSubject::Class(class) && check.state == BudgetState::Within
            };
            let limit = case.budgets.iter().find(is_kept).and_then(|check| match check.limit {
                Some(Amount::Size(limit)) => Some(limit),
                _ => None,
            });
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
                let about = About::Budget(BudgetSubject::Class(class));
                self.add_about(about, severity, format!("{doubt}{margin}"));
            }
        }
    }
}

/// A subject that nothing ran for, and whether this load could have had it at all.
fn untried_name(case: &Case<'_>, subject: BudgetSubject) -> String {
    let is_local = case.evidence.plan.server == ServerTarget::Isolated { deploy: false };
    match subject {
        BudgetSubject::Class(ProcessClass::ServerWorker) if is_local => {
            format!("{subject} (only a load with --deploy has any)")
        }
        _ => subject.to_string(),
    }
}

/// What a figure needs that only some runs have, and which this one had not.
const fn what_it_takes(subject: BudgetSubject) -> &'static str {
    match subject {
        BudgetSubject::Growth => {
            "; it takes one server at rest before and after the load, with every process of it \
             read before"
        }
        BudgetSubject::Zombies => "; it takes one server, at rest after the load",
        _ => "",
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
