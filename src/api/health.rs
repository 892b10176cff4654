//! Health of the server, and its versions: `GET /api/health`.

use std::time::Duration;

use serde_json::Value;

use super::transport::TimeLimit;
use super::{ApiClient, ClientVersions, Response, response};
use crate::record::outcome::{Failure, error_type};

/// Name of the step in outcomes.
pub(super) const STEP: &str = "health";

/// Timeout and number of tries of a health request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthPolicy {
    /// Time limit of one response.
    pub timeout: Duration,
    /// Maximum number of requests, each sent after the timeout of the one before.
    pub tries: u32,
}

impl HealthPolicy {
    /// Policy of SkyPilot's SDK: 2.5 s, three times. After that the SDK reports that there is
    /// no server.
    pub const SDK: Self = Self { timeout: Duration::from_millis(2500), tries: 3 };

    /// Policy of the health probe: one try with a long timeout, since the probe measures how
    /// long a slow response takes.
    pub const PROBE: Self = Self { timeout: Duration::from_secs(60), tries: 1 };

    /// Time limit of one response.
    pub(super) fn limit(self) -> TimeLimit {
        // A limit of skyload's own must not be read as the SDK's.
        let name = match self {
            Self::SDK => "SDK timeout",
            Self::PROBE => "health probe timeout",
            _ => "skyload's timeout",
        };
        TimeLimit { time: self.timeout, name }
    }
}

impl ApiClient {
    /// Check that the server accepts the credentials: a call that needs them, unlike health with
    /// basic auth (`BasicAuthMiddleware` in SkyPilot's `sky/server/server.py`).
    ///
    /// # Errors
    ///
    /// The server's refusal, or another failure of the call.
    pub async fn check_credentials(&self, limit: Duration) -> Result<(), Failure> {
        const STEP: &str = "check credentials";
        let mut address = self.address("/api/status");
        // Of running requests alone, only this field.
        address.query_pairs_mut().append_pair("fields", "request_id");
        let limit = TimeLimit { time: limit, name: "skyload's timeout" };
        let response = self.execute(STEP, self.http.get(address), Some(limit)).await?;
        match response.status {
            200 => Ok(()),
            _ => Err(response::http_failure(STEP, &response)),
        }
    }
}

/// Health response of a healthy server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// API version, such as `62`.
    pub api_version: String,
    /// Release, such as `0.14.1`.
    pub version: String,
    /// Commit that the release was built from.
    pub commit: Option<String>,
}

impl Health {
    pub(super) fn parse(response: &Response) -> Result<Self, Failure> {
        if response.status != 200 {
            return Err(response::http_failure(STEP, response));
        }
        let unusable = |reason: &str| Failure {
            step: STEP.to_owned(),
            status: Some(200),
            error_type: error_type::UNEXPECTED_RESPONSE.to_owned(),
            message: format!("{reason}: {}", response.excerpt()),
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
            // A server with authentication sends this with status 200, so that probes of its health
            // pass.
            Some("needs_auth") => {
                return Err(Failure {
                    error_type: error_type::NEEDS_AUTHENTICATION.to_owned(),
                    ..unusable("server requires authentication")
                });
            }
            _ => return Err(unusable("expected status `healthy`")),
        }
        Ok(Self {
            api_version: text("api_version").ok_or_else(|| unusable("no `api_version`"))?,
            version: text("version").ok_or_else(|| unusable("no `version`"))?,
            commit: text("commit"),
        })
    }

    /// Versions to send as a client of the server's own release.
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
    fn a_healthy_server_reports_its_versions(#[case] api_version: Value) {
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
    #[case::that_requires_credentials(200, json!({"status": "needs_auth"}), "needs-authentication")]
    #[case::that_is_unhealthy(200, json!({"status": "unhealthy", "api_version": "62"}), error_type::UNEXPECTED_RESPONSE)]
    #[case::without_a_status(200, json!({"api_version": "62", "version": "1"}), error_type::UNEXPECTED_RESPONSE)]
    #[case::without_a_version(200, json!({"status": "healthy", "api_version": "62"}), error_type::UNEXPECTED_RESPONSE)]
    #[case::that_is_too_new(
        400,
        json!({"error": "version_mismatch", "message": "Your client is too old."}),
        "version_mismatch"
    )]
    fn an_unusable_server_is_a_failure(
        #[case] status: u16,
        #[case] body: Value,
        #[case] error_type: &str,
    ) {
        let failure = parse(status, &body).unwrap_err();
        assert_eq!((failure.status, failure.error_type.as_str()), (Some(status), error_type));
    }
}
