//! The forms of an answer.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// The header that names a request.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-skypilot-request-id");
/// The header of a stream.
pub(crate) const TEXT: [(HeaderName, &str); 1] =
    [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];

/// What FastAPI says in a JSON object: `{"detail": ...}`.
pub(crate) fn detail(status: StatusCode, detail: impl Into<Value>) -> Response {
    let detail: Value = detail.into();
    json_text(status, &json!({ "detail": detail }))
}

/// A JSON body.
pub(crate) fn json_text(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// The answer to a queued call: `null`, and the id to wait for.
pub(crate) fn queued(id: &str) -> Response {
    with_header(json_text(StatusCode::OK, &Value::Null), REQUEST_ID, id)
}

/// A missing field of a query or a body.
pub(crate) fn missing(place: &str, field: &str) -> Response {
    let error = json!([{
        "type": "missing", "loc": [place, field], "msg": "Field required", "input": null,
    }]);
    detail(StatusCode::UNPROCESSABLE_ENTITY, error)
}

/// A bug of the server: Python's traceback, as text.
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
    // Every value is an id or a version of ours.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}
