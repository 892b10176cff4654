//! Failed requests and expected errors, by type.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error_type;
use crate::clock::Timestamp;

/// Failure of one request: error response, unexpected response, or transport error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Failure {
    /// Step of the iteration.
    pub step: String,
    /// HTTP status; `None` when there was no response.
    pub status: Option<u16>,
    /// Error type: the server's, such as `ValueError`, or one of skyload's, such as `timeout`,
    /// for an error without a type of the server.
    pub error_type: String,
    /// Message of the server or of the operating system.
    pub message: String,
}

impl Failure {
    /// Takes a secret out of what the server wrote, by `hide`: the server may have repeated it.
    pub(crate) fn hide(&mut self, hide: impl Fn(&str) -> String) {
        // A secret of a letter or two occurs in skyload's own words as well.
        if !error_type::is_own(&self.error_type) {
            self.error_type = hide(&self.error_type);
        }
        self.message = hide(&self.message);
    }

    /// Whether there was no complete response.
    pub(crate) const fn is_transport_error(&self) -> bool {
        self.status.is_none()
    }

    /// Whether there was no response in time.
    pub(crate) fn is_timeout(&self) -> bool {
        self.is_transport_error() && self.error_type == error_type::TIMEOUT
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.step)?;
        if let Some(status) = self.status {
            write!(f, "HTTP {status} ")?;
        }
        write!(f, "{}: {}", self.error_type, self.message)
    }
}

/// Counts of failures and expected errors of one segment, by type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tally(Vec<FailureTally>);

/// Count of failures with equal step, HTTP status and error type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FailureTally {
    /// First failure of the kind; later ones may have other messages.
    pub example: Failure,
    /// Reason why the error is expected; `None` for other errors.
    pub expected_because: Option<String>,
    /// Servers on which the error would be expected, if it is unknown whether the server under
    /// test is one of them; `None` for other errors.
    #[serde(default)]
    pub expected_only_on: Option<String>,
    /// Number of failures.
    pub count: u64,
    /// Time of the first failure; `None` in runs of builds that did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
}

impl FailureTally {
    /// Whether the failure is an error that is not expected, and cannot be.
    pub const fn is_error(&self) -> bool {
        self.expected_because.is_none() && self.expected_only_on.is_none()
    }
}

impl Tally {
    /// Counts a failure of this time, as an expected error if a reason is given.
    pub fn add(&mut self, at: Timestamp, failure: Failure, expected_because: Option<&str>) {
        self.merge(&FailureTally {
            example: failure,
            expected_because: expected_because.map(str::to_owned),
            expected_only_on: None,
            count: 1,
            first: Some(at),
        });
    }

    /// Counts an error that would be expected on certain servers, where it is unknown whether
    /// the server under test is one of them.
    pub fn add_unjudged(&mut self, at: Timestamp, failure: Failure, expected_only_on: &str) {
        self.merge(&FailureTally {
            example: failure,
            expected_because: None,
            expected_only_on: Some(expected_only_on.to_owned()),
            count: 1,
            first: Some(at),
        });
    }

    /// Adds the counts of another tally.
    pub fn add_all(&mut self, other: &Self) {
        for entry in &other.0 {
            self.merge(entry);
        }
    }

    /// Kinds of failures, in the order of their first occurrence.
    pub fn kinds(&self) -> &[FailureTally] {
        &self.0
    }

    /// Replaces the message of every kind by the result of `map`.
    pub(super) fn map_messages(&mut self, map: impl Fn(&str) -> String) {
        for kind in &mut self.0 {
            kind.example.message = map(&kind.example.message);
        }
    }

    fn merge(&mut self, new: &FailureTally) {
        let is_same_kind = |old: &&mut FailureTally| {
            old.example.step == new.example.step
                && old.example.status == new.example.status
                && old.example.error_type == new.example.error_type
                && old.expected_because == new.expected_because
                && old.expected_only_on == new.expected_only_on
        };
        match self.0.iter_mut().find(is_same_kind) {
            Some(old) => {
                old.count = old.count.saturating_add(new.count);
                // Unknown if it is of either: an unknown time may be the earlier one.
                old.first = old.first.zip(new.first).map(|(old, new)| old.min(new));
            }
            None => self.0.push(new.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn second(second: u64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn failure(error_type: &str) -> Failure {
        Failure {
            step: "status".to_owned(),
            status: Some(500),
            error_type: error_type.to_owned(),
            message: "m".to_owned(),
        }
    }

    #[test]
    fn no_secret_however_short_changes_a_type_of_skyloads_own() {
        let without_x = |text: &str| text.replace('x', "..");
        let of = |error_type: &str| {
            let mut failure = Failure { message: "x marks".to_owned(), ..failure(error_type) };
            failure.hide(without_x);
            (failure.error_type, failure.message)
        };
        let own = error_type::PLAIN_TEXT_ERROR;
        assert_eq!(of(own), (own.to_owned(), ".. marks".to_owned()));
        assert_eq!(of("MaxError").0, "Ma..Error");
    }

    #[test]
    fn failures_are_counted_by_kind_and_expected_errors_separately() {
        let mut tally = Tally::default();
        tally.add(second(1), failure("ValueError"), None);
        tally.add(second(2), failure("ValueError"), None);
        tally.add(second(3), failure("ValueError"), Some("no cloud"));
        tally.add(second(4), failure("KeyError"), None);
        let counts: Vec<u64> = tally.kinds().iter().map(|kind| kind.count).collect();
        assert_eq!(counts, [2, 1, 1]);
    }

    #[test]
    fn a_kind_has_the_time_of_its_first_failure_unless_one_is_unknown() {
        let first = |tally: &Tally| tally.kinds()[0].first;
        let (mut tally, mut other) = (Tally::default(), Tally::default());
        tally.add(second(9), failure("ValueError"), None);
        other.add(second(7), failure("ValueError"), None);
        other.add(second(8), failure("ValueError"), None);
        tally.add_all(&other);
        assert_eq!(first(&tally), Some(second(7)));
        other.0[0].first = None;
        tally.add_all(&other);
        assert_eq!(first(&tally), None);
    }
}
