//! Parsing of the server's responses.
//!
//! A request that failed in its executor is an HTTP 500 whose `detail` is an object; any other
//! 500 is an error of the server itself. A cancelled request is an HTTP 200. Return values and
//! errors are JSON text in a JSON string.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Response;
use crate::clock::Timestamp;
use crate::record::outcome::{Failure, error_type};
use crate::scenario::Call;

/// Error type of a request that the server interrupted because it restarts. The SDK retries it.
pub(crate) const INTERRUPTED: &str = "RequestInterruptedError";

/// Error type of a request that was cancelled.
const CANCELLED: &str = "cancelled";

/// Result of a queued request that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestResult {
    /// Return value, or the failure of a request without one.
    pub result: Result<Value, Failure>,
    /// Time at which the server received the request, by the server's clock.
    pub created: Option<Timestamp>,
    /// Time from creation to end by the server's clock: queueing and running.
    pub on_server: Option<Duration>,
    /// Pid of the executor that ran the request; `None` if none has started it.
    pub pid: Option<u32>,
}

impl RequestResult {
    /// Whether the request was cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.result.as_ref().is_err_and(|failure| failure.error_type == CANCELLED)
    }

    /// Time at which the request ended, by the server's clock.
    pub(crate) fn finished(&self) -> Option<Timestamp> {
        Some(self.created?.plus(self.on_server?))
    }
}

/// Row of the server's list of requests.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RequestRow {
    /// ID of the request.
    pub request_id: String,
    /// Name of the request, such as `sky.status`.
    pub name: String,
    /// SkyPilot's status: `PENDING`, `RUNNING`, `SUCCEEDED`, `FAILED`, ..
    pub status: String,
    /// SkyPilot user ID that the server records: of the login, or else of the request's sender.
    pub user_id: String,
    /// Time at which the server received the request, by the server's clock.
    #[serde(default, rename = "created_at", deserialize_with = "since_1970")]
    pub created: Option<Timestamp>,
}

impl RequestRow {
    /// Whether the request has not ended.
    pub fn is_active(&self) -> bool {
        matches!(self.status.as_str(), "PENDING" | "WAITING" | "RUNNING")
    }
}

#[derive(Deserialize)]
struct RequestBody {
    status: String,
    #[serde(default)]
    created_at: Option<f64>,
    #[serde(default)]
    finished_at: Option<f64>,
    #[serde(default)]
    return_value: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    pid: Option<u32>,
}

impl Response {
    /// Response with status 200, or the failure of any other status.
    pub(crate) fn expect_ok(self, step: &str) -> Result<Self, Failure> {
        if self.status == 200 { Ok(self) } else { Err(http_failure(step, &self)) }
    }

    /// Beginning of the body. The secret is removed before the text is cut: half of a secret
    /// would not be recognised.
    pub(super) fn excerpt(&self) -> String {
        excerpt(self.credentials.hide_in(&String::from_utf8_lossy(&self.body)).as_bytes())
    }

    /// Response to a client without credentials.
    #[cfg(test)]
    pub(super) fn of(status: u16, body: impl AsRef<[u8]>) -> Self {
        let (body, credentials) = (body.as_ref().to_vec(), crate::credentials::Credentials::None);
        Self { status, request_id: None, body, credentials }
    }

    /// Failure without the secret, which the server may have repeated in its error.
    fn without_secret(&self, mut failure: Failure) -> Failure {
        failure.hide(|text| self.credentials.hide_in(text));
        failure
    }
}

impl RequestResult {
    pub(super) fn parse(step: &str, response: &Response) -> Result<Self, Failure> {
        let hide = |failure| response.without_secret(failure);
        let parsed = Self::parse_body(step, response).map_err(hide)?;
        Ok(Self { result: parsed.result.map_err(hide), ..parsed })
    }

    fn parse_body(step: &str, response: &Response) -> Result<Self, Failure> {
        let other = |error: serde_json::Error| {
            if !error.is_data() {
                return http_failure(step, response);
            }
            let message = format!("expected a SkyPilot request: {error}");
            unexpected_response(step, response.status, message)
        };
        let request: RequestBody = match response.status {
            200 => serde_json::from_slice(&response.body).map_err(other)?,
            500 => {
                let mut body: Value = serde_json::from_slice(&response.body).map_err(other)?;
                match body.get_mut("detail").filter(|detail| detail.is_object()) {
                    Some(detail) => serde_json::from_value(detail.take()).map_err(other)?,
                    None => return Err(http_failure(step, response)),
                }
            }
            _ => return Err(http_failure(step, response)),
        };
        Ok(Self {
            result: result(step, response.status, &request),
            created: created(&request),
            on_server: on_server(&request),
            pid: request.pid,
        })
    }
}

fn result(step: &str, status: u16, request: &RequestBody) -> Result<Value, Failure> {
    match request.status.as_str() {
        "SUCCEEDED" => {
            let text = request.return_value.as_deref().unwrap_or("null");
            serde_json::from_str(text).map_err(|error| {
                unexpected_response(step, status, format!("return value is not JSON: {error}"))
            })
        }
        "FAILED" => {
            let error = request.error.as_deref().unwrap_or("null");
            // An error that cannot be parsed is still a failure, without a type.
            let error: Value = serde_json::from_str(error).unwrap_or_default();
            let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
            Err(Failure {
                step: step.to_owned(),
                status: Some(status),
                error_type: text("type").unwrap_or_else(|| error_type::UNTYPED_ERROR.to_owned()),
                message: plain(&text("message").unwrap_or_default()),
            })
        }
        other => Err(Failure {
            step: step.to_owned(),
            status: Some(status),
            error_type: other.to_lowercase(),
            message: format!("request ended with status {other}"),
        }),
    }
}

fn created(request: &RequestBody) -> Option<Timestamp> {
    timestamp(request.created_at?)
}

/// Timestamp of a time in seconds since 1970; `None` for one that no clock shows.
fn timestamp(seconds: f64) -> Option<Timestamp> {
    let since_1970 = Duration::try_from_secs_f64(seconds).ok()?;
    Some(Timestamp::default().plus(since_1970))
}

pub(super) fn since_1970<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.and_then(timestamp))
}

fn on_server(request: &RequestBody) -> Option<Duration> {
    let seconds = request.finished_at? - request.created_at?;
    // Negative if the clock of the server was set back; the time is then unknown.
    Duration::try_from_secs_f64(seconds).ok()
}

pub(super) fn parse_rows<Row: DeserializeOwned>(
    step: &str,
    response: &Response,
) -> Result<Vec<Row>, Failure> {
    if response.status != 200 {
        return Err(http_failure(step, response));
    }
    serde_json::from_slice(&response.body)
        .map_err(|error| unexpected_response(step, response.status, error.to_string()))
        .map_err(|failure| response.without_secret(failure))
}

/// Failure of a response with another status than 200, or with a body that is not JSON.
pub(super) fn http_failure(step: &str, response: &Response) -> Failure {
    let body = &response.body[..];
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let detail = json.get("detail").unwrap_or(&json);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    // The app of SkyPilot's server runs in debug mode, which sends tracebacks as plain text.
    if json.is_null()
        && let Some((error_type, message)) = end_of_traceback(&String::from_utf8_lossy(body))
    {
        return response.without_secret(Failure {
            step: step.to_owned(),
            status: Some(response.status),
            error_type,
            message: plain(&message),
        });
    }
    // A version mismatch has no `detail`, and its type is in `error`.
    let error_type = text(detail.get("type")).or_else(|| text(detail.get("error")));
    let message = text(detail.get("message"))
        // Responses with status 404 and 503 have their message as the whole `detail`.
        .or_else(|| detail.as_str().map(str::to_owned))
        .unwrap_or_else(|| response.excerpt());
    response.without_secret(Failure {
        step: step.to_owned(),
        status: Some(response.status),
        error_type: error_type.unwrap_or_else(|| {
            if json.is_null() { error_type::PLAIN_TEXT_ERROR } else { error_type::UNTYPED_ERROR }
                .to_owned()
        }),
        message: plain(&message),
    })
}

/// Type and message of an error, from the last line of a Python traceback.
fn end_of_traceback(text: &str) -> Option<(String, String)> {
    let (_, lines) = text.trim_end().split_once("Traceback (most recent call last):")?;
    let (error_type, message) = lines.lines().last()?.split_once(": ")?;
    // The last line may also be the rest of a message that has several.
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    error_type.chars().all(is_name).then(|| (error_type.to_owned(), message.to_owned()))
}

/// Failure of a stream that the server ended with a request to retry, since it restarts.
pub(super) fn interrupted(step: &str) -> Failure {
    Failure {
        step: step.to_owned(),
        status: Some(200),
        error_type: INTERRUPTED.to_owned(),
        message: "server ended the stream and requested a retry".to_owned(),
    }
}

/// Failure of a response with an expected status and unexpected content.
pub(crate) fn unexpected_response(step: &str, status: u16, message: String) -> Failure {
    Failure {
        step: step.to_owned(),
        status: Some(status),
        error_type: error_type::UNEXPECTED_RESPONSE.to_owned(),
        message,
    }
}

/// Failure of a response without the ID of its request.
pub(crate) fn no_request_id(call: &Call) -> Failure {
    unexpected_response(call.step, 200, "response without a request ID".to_owned())
}

/// Beginning of a body in one line, at most 300 characters.
pub(crate) fn excerpt(body: &[u8]) -> String {
    const LENGTH: usize = 300;
    let text = String::from_utf8_lossy(body);
    let text = plain(text.trim());
    match text.char_indices().nth(LENGTH) {
        None => text,
        Some((end, _)) => format!("{}..", &text[..end]),
    }
}

/// Message without terminal colours and control characters, in one line.
pub(super) fn plain(message: &str) -> String {
    let mut plain = String::with_capacity(message.len());
    let mut chars = message.chars();
    while let Some(c) = chars.next() {
        match c {
            // The sequences that set colours end with their first letter: `ESC [ 1 m`.
            '\u{1b}' => _ = chars.find(char::is_ascii_alphabetic),
            '\n' | '\r' | '\t' => plain.push(' '),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn response(status: u16, body: &Value) -> Response {
        Response::of(status, body.to_string())
    }

    fn failed(error: &Value) -> Value {
        json!({"detail": {
            "status": "FAILED", "created_at": 1.0, "finished_at": 1.5,
            "return_value": null, "error": error.to_string(),
        }})
    }

    #[test]
    fn a_failed_request_names_its_error_without_terminal_colours() {
        let error = json!({"object": "..", "type": "E", "message": "Run: \u{1b}[1msky\u{1b}[0m"});
        let parsed = RequestResult::parse("s", &response(500, &failed(&error))).unwrap();
        let failure = parsed.result.unwrap_err();
        assert_eq!((failure.error_type.as_str(), failure.message.as_str()), ("E", "Run: sky"));
        assert_eq!(parsed.on_server, Some(Duration::from_millis(500)));
        assert_eq!(parsed.created, Some(Timestamp::from_micros(1_000_000)));
    }

    #[test]
    fn no_response_is_too_odd_to_be_parsed() {
        let error = json!({"object": "..", "type": "E", "message": "Run: \u{1b}[1msky\u{1b}[0m"});
        let rows =
            json!([{"request_id": "1", "name": "sky.status", "status": "FAILED", "user_id": "2"}]);
        let value = json!({
            "status": "SUCCEEDED", "created_at": 1.5, "finished_at": 2.5,
            "return_value": "[{\"a\": 1}]", "error": "null",
        });
        let traceback = "Traceback (most recent call last):\n  File\nE: database is locked\n";
        let bodies =
            [failed(&error).to_string(), rows.to_string(), value.to_string(), traceback.to_owned()];
        for body in bodies {
            crate::changes::try_changes(body.as_bytes(), |body| {
                for status in [200, 500] {
                    let response = Response::of(status, body);
                    _ = RequestResult::parse("s", &response);
                    _ = parse_rows::<RequestRow>("s", &response);
                    _ = super::super::health::Health::parse(&response);
                }
            });
        }
    }

    #[test]
    fn a_server_error_in_plain_text_has_its_own_error_type() {
        let response = Response::of(500, "Traceback (most");
        let failure = RequestResult::parse("s", &response).unwrap_err();
        assert_eq!(failure.error_type, "plain-text-error");
    }

    #[test]
    fn a_traceback_in_plain_text_names_its_error_at_its_end() {
        let body = b"Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    \
                     g()\nsqlite3.OperationalError: database is locked\n";
        let failure = http_failure("s", &Response::of(500, body));
        assert_eq!(failure.error_type, "sqlite3.OperationalError");
        assert_eq!(failure.message, "database is locked");
    }

    #[test]
    fn a_cancelled_request_is_a_failure_although_its_status_is_200() {
        let body = json!({"status": "CANCELLED", "return_value": "null", "error": "null"});
        let parsed = RequestResult::parse("s", &response(200, &body)).unwrap();
        assert!(parsed.is_cancelled() && parsed.pid.is_none());
        assert_eq!(parsed.result.unwrap_err().error_type, "cancelled");
    }

    #[test]
    fn a_return_value_is_parsed_from_its_json_text() {
        let body = json!({"status": "SUCCEEDED", "return_value": "[]", "error": "null"});
        let parsed = RequestResult::parse("s", &response(200, &body)).unwrap();
        assert_eq!(parsed.result.unwrap(), json!([]));
    }

    #[test]
    fn exhausted_workers_and_rejected_tasks_keep_the_servers_message() {
        let busy =
            http_failure("s", &Response::of(503, r#"{"detail":"The server has exhausted .."}"#));
        assert_eq!(busy.message, "The server has exhausted ..");
        let rejected = r#"{"detail":{"type":"CloudError","message":"no"}}"#;
        let rejected = http_failure("s", &Response::of(400, rejected));
        assert_eq!(rejected.error_type, "CloudError");
    }
}
