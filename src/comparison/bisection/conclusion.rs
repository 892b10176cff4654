//! Conclusion of a bisection in words: the reason of its outcome, and what else to know of it.

use super::search::Range;
use super::{Bisection, Outcome, Revision, StepVerdict};
use crate::units::counted;

impl Revision {
    /// Noun for this and similar versions.
    pub const fn noun(&self) -> &'static str {
        if self.commit.is_some() { "commit" } else { "version" }
    }

    /// Name with the subject of a commit.
    fn title(&self) -> String {
        match &self.commit {
            Some(commit) => format!("{}: {}", self.name(), commit.subject),
            None => self.name(),
        }
    }
}

impl Bisection {
    /// Versions between good and bad, in one phrase.
    pub fn extent(&self) -> String {
        let noun = self.good.noun();
        let between = format!("{} between", counted(self.between(), noun));
        match self.unchanged_commits {
            0 => between,
            unchanged => format!(
                "{between}, and {} that {} nothing in the package",
                counted(unchanged, noun),
                if unchanged == 1 { "changes" } else { "change" }
            ),
        }
    }

    /// Reason of the outcome, in one clause.
    pub fn reason(&self) -> String {
        let noun = self.good.noun();
        let bad = self.revision(self.revisions.len()).name();
        match self.outcome {
            Outcome::Found { position } => {
                format!("first bad {noun} {}", self.revision(position).title())
            }
            Outcome::Narrowed(range) => {
                format!("{}; no answer from the others", self.among(range))
            }
            Outcome::Unfinished(_) if self.steps.is_empty() => {
                format!("whether {bad} is worse than {} is not decided yet", self.good.name())
            }
            Outcome::Unfinished(range) => {
                format!("{}; not all of them are compared", self.among(range))
            }
            Outcome::NotWorse => format!("{bad} is not worse than {}", self.good.name()),
            Outcome::NotConfirmed => {
                let verdict = self.steps.first().map(|step| step.verdict.in_words());
                let (verdict, good) = (verdict.unwrap_or_default(), self.good.name());
                format!("whether {bad} is worse than {good} is unknown: {verdict}")
            }
        }
    }

    fn among(&self, range: Range) -> String {
        let noun = self.good.noun();
        format!(
            "the first bad {noun} is one of {}, after {} and up to {}",
            self.among_versions(range).len(),
            self.revision(range.first.saturating_sub(1)).name(),
            self.revision(range.last).name()
        )
    }

    /// Versions among which the first bad one is; none without a confirmed difference.
    pub fn suspects(&self) -> &[Revision] {
        let range = match self.outcome {
            Outcome::Found { position } => Range { first: position, last: position },
            Outcome::Narrowed(range) | Outcome::Unfinished(range) if !self.steps.is_empty() => {
                range
            }
            _ => return &[],
        };
        self.among_versions(range)
    }

    fn among_versions(&self, range: Range) -> &[Revision] {
        self.revisions.get(range.first.saturating_sub(1)..range.last).unwrap_or_default()
    }

    /// Notes: versions without an answer, with the reasons, and changes beside that of the first
    /// bad version.
    pub fn notes(&self) -> Vec<String> {
        let skipped = self.steps.iter().filter_map(|step| match &step.verdict {
            StepVerdict::Good | StepVerdict::Bad => None,
            StepVerdict::Untestable { reason } => {
                Some(format!("{} skipped: {reason}", self.revision(step.position).name()))
            }
            StepVerdict::Undecided => Some(self.note_on_undecided(step.position)),
        });
        skipped.chain(self.other_changes()).collect()
    }

    /// Note on an undecided version: which end its change is nearer to.
    fn note_on_undecided(&self, position: usize) -> String {
        let name = self.revision(position).name();
        let changes = self.change(position).zip(self.change(self.revisions.len()));
        match changes.filter(|_| position < self.revisions.len()) {
            None => format!("{name} undecided"),
            Some((change, of_bad)) => {
                let end = if change.abs() < (of_bad - change).abs() { "good" } else { "bad" };
                format!("{name} undecided, its change is nearer to that of the {end} version")
            }
        }
    }

    /// Note on changes that are not the first bad version's, if they are as large as its own.
    fn other_changes(&self) -> Option<String> {
        let Outcome::Found { position } = self.outcome else { return None };
        let (first, last) = (self.change(position)?, self.change(self.revisions.len())?);
        let before = self.change(position.saturating_sub(1))?;
        if before > first / 2.0 {
            return Some(format!(
                "more than half of the change up to {} came before it, within the tolerance",
                self.revision(position).name()
            ));
        }
        (first < last / 2.0).then(|| {
            format!(
                "more than half of the whole change came later: a bisection from {} to {} looks \
                 for it",
                self.revision(position).name(),
                self.revision(self.revisions.len()).name()
            )
        })
    }

    /// Estimated change of a version against the good one.
    fn change(&self, position: usize) -> Option<f64> {
        if position == 0 {
            return Some(0.0);
        }
        Some(self.step(position)?.metric.as_ref()?.change.as_ref()?.estimate)
    }
}

impl StepVerdict {
    /// Verdict in one clause.
    fn in_words(&self) -> String {
        match self {
            Self::Undecided => "undecided after all pairs".to_owned(),
            Self::Untestable { reason } => reason.clone(),
            Self::Good | Self::Bad => self.name().to_owned(),
        }
    }
}
