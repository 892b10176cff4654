//! Search for the first bad version: which version is compared next, and what the answers so far
//! say.
//!
//! A version is at a position: 0 is the good one, the last position is the bad one, and in between
//! versions get worse at one of them. Two kinds of versions give no answer. A version that cannot
//! be *tested*, since it does not build, proves nothing on its neighbours, although they often fail
//! with it, so the search goes on far from it. A version that stays *undecided* lies between good
//! and bad, and so does whatever is between two of them: these are not compared.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Answer on one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// No worse than the good version.
    Good,
    /// Worse than the good version.
    Bad,
    /// Neither, after all pairs.
    Undecided,
    /// No comparison: the version cannot be built or started, or does not measure the metric.
    Untestable,
}

/// Positions among which the first bad version is, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Range {
    /// First position.
    pub first: usize,
    /// Last position.
    pub last: usize,
}

/// State of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Positions among which the first bad version is.
    pub(super) range: Range,
    /// Position of the version that is compared next; `None` if no comparison narrows the range.
    pub(super) next: Option<usize>,
}

/// State of a search up to the position `last`, the known bad version.
pub(super) fn search(last: usize, answers: &BTreeMap<usize, Answer>) -> State {
    let with = |wanted: Answer| {
        let found = answers.iter().filter(move |(_, answer)| **answer == wanted);
        found.map(|(position, _)| *position)
    };
    let bad = with(Answer::Bad).min().unwrap_or(last).min(last);
    let good = with(Answer::Good).filter(|position| *position < bad).max().unwrap_or(0);
    let mut undecided = with(Answer::Undecided).filter(|position| (good..bad).contains(position));
    let gaps = match undecided.next() {
        None => vec![Gap { good, bad }],
        Some(first) => {
            let last = undecided.next_back().unwrap_or(first);
            vec![Gap { good, bad: first }, Gap { good: last, bad }]
        }
    };
    let next = gaps.iter().filter_map(|gap| Some((gap.width(), gap.next(answers)?)));
    let next = next.max_by_key(|(width, _)| *width).map(|(_, position)| position);
    State { range: Range { first: good + 1, last: bad }, next }
}

/// Most comparisons that a search takes if every version gives an answer.
pub(super) fn most_steps(range: Range) -> u32 {
    let versions = range.last.saturating_sub(range.first).saturating_add(1);
    versions.checked_next_power_of_two().map_or(usize::BITS, usize::ilog2)
}

/// Versions between one that is good, or undecided, and one that is bad, or undecided.
struct Gap {
    good: usize,
    bad: usize,
}

impl Gap {
    const fn width(&self) -> usize {
        self.bad.saturating_sub(self.good)
    }

    /// Version to compare next: in the middle of the longest row of versions that are not tried.
    fn next(&self, answers: &BTreeMap<usize, Answer>) -> Option<usize> {
        let is_inside = |position: &usize| (self.good + 1..self.bad).contains(position);
        let tried = answers.keys().copied().filter(is_inside);
        let bounds: Vec<usize> = [self.good].into_iter().chain(tried).chain([self.bad]).collect();
        let rows = bounds.iter().zip(bounds.iter().skip(1));
        // Of rows of one length, the first.
        let length = |(before, after): &(&usize, &usize)| after.saturating_sub(**before);
        let (before, after) = rows.min_by_key(|row| Reverse(length(row)))?;
        let middle = before + length(&(before, after)) / 2;
        (middle > *before).then_some(middle)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Search whose versions give these answers: the range at its end, and the positions that were
    /// compared, in their order.
    fn run(last: usize, answer: impl Fn(usize) -> Answer) -> (Range, Vec<usize>) {
        let (mut answers, mut compared) = (BTreeMap::new(), Vec::new());
        loop {
            let State { range, next } = search(last, &answers);
            let Some(position) = next else { return (range, compared) };
            assert!((1..last).contains(&position), "{position} of {last}");
            assert_eq!(answers.insert(position, answer(position)), None, "compared twice");
            compared.push(position);
        }
    }

    fn good_until(first_bad: usize, position: usize) -> Answer {
        if position < first_bad { Answer::Good } else { Answer::Bad }
    }

    #[test]
    fn the_first_bad_version_is_found_in_a_logarithm_of_steps() {
        for last in (1..70).chain([1000]) {
            for first_bad in 1..=last {
                let (range, compared) = run(last, |position| good_until(first_bad, position));
                assert_eq!(range, Range { first: first_bad, last: first_bad });
                let most = most_steps(Range { first: 1, last }) as usize;
                assert!(compared.len() <= most, "{first_bad} of {last}: {compared:?}");
            }
        }
    }

    /// Every set of versions without an answer of a kind, for every position of the first bad one.
    fn try_all(mut check: impl FnMut(usize, usize, u32)) {
        for last in 1..=9 {
            for first_bad in 1..=last {
                for without in 0..1_u32 << (last - 1) {
                    check(last, first_bad, without);
                }
            }
        }
    }

    const fn is_in(set: u32, position: usize) -> bool {
        position > 0 && set >> (position - 1) & 1 == 1
    }

    #[test]
    fn versions_that_cannot_be_tested_widen_the_range_by_themselves_alone() {
        try_all(|last, first_bad, untestable| {
            let (range, _) = run(last, |position| match is_in(untestable, position) {
                true => Answer::Untestable,
                false => good_until(first_bad, position),
            });
            // The range begins after the last good version that can be tested, and ends with the
            // first bad one.
            let can_be_tested = |position: &usize| !is_in(untestable, *position);
            let good = (1..first_bad).rev().find(can_be_tested).unwrap_or(0);
            let bad = (first_bad..last).find(can_be_tested).unwrap_or(last);
            assert_eq!(range, Range { first: good + 1, last: bad }, "{untestable:b}");
        });
    }

    #[test]
    fn the_range_has_the_first_bad_version_whichever_are_undecided() {
        try_all(|last, first_bad, undecided| {
            let (range, _) = run(last, |position| match is_in(undecided, position) {
                true => Answer::Undecided,
                false => good_until(first_bad, position),
            });
            assert!((range.first..=range.last).contains(&first_bad), "{range:?}, {undecided:b}");
        });
    }

    #[test]
    fn versions_between_undecided_ones_are_not_compared() {
        for last in [40, 100] {
            for (first, first_bad) in [(10, 30), (5, 40), (1, 2), (20, 21), (1, 40)] {
                let (range, compared) = run(last, |position| match position {
                    _ if position < first => Answer::Good,
                    _ if position < first_bad => Answer::Undecided,
                    _ => Answer::Bad,
                });
                assert_eq!(range, Range { first, last: first_bad });
                assert!(compared.len() <= 12, "{first} to {first_bad} of {last}: {compared:?}");
            }
        }
    }

    #[test]
    fn no_answers_of_a_file_are_too_odd_to_be_searched() {
        let all = [Answer::Good, Answer::Bad, Answer::Undecided, Answer::Untestable];
        for last in [0, 1, 2, 5] {
            for (one, other) in (0..8).flat_map(|one| (0..8).map(move |other| (one, other))) {
                for (first, second) in
                    all.iter().flat_map(|it| all.iter().map(move |or| (*it, *or)))
                {
                    let State { range, next } =
                        search(last, &BTreeMap::from([(one, first), (other, second)]));
                    assert!(range.last <= last && next.is_none_or(|next| next < last));
                }
            }
        }
    }

    #[rstest]
    #[case::before_them(20, 1)]
    #[case::after_them(75, 8)]
    #[case::far_after_them(99, 1)]
    fn a_search_moves_away_from_versions_that_cannot_be_tested(
        #[case] first_bad: usize,
        #[case] most_lost: usize,
    ) {
        let (range, compared) = run(100, |position| match position {
            30..=70 => Answer::Untestable,
            _ => good_until(first_bad, position),
        });
        assert_eq!(range, Range { first: first_bad, last: first_bad });
        let lost = compared.iter().filter(|position| (30..=70).contains(*position)).count();
        assert!(lost <= most_lost && compared.len() - lost <= 8, "{compared:?}");
    }
}
