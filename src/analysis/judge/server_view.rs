//! Findings on the server's own metrics: what they miss, and peaks by its own gauges.

use super::{About, Case, Findings, Severity};
use crate::analysis::limits::{LimitCheck, LimitState};
use crate::analysis::memory::ClassMemory;
use crate::analysis::server_view::{MissingParts, missing_parts};
use crate::analysis::{Exactness, ServerView};
use crate::metric::{Amount, Metric};
use crate::units::{as_mib, counted};

impl Findings {
    /// Adds notes on metrics that are missing. They are no doubt of the run: its verdict does not
    /// depend on them, except for budgets on the server's own gauges.
    pub(super) fn of_server_view(&mut self, case: &Case<'_>) {
        let Some(view) = case.server_view else { return };
        if let Some(reason) = &view.last_failure {
            let failed = counted(view.failed_scrapes, "failed scrape");
            self.add(Severity::Note, format!("server metrics: {failed}, the last one: {reason}"));
        }
        if view.snapshots == 0 {
            self.add(Severity::Note, "server metrics: no snapshot, the server's view is missing");
        } else if case.evidence.was_loaded() {
            let (time, part) = match missing_parts(case.evidence) {
                MissingParts { start: false, end: false } => return,
                MissingParts { start: true, end: false } => ("before", "the start of the load is"),
                MissingParts { start: false, end: true } => ("after", "the end of the load is"),
                MissingParts { start: true, end: true } => {
                    ("before or after", "start and end of the load are")
                }
            };
            self.add(
                Severity::Note,
                format!(
                    "server metrics: no snapshot from {time} the load, {part} missing in the \
                     server's view"
                ),
            );
        }
    }

    /// Adds findings on the memory of a server without a profile: by its own gauges, if they were
    /// read.
    pub(super) fn of_gauges(&mut self, case: &Case<'_>) {
        let Some(view) = case.server_view.filter(|view| !view.classes.is_empty()) else {
            self.add(
                Severity::Note,
                "remote server: memory not measured; run `cargo xtask profile` on its machine and \
                 pass the result with --server-profile",
            );
            return;
        };
        self.add(
            Severity::Note,
            format!(
                "remote server: memory sampled by the server itself, one reading per process in \
                 each of {} snapshots; peaks are lower bounds; for exact ones, run `cargo xtask \
                 profile` on its machine and pass the result with --server-profile",
                view.snapshots
            ),
        );
        self.of_gauged_budgets(case, view);
    }

    /// Adds findings on budgets that the largest gauge is within, by the rule for sampled peaks:
    /// the run is inconclusive if the estimated maximum is not.
    fn of_gauged_budgets(&mut self, case: &Case<'_>, view: &ServerView) {
        let within = case.budgets.iter().filter(|check| check.state == LimitState::Within);
        for check in within {
            let class = view.classes.iter().find(|one| Metric::max_peak(one.class) == check.metric);
            if let Some(class) = class {
                self.of_gauged_budget(check, class);
            }
        }
    }

    fn of_gauged_budget(&mut self, check: &LimitCheck, class: &ClassMemory) {
        let limit = check.limit.and_then(Amount::as_size);
        let (possible, is_within) = match class.exactness {
            Exactness::Exact => return,
            Exactness::AtMost(possible) => (
                format!("estimated max {:.1} MiB", as_mib(possible)),
                limit.is_some_and(|limit| possible <= limit),
            ),
            Exactness::Unbounded => ("max unknown".to_owned(), false),
        };
        let (severity, consequence) = match is_within {
            true => (Severity::Note, "within budget"),
            false => (Severity::Inconclusive, "may exceed its budget"),
        };
        let message = format!(
            "{}: peak is a lower bound (sampled by the server itself); {possible}, {consequence}",
            class.class
        );
        self.add_about(About::Metric(check.metric), severity, message);
    }
}
