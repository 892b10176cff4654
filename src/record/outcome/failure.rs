//! Failed requests and expected errors, by type.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error_type;

/// Reason why one request did not have the right response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Failure {
    /// The step of the iteration.
    pub step: String,
    /// HTTP status; `None` when there was no response.
    pub status: Option<u16>,
    /// Type of the error as the server names it, such as `ValueError`, or, for an error that
    /// the server does not name, one of skyload's types such as `timeout`.
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

    /// Whether there was no response, or none to its end.
    pub(crate) const fn is_of_transport(&self) -> bool {
        self.status.is_none()
    }

    /// Whether there was no response in time.
    pub(crate) fn is_timeout(&self) -> bool {
        self.is_of_transport() && self.error_type == error_type::TIMEOUT
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.step)?;
        match self.status {
            Some(status) => write!(f, "HTTP {status} ")?,
            None => {}
        }
        write!(f, "{}: {}", self.error_type, self.message)
    }
}

/// Failures and refusals of one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tally(Vec<FailureTally>);

/// One kind of failure, and how often it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FailureTally {
    /// The first of its kind: its message may differ from the others'.
    pub example: Failure,
    /// Why it is the right answer, for a refusal that is.
    pub expected_because: Option<String>,
    /// The servers on which it would be the right answer, for a refusal of which nobody
    /// knows whether this is one of them.
    #[serde(default)]
    pub expected_only_on: Option<String>,
    /// How often.
    pub count: u64,
}

impl FailureTally {
    /// Whether it was an error, and no refusal that is or may be right.
    pub const fn is_error(&self) -> bool {
        self.expected_because.is_none() && self.expected_only_on.is_none()
    }
}

impl Tally {
    /// Counts a failure; with a reason why it is right, a refusal.
    pub fn add(&mut self, failure: Failure, expected_because: Option<&str>) {
        self.merge(&FailureTally {
            example: failure,
            expected_because: expected_because.map(str::to_owned),
            expected_only_on: None,
            count: 1,
        });
    }

    /// Counts a refusal that would be right on such servers.
    pub fn add_unjudged(&mut self, failure: Failure, expected_only_on: &str) {
        self.merge(&FailureTally {
            example: failure,
            expected_because: None,
            expected_only_on: Some(expected_only_on.to_owned()),
            count: 1,
        });
    }

    /// Counts all of another tally.
    pub fn add_all(&mut self, other: &Self) {
        for entry in &other.0 {
            self.merge(entry);
        }
    }

    /// The kinds, in the order in which they were first seen.
    pub fn kinds(&self) -> &[FailureTally] {
        &self.0
    }

    /// Changes the message of every kind.
    pub(super) fn map_messages(&mut self, map: impl Fn(&str) -> String) {
        for kind in &mut self.0 {
            kind.example.message = map(&kind.example.message);
        }
    }

    fn merge(&mut self, new: &FailureTally) {
        let same = |old: &&mut FailureTally| {
            old.example.step == new.example.step
                && old.example.status == new.example.status
                && old.example.error_type == new.example.error_type
                && old.expected_because == new.expected_because
                && old.expected_only_on == new.expected_only_on
        };
        match self.0.iter_mut().find(same) {
            Some(old) => old.count = old.count.saturating_add(new.count),
            None => self.0.push(new.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn failures_are_counted_by_kind_and_refusals_apart() {
        let mut tally = Tally::default();
        tally.add(failure("ValueError"), None);
        tally.add(failure("ValueError"), None);
        tally.add(failure("ValueError"), Some("no cloud"));
        tally.add(failure("KeyError"), None);
        let counts: Vec<u64> = tally.kinds().iter().map(|kind| kind.count).collect();
        assert_eq!(counts, [2, 1, 1]);
    }
}
