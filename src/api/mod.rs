//! HTTP client of the server under test, with the protocol of SkyPilot's SDK.
//!
//! Every error becomes a [`Failure`] with the HTTP status and the server's error type, so that
//! failures can be counted by type. Whether an error is expected is decided by the caller.
//! Retries of a user's calls are also the caller's, with the pauses of [`retry`]. This module
//! retries only health requests and skyload's own requests, such as the list of requests.

mod clocks;
mod consolidation;
mod for_run;
mod health;
mod http;
mod identity;
mod lines;
mod metrics;
mod open_log;
mod open_response;
mod response;
mod retry;
mod search;
mod senders;
mod served;
#[cfg(test)]
mod tests;
mod transport;
mod trust;
mod upload;

use reqwest::header::{COOKIE, HeaderMap};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::Url;

pub use consolidation::Consolidation;
pub use health::{Health, HealthPolicy};
use http::Http;
pub use identity::{ClientIdentity, ClientVersions};
use identity::{common_fields, headers, name_user};
pub(crate) use lines::Progress;
use lines::{Interrupted, Lines};
pub use metrics::{MetricsClient, Scrape, parse_metrics};
pub(crate) use open_log::{LogData, OpenLog};
use open_response::OpenResponse;
pub(crate) use response::{INTERRUPTED, excerpt, no_request_id, unexpected_response};
pub use response::{RequestResult, RequestRow};
pub(crate) use retry::{Backoff, MAX_TRIES, retry_while_unavailable, with_retries};
use search::Search;
use transport::{SendError, TimeLimit, transport_failure};

use crate::credentials::{self, Credentials};
use crate::record::outcome::Failure;
use crate::scenario::{Body, Call, IterationNames};

/// Client of one server, acting for one user.
#[derive(Clone, Debug)]
pub struct ApiClient {
    http: Http,
    base: Url,
    user_id: String,
    common: Map<String, Value>,
    credentials: Credentials,
}

/// Error of setting up an HTTP client.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up an HTTP client for {url}: {reason}")]
pub struct ClientError {
    url: Url,
    reason: String,
}

/// HTTP response, read to its end.
#[derive(Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// ID of the SkyPilot request, from the response's headers. A queued request's result is
    /// fetched by this ID.
    pub request_id: Option<String>,
    /// Complete body.
    pub body: Vec<u8>,
    /// Secret to remove from every error message made of the body.
    credentials: Credentials,
}

/// Output of a job, read to its end.
#[derive(Debug)]
pub struct JobOutput {
    /// ID of the SkyPilot request, whose result is the job's exit code.
    pub request_id: Option<String>,
    /// Whether the output contains the text that the call requires ([`Call::prints`]).
    pub printed: bool,
}

impl ApiClient {
    /// Client of the server at `base`. Without `versions` no version headers are sent, so the
    /// server checks none. A login in `base` is removed, since errors print URLs.
    pub fn new(
        base: &Url,
        identity: &ClientIdentity,
        versions: Option<&ClientVersions>,
        credentials: &Credentials,
    ) -> Result<Self, ClientError> {
        let mut base = base.clone();
        credentials::strip(&mut base);
        let error = |reason: String| ClientError { url: base.clone(), reason };
        let headers = headers(versions).map_err(error)?;
        let http = Http::new(&base, headers).map_err(error)?;
        let (user_id, common) = (identity.user_id.clone(), common_fields(identity));
        Ok(Self { http, base, user_id, common, credentials: credentials.clone() })
    }

    /// Client of the same server for another user. The server shows the name beside the user's
    /// clusters and jobs.
    pub(crate) fn of_user(&self, id: &str, name: &str) -> Self {
        let mut client = Self { user_id: id.to_owned(), ..self.clone() };
        name_user(&mut client.common, id, name);
        client
    }

    /// Sends a call and reads its whole response within the SDK timeout. A later response
    /// counts as a failure, as it does for a user of the SDK.
    pub async fn send(&self, call: &Call, names: &IterationNames) -> Result<Response, Failure> {
        let limit = call.sdk_timeout.map(TimeLimit::of_sdk);
        self.execute(call.step, self.request(call, names), limit).await
    }

    fn request(&self, call: &Call, names: &IterationNames) -> reqwest::RequestBuilder {
        match call.body {
            Body::None => self.http.get(self.address(call.path)),
            Body::Fields(fields) => {
                let mut body = self.common.clone();
                if let Value::Object(call_fields) = fields(names) {
                    body.extend(call_fields);
                }
                self.http.post(self.address(call.path)).json(&body)
            }
        }
    }

    /// Reads the log of a request to its end, as a terminal does. Adds the lines received to
    /// `progress`, also when reading fails.
    pub(crate) async fn stream(
        &self,
        step: &str,
        request_id: &str,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        // The text is discarded. Only the end of the stream shows that the request has ended.
        let request = self.http.get(self.log_of(request_id));
        self.read_to_end(step, request, None, progress).await.map(|_| ())
    }

    /// Complete log of a request, without terminal colours. For short logs: the whole text is
    /// kept in memory.
    pub async fn log(&self, step: &str, request_id: &str) -> Result<String, Failure> {
        let response = self.execute(step, self.http.get(self.log_of(request_id)), None).await?;
        if response.status != 200 {
            return Err(response::http_failure(step, &response));
        }
        let text = self.credentials.hide_in(&String::from_utf8_lossy(&response.body));
        let lines: Vec<String> = text.lines().map(response::plain).collect();
        Ok(lines.join("\n"))
    }

    fn log_of(&self, request_id: &str) -> Url {
        let mut address = self.address("/api/stream");
        address.query_pairs_mut().extend_pairs([
            ("request_id", request_id),
            ("follow", "True"),
            // As the SDK does: the default format depends on the user agent and may be HTML.
            ("format", "console"),
        ]);
        address
    }

    /// Sends a call whose response is a job's output, and reads the output to its end.
    pub(crate) async fn stream_output(
        &self,
        call: &Call,
        names: &IterationNames,
        progress: &mut Progress,
    ) -> Result<JobOutput, Failure> {
        self.read_to_end(call.step, self.request(call, names), call.prints, progress).await
    }

    async fn read_to_end(
        &self,
        step: &str,
        request: reqwest::RequestBuilder,
        wanted: Option<&str>,
        progress: &mut Progress,
    ) -> Result<JobOutput, Failure> {
        let mut response = self.open(step, request).await?;
        let request_id = request_id(response.headers());
        let (mut search, mut lines) = (wanted.map(Search::new), Lines::new(progress));
        while let Some(chunk) = next_chunk(step, &mut response).await? {
            if let Some(search) = &mut search {
                search.read(chunk.as_ref());
            }
            lines.read(chunk.as_ref()).map_err(|Interrupted| response::interrupted(step))?;
        }
        Ok(JobOutput { request_id, printed: search.is_none_or(|search| search.found) })
    }

    /// Sends a request, and returns once the headers of its response are there.
    async fn open(
        &self,
        step: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<OpenResponse, Failure> {
        let response = send(&self.http, &self.credentials, request).await;
        let response = response.map_err(|error| transport_failure(step, &error, None))?;
        let status = response.status();
        if status == 200 {
            return Ok(response);
        }
        // The status is the failure, with or without a readable body.
        let body = response.bytes().await.unwrap_or_default();
        Err(response::http_failure(step, &self.response(status, None, body)))
    }

    /// Waits for a request to end and returns its result.
    pub async fn get(&self, step: &str, request_id: &str) -> Result<RequestResult, Failure> {
        let mut address = self.address("/api/get");
        address.query_pairs_mut().append_pair("request_id", request_id);
        // No time limit: `/api/get` responds only when the request has ended.
        let response = self.execute(step, self.http.get(address), None).await?;
        RequestResult::parse(step, &response)
    }

    /// Lists the requests that the server has on record, of all users and in any state. The
    /// list is skyload's own and no user's call, so it is retried after transport errors.
    pub async fn list_requests(&self) -> Result<Vec<RequestRow>, Failure> {
        with_retries(async || self.list_requests_once().await).await
    }

    /// Row of one request in the server's list; `None` if the list does not have it. Not retried,
    /// since the row of this moment is wanted.
    pub(crate) async fn find_request(&self, id: &str) -> Result<Option<RequestRow>, Failure> {
        let rows: Vec<RequestRow> = self.rows_of(&[id]).await?;
        Ok(rows.into_iter().find(|row| row.request_id == id))
    }

    /// Complete rows of requests by their IDs. Those that the server's list does not have are left
    /// out.
    async fn rows_of<T: DeserializeOwned>(&self, ids: &[&str]) -> Result<Vec<T>, Failure> {
        const STEP: &str = "read requests";
        let mut address = self.address("/api/status");
        address.query_pairs_mut().extend_pairs(ids.iter().map(|id| ("request_ids", id)));
        let response = self.execute(STEP, self.http.get(address), None).await?;
        response::parse_rows(STEP, &response)
    }

    async fn list_requests_once(&self) -> Result<Vec<RequestRow>, Failure> {
        const STEP: &str = "list requests";
        let mut address = self.address("/api/status");
        // Only these fields: complete rows contain the body of each request.
        address.query_pairs_mut().append_pair("all_status", "True").extend_pairs(
            ["request_id", "name", "status", "user_id", "created_at"]
                .map(|field| ("fields", field)),
        );
        let response = self.execute(STEP, self.http.get(address), None).await?;
        response::parse_rows(STEP, &response)
    }

    /// Requests the server's health.
    pub async fn health(&self, policy: HealthPolicy) -> Result<Health, Failure> {
        self.health_with_retries(policy, || {}).await
    }

    /// Requests the server's health, again for as long as the server responds 503 (no free
    /// worker).
    pub async fn health_once_available(&self, policy: HealthPolicy) -> Result<Health, Failure> {
        retry_while_unavailable(async || self.health(policy).await, || {}).await
    }

    /// Requests the server's health, and calls `on_retry` before each further try. Only a
    /// timeout is retried; a failed connection is an error at the first try.
    pub(crate) async fn health_with_retries(
        &self,
        policy: HealthPolicy,
        mut on_retry: impl FnMut(),
    ) -> Result<Health, Failure> {
        let mut tries = 1;
        loop {
            let request = self.http.get(self.address("/api/health"));
            let result = self.execute(health::STEP, request, Some(policy.limit())).await;
            match result {
                Err(failure) if tries < policy.tries && failure.is_timeout() => {
                    tries += 1;
                    on_retry();
                }
                Err(failure) if failure.status.is_none() => {
                    let message = format!("{} (tried {tries}x)", failure.message);
                    return Err(Failure { message, ..failure });
                }
                Err(failure) => return Err(failure),
                Ok(response) => return Health::parse(&response),
            }
        }
    }

    async fn execute(
        &self,
        step: &str,
        request: reqwest::RequestBuilder,
        limit: Option<TimeLimit>,
    ) -> Result<Response, Failure> {
        let sent = async {
            let response = send(&self.http, &self.credentials, request).await?;
            let status = response.status();
            let request_id = request_id(response.headers());
            let body = response.bytes().await?;
            Ok::<_, SendError>(self.response(status, request_id, body))
        };
        let result = match limit {
            None => sent.await,
            Some(limit) => match tokio::time::timeout(limit.time, sent).await {
                Ok(result) => result,
                Err(_) => return Err(limit.exceeded(step)),
            },
        };
        result.map_err(|error| transport_failure(step, &error, limit))
    }

    fn response(&self, status: u16, request_id: Option<String>, body: Vec<u8>) -> Response {
        Response { status, request_id, body, credentials: self.credentials.clone() }
    }

    /// Beginning of a text that the server sent, with the secret removed.
    pub(crate) fn excerpt(&self, text: &str) -> String {
        excerpt(self.credentials.hide_in(text).as_bytes())
    }

    fn address(&self, path: &str) -> Url {
        // A server may have a base path (`https://host/east`), which `Url::join` would drop.
        let mut address = self.base.clone();
        // `set_path` would encode the question mark.
        let (path, query) = path.split_once('?').map_or((path, None), |(p, q)| (p, Some(q)));
        address.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        address.set_query(query);
        address
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    // Each response has this header. The ID can be waited for only if the call creates a request.
    headers.get("x-skypilot-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned)
}

/// Sends a request with credentials.
async fn send(
    http: &Http,
    credentials: &Credentials,
    request: reqwest::RequestBuilder,
) -> Result<OpenResponse, SendError> {
    let request = match credentials {
        Credentials::None => request,
        Credentials::Token(token) => request.bearer_auth(token),
        Credentials::Login(login) => request.basic_auth(login.user(), Some(login.password())),
        Credentials::Cookies(cookies) => {
            let (client, request) = request.build_split();
            let request = request?;
            // Which cookies are sent depends on the URL.
            let header = cookies.header(request.url());
            let request = reqwest::RequestBuilder::from_parts(client, request);
            header.into_iter().fold(request, |request, value| request.header(COOKIE, value))
        }
    };
    http.send(request).await
}

/// Next data of a response's body; `None` at its end.
async fn next_chunk(
    step: &str,
    response: &mut OpenResponse,
) -> Result<Option<impl AsRef<[u8]> + use<>>, Failure> {
    let chunk = response.chunk().await;
    chunk.map_err(|error| transport_failure(step, &error, None))
}
