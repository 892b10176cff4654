//! API requests of skyload itself: sent, and awaited to their result.

use serde_json::Value;

use super::owners::{Owner, Owners};
use crate::api::{ApiClient, retry_while_unavailable, unexpected_response, with_retries};
use crate::record::outcome::Failure;
use crate::scenario::{Call, IterationNames};

/// Client that waits for the result of each request.
#[derive(Clone, Debug)]
pub struct Requests {
    client: ApiClient,
}

/// Cluster, managed job or service of the run in a list of the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) status: String,
    pub(super) id: Option<u64>,
    /// State of a managed job in the controller's scheduler. Source:
    /// `ManagedJobScheduleState` in `sky/jobs/state.py`.
    pub(super) schedule_state: Option<String>,
    pub(super) owner: Owner,
}

impl Requests {
    /// Requests that are sent through `client`.
    pub fn new(client: ApiClient) -> Self {
        Self { client }
    }

    /// HTTP client.
    pub(super) fn client(&self) -> &ApiClient {
        &self.client
    }

    /// Sends a queued request, waits for its value, and checks the value's shape.
    pub async fn ask(&self, call: &Call, names: &IterationNames) -> Result<Value, Failure> {
        let id = self.submit(call, names).await?;
        let value = self.result(call.step, &id).await?;
        if call.expect.value.fits(&value) {
            return Ok(value);
        }
        let (expected, excerpt) =
            (call.expect.value.name(), self.client.excerpt(&value.to_string()));
        Err(unexpected_response(call.step, 200, format!("expected {expected}, got {excerpt}")))
    }

    /// Waits for a request to end, and returns its value.
    pub(super) async fn result(&self, step: &str, id: &str) -> Result<Value, Failure> {
        with_retries(async || self.client.get(step, id).await).await?.result
    }

    /// Sends a queued request and returns its ID.
    pub(super) async fn submit(
        &self,
        call: &Call,
        names: &IterationNames,
    ) -> Result<String, Failure> {
        let sent = async || self.client.send(call, names).await?.expect_ok(call.step);
        retry_while_unavailable(sent, || {}).await?.request_id.ok_or_else(|| {
            unexpected_response(call.step, 200, "the response has no request id".to_owned())
        })
    }

    /// Lists the run's resources: the rows that `call` returns, without those of others.
    pub(super) async fn list(&self, call: &Call, owners: &Owners) -> Result<Vec<Row>, Failure> {
        let rows = self.list_all(call).await?;
        Ok(rows.iter().filter_map(|row| Row::parse(row, owners)).collect())
    }

    /// Lists the rows that `call` returns, of all owners.
    pub(super) async fn list_all(&self, call: &Call) -> Result<Vec<Value>, Failure> {
        match self.ask(call, &IterationNames::none()).await? {
            Value::Array(rows) => Ok(rows),
            _ => Err(unexpected_response(call.step, 200, "expected a list".to_owned())),
        }
    }
}

impl Row {
    /// Row of the run or of one of its scripts; `None` for a row of others.
    fn parse(row: &Value, owners: &Owners) -> Option<Self> {
        let text = |field: &str| row.get(field).and_then(Value::as_str);
        // Managed jobs have a `job_name`, clusters and services a `name`.
        let name = text("job_name").or_else(|| text("name"))?;
        Some(Self {
            owner: owners.of_row(name, row)?,
            name: name.to_owned(),
            status: text("status").unwrap_or_default().to_owned(),
            id: row.get("job_id").and_then(Value::as_u64),
            schedule_state: text("schedule_state").map(str::to_owned),
        })
    }
}

/// Names for a request about a single resource.
pub(super) fn only_own(own: &str) -> IterationNames {
    IterationNames { own: own.to_owned(), ..IterationNames::none() }
}
