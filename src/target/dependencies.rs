//! Date that the dependencies of a SkyPilot are resolved as of.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Dependencies of a SkyPilot that skyload installs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dependencies {
    /// Packages as of the date of SkyPilot itself: shortly after its release or its commit, and
    /// today for a nightly build and for files that are not committed.
    #[default]
    OwnDate,
    /// Packages as of a given date, so that two SkyPilots get the same ones.
    At(ResolutionDate),
}

/// Date limit on the upload of packages, in UTC and RFC 3339, such as `2026-11-20T23:59:59Z`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ResolutionDate(String);

impl ResolutionDate {
    /// Date limit at a point in time, at most the end of the year 9999.
    pub fn at(time: SystemTime) -> Self {
        Self(humantime::format_rfc3339_seconds(time).to_string())
    }

    /// Year, month and day.
    pub fn day(&self) -> &str {
        self.0.get(..10).unwrap_or(&self.0)
    }

    /// Text in RFC 3339.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Parses a day, which counts to its end, or a time in UTC.
impl FromStr for ResolutionDate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Only UTC: of a local time, no other machine knows what it was.
        let time = match text.len() {
            10 => humantime::parse_rfc3339(&format!("{text}T23:59:59Z")),
            _ => humantime::parse_rfc3339(text),
        };
        let time = time.map_err(|_| {
            format!(
                "expected a day (2026-11-20) or a time in UTC (2026-11-20T12:00:00Z), got `{text}`"
            )
        })?;
        Ok(Self(humantime::format_rfc3339_seconds(time).to_string()))
    }
}

impl TryFrom<String> for ResolutionDate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ResolutionDate> for String {
    fn from(date: ResolutionDate) -> Self {
        date.0
    }
}

impl fmt::Display for ResolutionDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_day_counts_to_its_end("2026-11-20", "2026-11-20T23:59:59Z")]
    #[case::a_time("2026-11-20T12:00:00Z", "2026-11-20T12:00:00Z")]
    #[case::a_time_with_a_fraction("2026-11-20T12:00:00.5Z", "2026-11-20T12:00:00Z")]
    fn dates_have_one_form(#[case] text: &str, #[case] expected: &str) {
        let date: ResolutionDate = text.parse().unwrap();
        assert_eq!((date.as_str(), date.day()), (expected, "2026-11-20"));
    }

    #[rstest]
    #[case("yesterday")]
    #[case("2026-13-01")]
    #[case("2026-11-20 12:00")]
    #[case("2026-11-20T12:00:00+02:00")]
    #[case("")]
    fn any_other_text_is_an_error(#[case] text: &str) {
        let error = text.parse::<ResolutionDate>().unwrap_err();
        assert!(error.starts_with("expected a day (2026-11-20)"), "{error}");
    }
}
