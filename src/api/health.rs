//! `GET /api/health`: is the server there, and which one is it.

use std::time::Duration;

use serde_json::Value;

use super::transport::TimeLimit;
use super::{ClientVersions, Response, answer};
use crate::record::outcome::{Failure, error_type};

/// Name of the step in outcomes.
pub(super) const STEP: &str = "health";

/// Waiting rule for a health response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthPatience {
    /// Time that one response may take.
    pub answer_within: Duration,
    /// Number of requests until one has a response.
    pub tries: u32,
}

impl HealthPatience {
    /// Rule of SkyPilot's SDK: 2.5 s, three times. Beyond that the SDK reports that there is no
    /// server.
    pub const SDK: Self = Self { answer_within: Duration::from_millis(2500), tries: 3 };

    /// Rule of the health probe, which measures how long a response takes and therefore waits.
    pub const PROBE: Self = Self { answer_within: Duration::from_secs(60), tries: 1 };

    /// Limit on one response.
    pub(super) fn limit(self) -> TimeLimit {
        let whose = if self == Self::PROBE { "limit of the health probe" } else { "SDK timeout" };
        TimeLimit { time: self.answer_within, whose }
    }
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Its API version, such as `62`.
    pub api_version: String,
    /// Its release, such as `0.14.1`.
    pub version: String,
    /// The commit that it was built from.
    pub commit: Option<String>,
}

impl Health {
    pub(super) fn parse(response: &Response) -> Result<Self, Failure> {
        if response.status != 200 {
            return Err(answer::http_failure(STEP, response));
        }
        let unusable = |what: &str| Failure {
            step: STEP.to_owned(),
            status: Some(200),
            error_type: error_type::UNEXPECTED_RESPONSE.to_owned(),
            message: format!("{what}: {}", response.excerpt()),
        };
        let body: Value =
            serde_json::from_slice(&response.body).map_err(|_| unusable("not JSON"))?;
        let text = |name: &str| match body.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            // Releases before 0.10 sent a number.
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        match body.get("status").and_then(Value::as_str) {
            Some("healthy") => {}
            Some("needs_auth") => {
                return Err(Failure {
                    error_type: error_type::NEEDS_AUTHENTICATION.to_owned(),
                    ..unusable("the server wants credentials")
                });
            }
            _ => return Err(unusable("not healthy")),
        }
        Ok(Self {
            api_version: text("api_version").ok_or_else(|| unusable("without `api_version`"))?,
            version: text("version").ok_or_else(|| unusable("without `version`"))?,
            commit: text("commit"),
        })
    }

    /// The versions of a client of the same release.
    pub fn client_versions(&self) -> ClientVersions {
        ClientVersions { api: self.api_version.clone(), release: self.version.clone() }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn parse(status: u16, body: &Value) -> Result<Health, Failure> {
        Health::parse(&Response::of(status, body.to_string()))
    }

    #[rstest]
    #[case::as_text(json!("62"))]
    #[case::as_a_number(json!(62))]
    fn a_healthy_server_says_its_versions(#[case] api_version: Value) {
        let body = json!({
            "status": "healthy", "api_version": api_version, "version": "0.14.1",
            "commit": "7e59", "user": null,
        });
        let health = parse(200, &body).unwrap();
        assert_eq!((health.api_version.as_str(), health.version.as_str()), ("62", "0.14.1"));
        assert_eq!(health.commit.as_deref(), Some("7e59"));
        let versions = health.client_versions();
        assert_eq!((versions.api.as_str(), versions.release.as_str()), ("62", "0.14.1"));
    }

    #[rstest]
    #[case::that_wants_credentials(200, json!({"status": "needs_auth"}), "needs authentication")]
    #[case::that_is_ill(200, json!({"status": "unhealthy", "api_version": "62"}), error_type::UNEXPECTED_RESPONSE)]
    #[case::without_a_status(200, json!({"api_version": "62", "version": "1"}), error_type::UNEXPECTED_RESPONSE)]
    #[case::without_a_version(200, json!({"status": "healthy", "api_version": "62"}), error_type::UNEXPECTED_RESPONSE)]
    #[case::that_is_too_new(
        400,
        json!({"error": "version_mismatch", "message": "Your client is too old."}),
        "version_mismatch"
    )]
    fn a_server_is_not_there_for_us(
        #[case] status: u16,
        #[case] body: Value,
        #[case] error_type: &str,
    ) {
        let failure = parse(status, &body).unwrap_err();
        assert_eq!((failure.status, failure.error_type.as_str()), (Some(status), error_type));
    }
}
