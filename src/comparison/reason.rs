//! Reason of a comparison's verdict, in words.

use super::estimate::{LEAST_RUNS, MOST_FORECAST};
use super::{Comparison, ComparisonVerdict, MetricComparison, MetricVerdict};

impl Comparison {
    /// Reason for the verdict, in one clause, and for an early end.
    pub fn reason(&self) -> String {
        let of_verdict = self.reason_of_verdict();
        match &self.early_end {
            // Where nothing else failed, it is the reason.
            Some(end) if of_verdict.is_empty() => end.to_string(),
            Some(end) => format!("{of_verdict}; {end}"),
            None => of_verdict,
        }
    }

    fn reason_of_verdict(&self) -> String {
        let named = |is_meant: fn(&MetricVerdict) -> bool| {
            let metrics = self.deciding().filter(move |metric| is_meant(&metric.verdict));
            metrics.map(|metric| metric.metric.to_string()).collect::<Vec<_>>().join(", ")
        };
        match self.verdict {
            ComparisonVerdict::ScenarioFailed if self.failed.is_empty() => String::new(),
            ComparisonVerdict::ScenarioFailed => {
                format!("only in the candidate failed: {}", self.failed.join(", "))
            }
            ComparisonVerdict::Worse => {
                let new = self.errors.iter().filter(|error| error.is_new());
                let new = new.map(|error| format!("{} ({})", error.error_type, error.scenario));
                let worse = named(|verdict| *verdict == MetricVerdict::Worse);
                let worse = (!worse.is_empty()).then(|| format!("worse: {worse}"));
                let new = new.collect::<Vec<_>>().join(", ");
                let new = (!new.is_empty()).then(|| format!("new errors: {new}"));
                let clauses = worse.into_iter().chain(new).chain(self.new_kills());
                clauses.collect::<Vec<_>>().join("; ")
            }
            ComparisonVerdict::Undecided => self.why_undecided(named(MetricVerdict::is_undecided)),
            ComparisonVerdict::Better => {
                let better = named(|verdict| *verdict == MetricVerdict::Better);
                format!("better: {better}; no deciding metric is worse{}", self.left_open())
            }
            ComparisonVerdict::Same => match self.left_open() {
                open if open.is_empty() => "every deciding metric is the same".to_owned(),
                open => {
                    let same = named(|verdict| *verdict == MetricVerdict::Same);
                    format!("the same: {same}{open}")
                }
            },
        }
    }

    /// Clause on kills at the server's size that only the candidate has.
    pub(super) fn new_kills(&self) -> Option<String> {
        self.kills.is_new().then(|| {
            format!(
                "only in the candidate the kernel killed processes at the server's size: in {} of \
                 {} runs",
                self.kills.runs_of_candidate,
                self.candidate.runs.len()
            )
        })
    }

    /// Clauses on deciding metrics that are too noisy, or not compared because of the reference's
    /// conditions; empty if there are none.
    fn left_open(&self) -> String {
        let too_noisy = self.deciding().filter_map(|metric| match metric.verdict {
            MetricVerdict::TooNoisy { pairs } => {
                let pairs = pairs.map_or_else(|| format!("> {MOST_FORECAST}"), |it| it.to_string());
                Some(format!("; too noisy to tell: {} (needs {pairs} pairs)", metric.metric))
            }
            _ => None,
        });
        let other = self.deciding().filter(|it| it.verdict == MetricVerdict::OtherConditions);
        let other: Vec<String> = other.map(|metric| metric.metric.to_string()).collect();
        let other = (!other.is_empty()).then(|| format!("; not compared: {}", other.join(", ")));
        too_noisy.chain(other).collect()
    }

    fn why_undecided(&self, metrics: String) -> String {
        let runs = [&self.base, &self.candidate].map(|side| side.runs.len());
        if runs.iter().any(|runs| *runs < LEAST_RUNS) {
            let [base, candidate] = runs;
            return format!(
                "too few usable runs: {base} of the base, {candidate} of the candidate, at least \
                 {LEAST_RUNS} of each are needed"
            );
        }
        if self.has_nothing_to_compare() {
            let differences = self.disturbances().map(|difference| self.in_words(difference));
            return format!("nothing to compare: {}", differences.collect::<Vec<_>>().join("; "));
        }
        match self.pairs_needed() {
            _ if metrics.is_empty() && self.is_open() => {
                format!("no deciding metric is decided{}", self.left_open())
            }
            _ if metrics.is_empty() && !self.left_open().is_empty() => {
                format!("no deciding metric could be compared{}", self.left_open())
            }
            _ if metrics.is_empty() => "no deciding metric was measured in both".to_owned(),
            Some(pairs) => format!("{metrics}; {pairs} pairs would decide"),
            None if self.deciding().any(has_too_few_runs) => {
                format!("{metrics}; measured in fewer than {LEAST_RUNS} pairs")
            }
            None => format!("{metrics}; more than {MOST_FORECAST} pairs would be needed"),
        }
    }
}

/// Whether a metric is undecided for want of runs.
const fn has_too_few_runs(metric: &MetricComparison) -> bool {
    metric.verdict.is_undecided() && metric.change.is_none()
}
