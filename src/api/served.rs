//! Server's record of requests, with what the attribution of memory needs of each.

use serde::Deserialize;

use super::identity::CLIENT_NAME;
use super::response::{parse_rows, since_1970};
use super::{ApiClient, with_retries};
use crate::clock::Timestamp;
use crate::record::outcome::Failure;
use crate::record::{ServerRequest, ServerRequests, Version};

/// Maximum number of requests in the list. The server holds all rows in memory while it responds.
const LIMIT: usize = 20_000;

/// Row of the server's list with the fields of a [`ServerRequest`].
#[derive(Deserialize)]
struct Row {
    request_id: String,
    name: String,
    user_id: String,
    #[serde(default)]
    user_name: Option<String>,
    #[serde(default)]
    cluster_name: Option<String>,
    #[serde(default)]
    schedule_type: Option<String>,
    #[serde(default, deserialize_with = "since_1970")]
    created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "since_1970")]
    finished_at: Option<Timestamp>,
}

impl ApiClient {
    /// Lists the newest requests of all users that the server has on record, in any state.
    pub async fn served_requests(&self) -> Result<ServerRequests, Failure> {
        let rows = with_retries(async || self.served_rows().await).await?;
        let is_cut = rows.len() >= LIMIT;
        let requests = rows.into_iter().map(Row::into_request).collect();
        Ok(ServerRequests { version: Version, requests, is_cut })
    }

    async fn served_rows(&self) -> Result<Vec<Row>, Failure> {
        const STEP: &str = "list requests";
        const FIELDS: [&str; 7] = [
            "request_id",
            "name",
            "user_id",
            "cluster_name",
            "schedule_type",
            "created_at",
            "finished_at",
        ];
        let mut address = self.address("/api/status");
        address
            .query_pairs_mut()
            .append_pair("all_status", "True")
            .append_pair("limit", &LIMIT.to_string())
            // Only these: complete rows contain the body of each request.
            .extend_pairs(FIELDS.map(|field| ("fields", field)));
        let response = self.execute(STEP, self.http.get(address), None).await?;
        parse_rows(STEP, &response)
    }
}

impl Row {
    fn into_request(self) -> ServerRequest {
        ServerRequest {
            id: self.request_id,
            name: self.name,
            // All users of a run have the same name.
            user: self.user_name.filter(|name| name != CLIENT_NAME).unwrap_or(self.user_id),
            cluster: self.cluster_name,
            queue: self.schedule_type,
            created: self.created_at,
            finished: self.finished_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_without_a_users_own_name_has_the_users_id() {
        let row = |user_name: Option<&str>| -> ServerRequest {
            let row = json!({
                "request_id": "7f", "name": "sky.launch", "user_id": "3fa90001",
                "user_name": user_name, "cluster_name": "c", "schedule_type": "long",
                "created_at": 1.5, "finished_at": null, "pid": null, "status": "RUNNING",
            });
            serde_json::from_value::<Row>(row).unwrap().into_request()
        };
        assert_eq!(row(None).user, "3fa90001");
        assert_eq!(row(Some("skyload")).user, "3fa90001");
        let named = row(Some("ann"));
        assert_eq!((named.user.as_str(), named.cluster.as_deref()), ("ann", Some("c")));
        assert_eq!(named.created, Some(Timestamp::from_micros(1_500_000)));
        assert_eq!(named.finished, None);
    }
}
