//! Order of the runs of an `ab`: a warm-up of each version, then pairs of runs.
//!
//! Within pairs the order is balanced, base-candidate, candidate-base, base-candidate: a machine
//! that gets slower over time then slows both versions alike. A run that is not usable is repeated
//! at its place, so that no pair is made of runs that are far apart.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::analysis::Verdict;
use crate::ids::RunId;

/// Most runs at one place: the first and two repeats.
const MOST_ATTEMPTS: usize = 3;

/// One of the two versions of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Version that is compared with.
    Base,
    /// Version that is judged.
    Candidate,
}

impl Role {
    /// Both roles, base first.
    pub const ALL: [Self; 2] = [Self::Base, Self::Candidate];

    /// Name within a text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Candidate => "candidate",
        }
    }

    /// Name at the beginning of a line.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Base => "Base",
            Self::Candidate => "Candidate",
        }
    }
}

/// Place of a run in an `ab`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Place {
    /// Number of the pair, from 1; `None` for the warm-up, which is not compared.
    pub pair: Option<u32>,
    /// Version that runs.
    pub role: Role,
}

/// Run of an `ab` that has ended by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlacedRun {
    /// Place of the run.
    pub place: Place,
    /// ID of the run.
    pub run: RunId,
    /// Verdict of the run.
    pub verdict: Verdict,
    /// Reason for which the run cannot be compared, such as a finding that makes it inconclusive;
    /// `None` if it can.
    pub unusable: Option<String>,
}

/// Next step of an `ab`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Run at a place.
    Run(Place),
    /// None: all pairs are complete.
    Complete,
    /// None: every run at this place was unusable.
    Stuck(Place),
}

/// Next step after the runs `done`, of a comparison of `pairs` pairs.
pub fn next(done: &[PlacedRun], pairs: u32) -> Next {
    for place in places(pairs) {
        let mut attempts = done.iter().filter(|run| run.place == place);
        let is_done = match place.pair {
            // Also an inconclusive warm-up has read the files of its version into memory.
            None => attempts.next().is_some(),
            Some(_) => attempts.clone().any(|run| run.unusable.is_none()),
        };
        match is_done {
            true => {}
            false if attempts.count() >= MOST_ATTEMPTS => return Next::Stuck(place),
            false => return Next::Run(place),
        }
    }
    Next::Complete
}

/// Number of pairs of which both runs are usable, and the runs of these, base and candidate in
/// the order of the pairs.
pub fn complete_pairs(done: &[PlacedRun]) -> [Vec<&RunId>; 2] {
    let usable = |pair: u32, role: Role| {
        let place = Place { pair: Some(pair), role };
        let run = done.iter().find(|run| run.place == place && run.unusable.is_none());
        run.map(|run| &run.run)
    };
    let numbers = 1..=done.iter().filter_map(|run| run.place.pair).max().unwrap_or(0);
    let both = numbers
        .filter_map(|pair| Some((usable(pair, Role::Base)?, usable(pair, Role::Candidate)?)));
    let (base, candidate) = both.unzip();
    [base, candidate]
}

/// Warm-ups of base and candidate, as far as they have been made.
pub fn warm_ups(done: &[PlacedRun]) -> [Vec<&RunId>; 2] {
    Role::ALL.map(|role| {
        let warm_up = Place { pair: None, role };
        done.iter().filter(|run| run.place == warm_up).map(|run| &run.run).collect()
    })
}

/// Runs of pairs that are not compared, of base and candidate, each with its reason: unusable ones,
/// and those whose partner was never usable.
pub fn left_out(done: &[PlacedRun]) -> [Vec<(&RunId, String)>; 2] {
    let compared = complete_pairs(done);
    let is_usable = |place: Place| {
        let mut attempts = done.iter().filter(|run| run.place == place);
        attempts.any(|run| run.unusable.is_none())
    };
    let reason = |run: &PlacedRun| match &run.unusable {
        Some(reason) if is_usable(run.place) => format!("{reason}; repeated"),
        Some(reason) => reason.clone(),
        None => "its pair has no usable run of the other version".to_owned(),
    };
    let of = |role: Role, compared: &[&RunId]| {
        let of_pairs = done.iter().filter(|run| run.place.pair.is_some() && run.place.role == role);
        let others = of_pairs.filter(|run| !compared.contains(&&run.run));
        others.map(|run| (&run.run, reason(run))).collect()
    };
    let [base, candidate] = &compared;
    [of(Role::Base, base), of(Role::Candidate, candidate)]
}

/// Places of all runs, in their order.
fn places(pairs: u32) -> impl Iterator<Item = Place> {
    let warm_up = Role::ALL.into_iter().map(|role| Place { pair: None, role });
    let of_pairs = (1..=pairs).flat_map(|pair| {
        let [first, second] = Role::ALL;
        let order = if pair % 2 == 1 { [first, second] } else { [second, first] };
        order.map(|role| Place { pair: Some(pair), role })
    });
    warm_up.chain(of_pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs an `ab` whose runs are unusable as `is_unusable` says, by place and attempt.
    fn run_all(pairs: u32, is_unusable: impl Fn(Place, usize) -> bool) -> (Vec<PlacedRun>, Next) {
        let mut done: Vec<PlacedRun> = Vec::new();
        loop {
            let Next::Run(place) = next(&done, pairs) else {
                let end = next(&done, pairs);
                return (done, end);
            };
            let attempt = done.iter().filter(|run| run.place == place).count();
            let unusable = is_unusable(place, attempt).then(|| "a sampling gap".to_owned());
            let run = RunId::of_directory(format!("run-{}", done.len()).as_ref());
            done.push(PlacedRun { place, run, verdict: Verdict::Pass, unusable });
        }
    }

    /// Places in one word: `w` for a warm-up, numbers of pairs, upper case for the base.
    fn order(done: &[PlacedRun]) -> String {
        let letter = |run: &PlacedRun| match run.place.role {
            Role::Base => 'A',
            Role::Candidate => 'B',
        };
        done.iter().map(letter).collect()
    }

    #[test]
    fn versions_run_in_turn_and_in_balanced_order() {
        let (done, end) = run_all(4, |_, _| false);
        assert_eq!((order(&done).as_str(), end), ("ABABBAABBA", Next::Complete));
        let [base, candidate] = complete_pairs(&done);
        assert_eq!((base.len(), candidate.len()), (4, 4));
        assert!(!base.contains(&&done[0].run), "the warm-up must not be compared");
    }

    #[test]
    fn an_unusable_run_is_repeated_at_its_place_and_never_compared() {
        let second = Place { pair: Some(2), role: Role::Candidate };
        let (done, end) = run_all(2, |place, attempt| place == second && attempt < 2);
        assert_eq!((order(&done).as_str(), end), ("ABABBBBA", Next::Complete));
        let [_, candidate] = complete_pairs(&done);
        assert_eq!(candidate, [&done[3].run, &done[6].run]);
        let repeated = |run: &RunId| (run.clone(), "a sampling gap; repeated".to_owned());
        let [base, candidate] = named(&left_out(&done));
        assert_eq!(base, []);
        assert_eq!(candidate, [repeated(&done[4].run), repeated(&done[5].run)]);
    }

    /// Runs that are left out, with their reasons.
    fn named(left_out: &[Vec<(&RunId, String)>; 2]) -> [Vec<(RunId, String)>; 2] {
        let owned = |(run, reason): &(&RunId, String)| ((*run).clone(), reason.clone());
        [0, 1].map(|side| left_out[side].iter().map(owned).collect())
    }

    #[test]
    fn a_run_whose_partner_was_never_usable_is_left_out() {
        let second = Place { pair: Some(1), role: Role::Candidate };
        let (done, end) = run_all(3, |place, _| place == second);
        assert_eq!(end, Next::Stuck(second));
        let [base, candidate] = named(&left_out(&done));
        let reason = "its pair has no usable run of the other version".to_owned();
        assert_eq!(base, [(done[2].run.clone(), reason)]);
        assert_eq!(candidate.len(), 3, "{candidate:?}");
    }

    #[test]
    fn a_place_with_three_unusable_runs_ends_the_comparison() {
        let first = Place { pair: Some(1), role: Role::Base };
        let (done, end) = run_all(3, |place, _| place == first);
        assert_eq!((order(&done).as_str(), end), ("ABAAA", Next::Stuck(first)));
    }

    #[test]
    fn an_unusable_warm_up_is_not_repeated() {
        let (done, end) = run_all(1, |place, _| place.pair.is_none());
        assert_eq!((order(&done).as_str(), end), ("ABAB", Next::Complete));
    }

    #[test]
    fn a_pair_with_one_run_is_not_compared_and_continued_with_the_other() {
        let (all, _) = run_all(2, |_, _| false);
        let interrupted = &all[..5];
        assert_eq!(complete_pairs(interrupted).map(|runs| runs.len()), [1, 1]);
        assert_eq!(next(interrupted, 2), Next::Run(all[5].place));
    }
}
