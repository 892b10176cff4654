//! The client of the server under test: SkyPilot's HTTP protocol, as its SDK
//! speaks it.
//!
//! Every way in which a request can go wrong becomes a [`Failure`] with the HTTP
//! status and the server's own error type, so that failures can be counted by
//! kind. Nothing here judges. What SkyPilot's SDK sends again is sent again by whoever plays
//! its user, with the pauses of [`retry`]; only health and what we ask for ourselves, such as
//! the list of requests, are asked for again here.

mod address;
mod answer;
mod clocks;
mod facts;
mod health;
mod lines;
mod of_run;
mod retry;
mod search;
#[cfg(test)]
mod tests;
mod transport;

use std::sync::Once;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Map, Value, json};
use url::Url;

pub use address::is_loopback;
pub use answer::{Answer, RequestRow};
pub(crate) use answer::{INTERRUPTED, NOT_JSON, excerpt, no_request_id, wrong_value};
pub use facts::Consolidation;
pub use health::{Health, HealthPatience, NEEDS_AUTHENTICATION};
pub(crate) use lines::Progress;
use lines::{Interrupted, Lines};
pub(crate) use retry::{Backoff, TRIES, for_ourselves, while_unavailable};
use search::Search;
use transport::{TimeLimit, describe, transport_failure};

use crate::credentials::{self, Credentials};
use crate::env;
use crate::record::outcome::Failure;
use crate::scenario::{Body, Call, IterationNames};

/// The SDK waits as long as this for a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The server closes idle connections after 5 s; ours must be given up earlier,
/// or a request may meet a connection that is just being closed.
const KEEP_IDLE_FOR: Duration = Duration::from_secs(4);

/// A client of one server, acting for one user.
#[derive(Clone, Debug)]
pub struct ApiClient {
    http: reqwest::Client,
    base: Url,
    common: Map<String, Value>,
    credentials: Credentials,
}

/// Who a client acts for.
#[derive(Clone, Debug)]
pub struct ClientIdentity {
    /// SkyPilot's user id: eight hexadecimal digits.
    pub user_id: String,
    /// What the server writes down as the command.
    pub command: String,
    /// `SKYPILOT_*` variables that the SDK would pass on.
    pub variables: Vec<(String, String)>,
    /// Whether the server is on another machine.
    pub remote: bool,
}

/// The versions that a client says it has.
#[derive(Clone, Debug)]
pub struct ClientVersions {
    /// The API version, such as `62`.
    pub api: String,
    /// The release, such as `0.14.1`.
    pub release: String,
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up an HTTP client for {url}: {reason}")]
pub struct ClientError {
    url: Url,
    reason: String,
}

/// The beginning of a response.
#[derive(Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// The id of the request, which can be waited on if the call was queued.
    pub request_id: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
    /// What no word of it may repeat.
    credentials: Credentials,
}

/// A job's output that was read to its end.
#[derive(Debug)]
pub struct Watched {
    /// The id of the request, whose result is the job's exit code.
    pub request_id: Option<String>,
    /// Whether what the call wants printed was in it.
    pub printed: bool,
}

impl ApiClient {
    /// A client of the server at `base`. Without `versions` the server checks none. A
    /// login in the URL itself is passed over: errors print URLs.
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
        // Fails only when a provider is installed already, which serves as well.
        static CRYPTOGRAPHY: Once = Once::new();
        CRYPTOGRAPHY.call_once(|| _ = rustls::crypto::ring::default_provider().install_default());
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_WITHIN)
            .pool_idle_timeout(KEEP_IDLE_FOR);
        // A server elsewhere may be reached through a proxy alone. One that is here never is:
        // the proxy would be measured as the server, if it knew the way at all.
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|source| error(describe(&source)))?;
        Ok(Self { http, base, common: common_fields(identity), credentials: credentials.clone() })
    }

    /// Sends a call and reads its response whole. Its time limit is the SDK's: a
    /// server that misses it has failed the request, whatever becomes of it.
    pub async fn send(&self, call: &Call, names: &IterationNames) -> Result<Response, Failure> {
        let limit = call.sdk_timeout.map(TimeLimit::of_sdk);
        self.execute(call.step, self.request(call, names), limit).await
    }

    fn request(&self, call: &Call, names: &IterationNames) -> reqwest::RequestBuilder {
        match call.body {
            Body::None => self.http.get(self.address(call.path)),
            Body::Fields(fields) => {
                let mut body = self.common.clone();
                if let Value::Object(own) = fields(names) {
                    body.extend(own);
                }
                self.http.post(self.address(call.path)).json(&body)
            }
        }
    }

    /// Reads the log of a request to its end, as a terminal would show it. How far it came
    /// is added to `progress`, whatever became of it.
    pub(crate) async fn stream(
        &self,
        step: &str,
        request_id: &str,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        // The text is of no interest, its end is: there is no other sign of it.
        let request = self.http.get(self.log_of(request_id));
        self.read_to_end(step, request, None, progress).await.map(|_| ())
    }

    /// The log of a request that writes little, without terminal colours.
    pub async fn log(&self, step: &str, request_id: &str) -> Result<String, Failure> {
        let response = self.execute(step, self.http.get(self.log_of(request_id)), None).await?;
        if response.status != 200 {
            return Err(answer::http_failure(step, &response));
        }
        let text = self.credentials.hide_in(&String::from_utf8_lossy(&response.body));
        let lines: Vec<String> = text.lines().map(answer::plain).collect();
        Ok(lines.join("\n"))
    }

    fn log_of(&self, request_id: &str) -> Url {
        let mut address = self.address("/api/stream");
        address.query_pairs_mut().extend_pairs([
            ("request_id", request_id),
            ("follow", "True"),
            ("format", "console"),
        ]);
        address
    }

    /// Sends a call whose response is a job's output, and reads that to its end.
    pub(crate) async fn watch(
        &self,
        call: &Call,
        names: &IterationNames,
        progress: &mut Progress,
    ) -> Result<Watched, Failure> {
        self.read_to_end(call.step, self.request(call, names), call.prints, progress).await
    }

    async fn read_to_end(
        &self,
        step: &str,
        request: reqwest::RequestBuilder,
        wanted: Option<&str>,
        progress: &mut Progress,
    ) -> Result<Watched, Failure> {
        let transport = |error: &reqwest::Error| transport_failure(step, error, None);
        let response = apply(&self.credentials, request).send().await;
        let mut response = response.map_err(|error| transport(&error))?;
        let status = response.status().as_u16();
        if status != 200 {
            let body = response.bytes().await.unwrap_or_default().to_vec();
            return Err(answer::http_failure(step, &self.response(status, None, body)));
        }
        let request_id = request_id(response.headers());
        let (mut search, mut lines) = (wanted.map(Search::new), Lines::new(progress));
        while let Some(chunk) = response.chunk().await.map_err(|error| transport(&error))? {
            if let Some(search) = &mut search {
                search.read(&chunk);
            }
            lines.read(&chunk).map_err(|Interrupted| answer::interrupted(step))?;
        }
        Ok(Watched { request_id, printed: search.is_none_or(|search| search.found) })
    }

    /// Waits for a request to end and returns its result.
    pub async fn get(&self, step: &str, request_id: &str) -> Result<Answer, Failure> {
        let mut address = self.address("/api/get");
        address.query_pairs_mut().append_pair("request_id", request_id);
        let response = self.execute(step, self.http.get(address), None).await?;
        Answer::parse(step, &response)
    }

    /// Lists the requests that the server remembers, of all users and in any state. No user
    /// asks for that, so a call that goes wrong on its way is sent again.
    pub async fn list_requests(&self) -> Result<Vec<RequestRow>, Failure> {
        for_ourselves(async || self.list_requests_once().await).await
    }

    async fn list_requests_once(&self) -> Result<Vec<RequestRow>, Failure> {
        const STEP: &str = "list requests";
        let mut address = self.address("/api/status");
        address.query_pairs_mut().append_pair("all_status", "True").extend_pairs(
            ["request_id", "name", "status", "user_id"].map(|field| ("fields", field)),
        );
        let response = self.execute(STEP, self.http.get(address), None).await?;
        answer::parse_rows(STEP, &response)
    }

    /// Asks for the server's health.
    pub async fn health(&self, patience: HealthPatience) -> Result<Health, Failure> {
        self.health_with_tries(patience, || {}).await
    }

    /// Asks for the server's health once there is a server, and a worker that is free for it
    /// (no 503).
    pub async fn health_once_available(&self, patience: HealthPatience) -> Result<Health, Failure> {
        while_unavailable(async || self.health(patience).await, || {}).await
    }

    /// Asks for the server's health, and tells `again` of every try beyond the first. Only an
    /// answer that takes too long is waited for again; a connection that fails says enough.
    pub(crate) async fn health_with_tries(
        &self,
        patience: HealthPatience,
        mut again: impl FnMut(),
    ) -> Result<Health, Failure> {
        let mut tries = 1;
        loop {
            let request = self.http.get(self.address("/api/health"));
            let result = self.execute(health::STEP, request, Some(patience.limit())).await;
            match result {
                Err(failure) if tries < patience.tries && failure.is_timeout() => {
                    tries += 1;
                    again();
                }
                Err(failure) if failure.status.is_none() => {
                    let message = format!("{} (asked {tries}x)", failure.message);
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
            let response = apply(&self.credentials, request).send().await?;
            let status = response.status().as_u16();
            let request_id = request_id(response.headers());
            let body = response.bytes().await?.to_vec();
            Ok(self.response(status, request_id, body))
        };
        let result = match limit {
            None => sent.await,
            Some(limit) => match tokio::time::timeout(limit.time, sent).await {
                Ok(result) => result,
                Err(_) => return Err(limit.exceeded(step)),
            },
        };
        result.map_err(|error: reqwest::Error| transport_failure(step, &error, limit))
    }

    fn response(&self, status: u16, request_id: Option<String>, body: Vec<u8>) -> Response {
        Response { status, request_id, body, credentials: self.credentials.clone() }
    }

    /// The beginning of what a server sent, without the secret that it may have repeated.
    pub(crate) fn excerpt(&self, text: &str) -> String {
        excerpt(self.credentials.hide_in(text).as_bytes())
    }

    fn address(&self, path: &str) -> Url {
        // Servers may live below a path of their host; `Url::join` would drop it.
        let mut address = self.base.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(p, q)| (p, Some(q)));
        address.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        address.set_query(query);
        address
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    headers.get("x-skypilot-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned)
}

fn headers(versions: Option<&ClientVersions>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let value = |text: &str| HeaderValue::from_str(text).map_err(|error| error.to_string());
    if let Some(versions) = versions {
        headers.insert("x-skypilot-api-version", value(&versions.api)?);
        headers.insert("x-skypilot-version", value(&versions.release)?);
    }
    Ok(headers)
}

fn apply(credentials: &Credentials, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    match credentials {
        Credentials::None => request,
        Credentials::Token(token) => request.bearer_auth(token),
        Credentials::Login(login) => request.basic_auth(login.user(), Some(login.password())),
    }
}

/// The fields that every request of the SDK carries.
fn common_fields(identity: &ClientIdentity) -> Map<String, Value> {
    let mut variables: Map<String, Value> = identity
        .variables
        .iter()
        .filter(|(name, _)| name.starts_with("SKYPILOT_") && !name.starts_with("SKYPILOT_SERVER_"))
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    variables.insert(env::USER_ID.to_owned(), identity.user_id.as_str().into());
    variables.insert("SKYPILOT_USER".to_owned(), "skyload".into());
    let run = uuid::Uuid::new_v4().to_string();
    variables.insert("SKYPILOT_USAGE_RUN_ID".to_owned(), run.into());
    let fields = json!({
        "env_vars": variables,
        "entrypoint": "skyload",
        "entrypoint_command": identity.command,
        "using_remote_api_server": identity.remote,
        "override_skypilot_config": {},
        "override_skypilot_config_path": "[null, null]",
        "file_mounts_blob_id": null,
        "client_api_version": null,
        "workspace_access": null,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
