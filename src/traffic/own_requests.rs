//! Requests of each iteration of a CLI scenario, among those on the server.
//!
//! Requests are found by the SkyPilot user of the `sky` processes. Ids of users repeat, so that a
//! request is of the iteration in whose time the server received the request. Between two
//! iterations with one id there are all other ids, which leaves time for a difference of the clocks:
//! the limit between both is in the middle of that time.

use std::collections::HashMap;

use super::skypilot_users::{IDS, ProcessUser, UserSpan};
use crate::api::RequestRow;
use crate::clock::{ClockOffset, Timeline, Timestamp};

/// Requests on the server, by their users, with the times of the iterations.
pub(super) struct OwnRequests<'a> {
    by_user: HashMap<&'a str, Vec<&'a RequestRow>>,
    spans: Vec<UserSpan>,
    timeline: &'a Timeline,
    /// Offset of the server's clock; `None` for a clock that needs no correction.
    offset: Option<ClockOffset>,
}

impl<'a> OwnRequests<'a> {
    /// Requests among `rows` of all iterations, whose `spans` are in the order of their users.
    pub(super) fn new(
        rows: &'a [RequestRow],
        spans: Vec<UserSpan>,
        timeline: &'a Timeline,
        offset: Option<ClockOffset>,
    ) -> Self {
        let mut by_user: HashMap<&str, Vec<&RequestRow>> = HashMap::new();
        for row in rows {
            by_user.entry(&row.user_id).or_default().push(row);
        }
        Self { by_user, spans, timeline, offset }
    }

    /// Requests of the iteration with this user.
    pub(super) fn of(&self, user: &ProcessUser) -> Vec<&'a RequestRow> {
        let from = self.limit_before(user.number);
        let until = user.number.checked_add(IDS).and_then(|next| self.limit_before(next));
        let is_own = |row: &&&RequestRow| {
            // Without a time, the user alone decides.
            row.created.is_none_or(|created| {
                let at = self.offset.map_or(created, |offset| offset.to_local(created));
                from.is_none_or(|from| at >= from) && until.is_none_or(|until| at < until)
            })
        };
        let of_user = self.by_user.get(user.id.as_str());
        of_user.into_iter().flatten().filter(is_own).copied().collect()
    }

    /// Limit between the requests of an iteration and those of the one before with the same id;
    /// `None` if there are not both.
    fn limit_before(&self, number: usize) -> Option<Timestamp> {
        let began = self.spans.get(number)?.began;
        let before = self.spans.get(number.checked_sub(IDS)?)?;
        let ended = before.ended.unwrap_or(began).min(began);
        Some(self.timeline.at((ended + (began - ended) / 2).into_std()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    const ID: &str = "3fa90000";

    /// Iterations of one id: two that took 2 s, with 60 s in between, and one that was interrupted,
    /// 60 s later.
    struct Iterations {
        timeline: Timeline,
        start: Instant,
    }

    impl Iterations {
        fn new() -> Self {
            Self { timeline: Timeline::start(), start: Instant::now() }
        }

        fn second(&self, second: u64) -> Instant {
            self.start + Duration::from_secs(second)
        }

        fn row(&self, status: &str, second: u64) -> RequestRow {
            RequestRow {
                request_id: status.to_owned(),
                name: "sky.status".to_owned(),
                status: status.to_owned(),
                user_id: ID.to_owned(),
                created: Some(self.timeline.at(self.second(second).into_std())),
            }
        }

        /// Statuses of the requests of each iteration.
        fn statuses(&self, rows: &[RequestRow], offset: Option<ClockOffset>) -> [Vec<String>; 3] {
            let users = [0, 1, 2].map(|time| user(time * IDS));
            let mut spans = vec![UserSpan { began: self.start, ended: None }; 2 * IDS + 1];
            let times = [(0, Some(2)), (62, Some(64)), (124, None)];
            for (user, (began, ended)) in users.iter().zip(times) {
                let ended = ended.map(|second| self.second(second));
                spans[user.number] = UserSpan { began: self.second(began), ended };
            }
            let own = OwnRequests::new(rows, spans, &self.timeline, offset);
            users.map(|user| own.of(&user).iter().map(|row| row.status.clone()).collect())
        }
    }

    fn user(number: usize) -> ProcessUser {
        ProcessUser { id: ID.to_owned(), number }
    }

    #[test]
    fn a_failed_request_is_of_one_iteration_of_an_id_that_repeats() {
        let all = Iterations::new();
        let rows = [all.row("SUCCEEDED", 125), all.row("FAILED", 63), all.row("CANCELLED", 1)];
        assert_eq!(all.statuses(&rows, None), [["CANCELLED"], ["FAILED"], ["SUCCEEDED"]]);
    }

    #[test]
    fn a_missing_request_is_not_hidden_by_that_of_another_iteration() {
        let all = Iterations::new();
        let [first, second, third] = all.statuses(&[all.row("SUCCEEDED", 1)], None);
        assert_eq!((first.len(), second.len(), third.len()), (1, 0, 0));
    }

    #[test]
    fn clocks_may_differ_by_half_of_the_time_between_two_iterations() {
        let all = Iterations::new();
        let late = [all.row("FAILED", 1 + 29), all.row("SUCCEEDED", 63 + 29)];
        assert_eq!(all.statuses(&late, None)[..2], [["FAILED"], ["SUCCEEDED"]]);
        let early = [all.row("SUCCEEDED", 63 - 29)];
        assert_eq!(all.statuses(&early, None)[1], ["SUCCEEDED"]);
    }

    #[test]
    fn a_clock_that_was_compared_may_differ_by_any_time() {
        let all = Iterations::new();
        let local = all.timeline.at(all.start.into_std());
        let remote = local.plus(Duration::from_secs(1_000));
        let offset = ClockOffset::bounded_by(local, remote, local);
        let rows = [all.row("FAILED", 1_001), all.row("SUCCEEDED", 1_063)];
        assert_eq!(all.statuses(&rows, Some(offset))[..2], [["FAILED"], ["SUCCEEDED"]]);
    }

    #[test]
    fn requests_of_other_users_are_none_of_the_iteration() {
        let all = Iterations::new();
        let other = RequestRow { user_id: "3fa90001".to_owned(), ..all.row("FAILED", 1) };
        assert!(all.statuses(&[other], None).iter().all(Vec::is_empty));
    }
}
