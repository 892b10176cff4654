//! Users of requests on a server that authenticates its clients.
//!
//! Such a server records each request for the user of the login, whoever the client acts for. It
//! keeps the client's other variables, which are a part of the request's body. skyload's clients
//! therefore send their user a second time, in [`env::SENT_USER`]. Bodies are read for a few
//! requests only, since the server's main process decodes each of them.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{ApiClient, RequestRow, with_retries};
use crate::clock::Timestamp;
use crate::env;
use crate::ids::RunId;
use crate::record::outcome::Failure;

/// Number of requests whose bodies are read in one response.
const PER_RESPONSE: usize = 50;

/// Maximum difference between the server's clock and the local one at which requests are still
/// found.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(600);

/// Request as a client of skyload sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentRequest {
    /// ID of the request.
    pub(crate) request_id: String,
    /// ID of the user that the client acted for.
    pub(crate) user_id: String,
    /// Cluster in the body.
    pub(crate) cluster: Option<String>,
}

/// Complete row of the server's list of requests, with the fields that are read of it.
#[derive(Deserialize)]
struct CompleteRow {
    request_id: String,
    /// Body as JSON text; `null` in the text for a request of another login.
    #[serde(default)]
    request_body: Option<String>,
}

impl RequestRow {
    /// Whether the request may be of a run although the server records another user for it.
    pub(crate) fn may_be_sent_by(&self, run: &RunId) -> bool {
        // Sent by the server itself.
        const SYSTEM: &str = "skypilot-system";
        let began = run.began().map(Timestamp::from);
        let is_earlier = match (self.created, began) {
            (Some(created), Some(began)) => created.plus(CLOCK_TOLERANCE) < began,
            _ => false,
        };
        self.user_id != SYSTEM && !self.user_id.starts_with(&run.user_prefix()) && !is_earlier
    }
}

impl ApiClient {
    /// Requests among those with these IDs that clients of skyload sent, of this run or another.
    /// Requests of another login are left out: their bodies cannot be read.
    pub(crate) async fn sent_requests(&self, ids: &[&str]) -> Result<Vec<SentRequest>, Failure> {
        let mut sent = Vec::new();
        for ids in ids.chunks(PER_RESPONSE) {
            let rows = with_retries(async || self.rows_of::<CompleteRow>(ids).await).await?;
            sent.extend(rows.into_iter().filter_map(SentRequest::of));
        }
        Ok(sent)
    }
}

impl SentRequest {
    fn of(row: CompleteRow) -> Option<Self> {
        let body: Value = serde_json::from_str(&row.request_body?).ok()?;
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            request_id: row.request_id,
            user_id: text(body.get("env_vars")?.get(env::SENT_USER))?,
            cluster: text(body.get("cluster_name")),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::sent(json!({"env_vars": {"SKYPILOT_USER_ID": "sa-1", "SKYPILOT_SKYLOAD_USER": "3fa90001"}, "cluster_name": "c"}).to_string(), Some(("3fa90001", Some("c"))))]
    #[case::without_a_cluster(json!({"env_vars": {"SKYPILOT_SKYLOAD_USER": "3fa90001"}}).to_string(), Some(("3fa90001", None)))]
    #[case::of_another_client(json!({"env_vars": {"SKYPILOT_USER_ID": "sa-1"}}).to_string(), None)]
    #[case::of_another_login("null".to_owned(), None)]
    #[case::in_an_unknown_form("gASV".to_owned(), None)]
    fn a_body_names_the_user_of_skyloads_client(
        #[case] body: String,
        #[case] expected: Option<(&str, Option<&str>)>,
    ) {
        let row = CompleteRow { request_id: "1".to_owned(), request_body: Some(body) };
        let sent = SentRequest::of(row);
        let found = sent.as_ref().map(|sent| (sent.user_id.as_str(), sent.cluster.as_deref()));
        assert_eq!(found, expected);
    }

    #[rstest]
    #[case::of_a_login("sa-1", "2026-11-24T08:15:30Z", true)]
    #[case::on_a_clock_that_is_behind("sa-1", "2026-11-24T08:10:00Z", true)]
    #[case::from_before_the_run("sa-1", "2026-11-24T07:15:00Z", false)]
    #[case::recorded_for_the_runs_user("3fa90001", "2026-11-24T08:15:30Z", false)]
    #[case::of_the_server_itself("skypilot-system", "2026-11-24T08:15:30Z", false)]
    fn bodies_are_read_only_of_requests_that_may_be_of_the_run(
        #[case] user: &str,
        #[case] created: &str,
        #[case] expected: bool,
    ) {
        let run = RunId::of_directory(Path::new("20261124-081512-3fa9"));
        let row = RequestRow {
            request_id: "1".to_owned(),
            name: "sky.status".to_owned(),
            status: "SUCCEEDED".to_owned(),
            user_id: user.to_owned(),
            created: humantime::parse_rfc3339(created).ok().map(Timestamp::from),
        };
        assert_eq!(row.may_be_sent_by(&run), expected);
    }
}
