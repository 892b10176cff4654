//! Targets of the client, checked against the results.

use std::fmt;

use skyload::units::as_mib;

use super::http_client::ClientKind;
use super::result::ClientResults;

/// Figure with its limit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) figure: &'static str,
    pub(crate) limit: Limit,
    /// Measured value; `None` if it was not measured.
    pub(crate) value: Option<f64>,
}

/// Limit of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(limit) => f.pad(&format!("at least {limit}")),
            Self::AtMost(limit) => f.pad(&format!("at most {limit}")),
        }
    }
}

impl Target {
    /// Result of the check.
    pub(crate) fn status(&self) -> &'static str {
        match (self.value, self.limit) {
            (None, _) => "not measured",
            (Some(value), Limit::AtLeast(limit)) if value >= limit => "met",
            (Some(value), Limit::AtMost(limit)) if value <= limit => "met",
            (Some(_), _) => "missed",
        }
    }
}

/// Targets with the medians of all rounds.
pub(crate) fn targets(results: &ClientResults) -> [Target; 4] {
    [
        Target {
            figure: "CPU per iteration, SkyPilot's SDK / skyload",
            limit: Limit::AtLeast(20.0),
            value: results.sdk_ratio().map(|ratio| ratio.median.0),
        },
        Target {
            figure: "CPU per request, skyload / oha",
            limit: Limit::AtMost(1.6),
            value: results.requests_ratio(ClientKind::Oha).map(|ratio| ratio.median.0),
        },
        Target {
            figure: "lateness p99, skyload / timer loop",
            limit: Limit::AtMost(2.0),
            value: results.lateness_ratio().map(|ratio| ratio.median.0),
        },
        Target {
            figure: "peak after the long load, in MiB",
            limit: Limit::AtMost(30.0),
            value: Some(as_mib(results.peak())),
        },
    ]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::at_the_limit(Limit::AtMost(1.6), Some(1.6), "met")]
    #[case::above_the_limit(Limit::AtMost(1.6), Some(1.61), "missed")]
    #[case::below_the_least(Limit::AtLeast(20.0), Some(19.9), "missed")]
    #[case::above_the_least(Limit::AtLeast(20.0), Some(25.0), "met")]
    #[case::absent(Limit::AtLeast(20.0), None, "not measured")]
    fn a_figure_is_checked_against_its_limit(
        #[case] limit: Limit,
        #[case] value: Option<f64>,
        #[case] status: &str,
    ) {
        assert_eq!(Target { figure: "figure", limit, value }.status(), status);
    }
}
