//! Builders of HTTP responses.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Name of the header with the request id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-skypilot-request-id");
/// Headers of a log stream.
pub(crate) const TEXT: [(HeaderName, &str); 1] =
    [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];

/// Response in the form of FastAPI's errors: `{"detail": ...}`.
pub(crate) fn detail(status: StatusCode, detail: impl Into<Value>) -> Response {
    let detail: Value = detail.into();
    json_text(status, &json!({ "detail": detail }))
}

/// Response with a JSON body.
pub(crate) fn json_text(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// Response to a queued call: the body `null`, and the request id in a header.
pub(crate) fn queued(id: &str) -> Response {
    with_header(json_text(StatusCode::OK, &Value::Null), REQUEST_ID, id)
}

/// Response to a call without a required field of the query or the body.
pub(crate) fn missing(place: &str, field: &str) -> Response {
    let error = json!([{
        "type": "missing", "loc": [place, field], "msg": "Field required", "input": null,
    }]);
    detail(StatusCode::UNPROCESSABLE_ENTITY, error)
}

/// Response to a call that crashes the server's handler: a Python traceback as text.
pub(crate) fn traceback(error: &str) -> Response {
    let text = format!(
        "Traceback (most recent call last):\n  File \"/fake/site-packages/sky/server/server.py\", \
         line 1108, in dispatch\n    response = await call_next(request)\n{error}\n"
    );
    let content_type = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (StatusCode::INTERNAL_SERVER_ERROR, content_type, text).into_response()
}

/// Adds a header to a response.
pub(crate) fn with_header(mut response: Response, name: HeaderName, value: &str) -> Response {
    // Always valid: values are ids, versions and constants.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}
