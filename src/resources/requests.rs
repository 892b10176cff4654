//! Requests that are sent one at a time and waited for.

use serde_json::Value;

use crate::api::{ApiClient, retry_while_unavailable, unexpected_response, with_retries};
use crate::record::outcome::Failure;
use crate::scenario::{Call, IterationNames};

/// A client that waits for what it asked for.
#[derive(Clone, Debug)]
pub struct Requests {
    client: ApiClient,
}

/// Something of the run that the server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) status: String,
    pub(super) id: Option<u64>,
    /// What the controller of a managed job has yet to do with it.
    pub(super) schedule_state: Option<String>,
}

impl Requests {
    /// Requests through `client`.
    pub fn new(client: ApiClient) -> Self {
        Self { client }
    }

    /// The client.
    pub(super) fn client(&self) -> &ApiClient {
        &self.client
    }

    /// Sends a queued request and waits for its value.
    pub async fn ask(&self, call: &Call, names: &IterationNames) -> Result<Value, Failure> {
        let id = self.submit(call, names).await?;
        let value = self.result(call.step, &id).await?;
        if call.expect.value.fits(&value) {
            return Ok(value);
        }
        Err(unexpected_response(
            call.step,
            200,
            format!("{} was expected", call.expect.value.name()),
        ))
    }

    /// Waits for a request to end, and returns its value.
    pub(super) async fn result(&self, step: &str, id: &str) -> Result<Value, Failure> {
        with_retries(async || self.client.get(step, id).await).await?.result
    }

    /// Sends a queued request and returns its id.
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

    /// Lists what belongs to the run: what `call` returns, without what has
    /// another tag in its name.
    pub(super) async fn list(&self, call: &Call, tag: &str) -> Result<Vec<Row>, Failure> {
        let value = self.ask(call, &IterationNames::none()).await?;
        let rows = value
            .as_array()
            .ok_or_else(|| unexpected_response(call.step, 200, "a list was expected".to_owned()))?;
        Ok(rows.iter().filter_map(|row| Row::parse(row, tag)).collect())
    }
}

impl Row {
    fn parse(row: &Value, tag: &str) -> Option<Self> {
        let text = |field: &str| row.get(field).and_then(Value::as_str);
        let name = text("job_name").or_else(|| text("name"))?;
        name.starts_with(&format!("{tag}-")).then(|| Self {
            name: name.to_owned(),
            status: text("status").unwrap_or_default().to_owned(),
            id: row.get("job_id").and_then(Value::as_u64),
            schedule_state: text("schedule_state").map(str::to_owned),
        })
    }
}

/// The names of a request that names one thing.
pub(super) fn naming(own: &str) -> IterationNames {
    IterationNames { own: own.to_owned(), ..IterationNames::none() }
}
